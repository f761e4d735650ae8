"""Views of some users are not recorded: the owner's, those of staff, and those of groups."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import AnonymousUser, Group
from django.db import DatabaseError
from django.test import Client, RequestFactory
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from catalog.films.models import Film
from catalog.pages.models import Content, Page
from footfall.cache.cached_pages import fill, lease
from footfall.flush import flush_all
from footfall.policies import Exclude
from footfall.record import record
from footfall.registry import counter_field
from tests.support.films import make_film
from tests.support.people import client_of, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("all_models")]

SetExclude = Callable[[Exclude], None]


@pytest.fixture
def excluding(monkeypatch: pytest.MonkeyPatch) -> SetExclude:
    """Sets whose views of films are not recorded, as a line of their model does."""
    return lambda exclude: monkeypatch.setattr(counter_field(Film), "exclude", exclude)


def views_by(user: User | None) -> int:
    """Return what two reads of a film of `owner` by this user count."""
    film = make_film(owner=User.objects.filter(first_name="owner").first())
    client = client_of(user)
    for _ in range(2):
        assert client.get(f"/api/v1/films/{film.pk}/").status_code == 200
    flush_all()
    film.refresh_from_db()
    return film.counter


@pytest.mark.usefixtures("own_log")
def test_owner_staff_and_groups(excluding: SetExclude) -> None:
    owner, other = make_user(first_name="owner"), make_user()
    staff, editor, writer = make_user(is_staff=True), make_user(), make_user()
    editor.groups.add(Group.objects.create(name="Editors"))
    writer.groups.add(Group.objects.create(name="Writers"))
    excluding(Exclude(owner="owner", staff=True, groups=("Editors", "Authors")))

    counted = [views_by(user) for user in (None, owner, other, staff, editor, writer)]

    assert counted == [2, 0, 2, 0, 0, 2]


@pytest.mark.usefixtures("own_log")
def test_nobody_is_excluded_by_default() -> None:
    owner = make_user(first_name="owner", is_staff=True)

    assert views_by(owner) == 2


@pytest.mark.usefixtures("own_log")
def test_a_session_says_who_it_is(excluding: SetExclude, client: Client) -> None:
    excluding(Exclude(staff=True))
    film = make_film()
    client.force_login(make_user(is_staff=True))

    client.get(f"/api/v1/films/{film.pk}/")

    flush_all()
    film.refresh_from_db()
    assert film.counter == 0


@pytest.mark.usefixtures("own_log")
def test_other_targets_of_the_view_count(
    monkeypatch: pytest.MonkeyPatch, page: Page, contents: list[Content], rf: RequestFactory
) -> None:
    monkeypatch.setattr(counter_field(Page), "exclude", Exclude(staff=True))
    request = rf.get("/")
    request.user = make_user(is_staff=True)

    record(page, contents, request=request)

    flush_all()
    page.refresh_from_db()
    assert page.counter == 0
    assert {one.counter for one in Content.objects.filter(pk__in=[c.pk for c in contents])} == {1}


@pytest.mark.usefixtures("own_log")
def test_what_it_costs(
    excluding: SetExclude, rf: RequestFactory, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    films = [make_film() for _ in range(3)]
    excluding(Exclude(owner="owner", staff=True, groups=("Editors",)))
    request, again = rf.get("/"), rf.get("/")
    request.user, again.user = AnonymousUser(), make_user()
    record(films[0])  # the identity of the database is known from then on

    with django_assert_num_queries(0):
        record(films[0], films[1:], request=request)
    with django_assert_num_queries(1):
        record(films[0], films[1:], request=again)
        record(films[1], request=again)


@pytest.mark.usefixtures("own_log")
def test_a_user_that_cannot_be_read_is_not_excluded(
    excluding: SetExclude, rf: RequestFactory
) -> None:
    class Away:
        is_authenticated = True

        @property
        def is_staff(self) -> bool:
            raise DatabaseError

    excluding(Exclude(staff=True))
    film, request = make_film(), rf.get("/")
    request.user = Away()  # type: ignore[assignment]

    record(film, request=request)
    record(film, request=request.META)  # the environ says nothing of users

    flush_all()
    film.refresh_from_db()
    assert film.counter == 2


@pytest.mark.usefixtures("own_log")
def test_an_owner_of_an_owner(excluding: SetExclude, rf: RequestFactory) -> None:
    owner = make_user()
    mine, others = make_film(), make_film()
    mine.category.owner = owner
    mine.category.save()
    excluding(Exclude(owner="category__owner"))
    request = rf.get("/")
    request.user = owner

    record(mine, [others], request=request)

    flush_all()
    assert [Film.objects.get(pk=one.pk).counter for one in (mine, others)] == [0, 1]


def test_a_page_that_excludes_users_is_not_cached(
    own_log: None, monkeypatch: pytest.MonkeyPatch, page: Page
) -> None:
    """It would be counted before it is known who reads it."""
    leased = lease(Page, page.pk)
    assert leased
    assert fill(leased, page, [], b"page")
    monkeypatch.setattr(counter_field(Page), "exclude", Exclude(staff=True))
    other = Page.objects.create(title="Other")
    leased = lease(Page, other.pk)

    assert leased
    assert not fill(leased, other, [], b"page")
    assert lease(Page, other.pk)  # the next one does not wait for it


def test_an_owner_that_is_no_field_is_an_error(excluding: SetExclude) -> None:
    excluding(Exclude(owner="ownr"))

    (error,) = counter_field(Film).check()

    assert error.id == "counters.E008"
    excluding(Exclude(owner="category__owner"))
    assert counter_field(Film).check() == []


def test_groups_are_a_list() -> None:
    with pytest.raises(TypeError, match="a list"):
        Exclude(groups="Editors")
    assert Exclude(groups=["a"]).groups == ("a",)
