"""/api/v1/categories/: a tree, whatever is asked for."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from accounts.models import User
from catalog.films import tree
from catalog.films.models import Category, Film
from catalog.films.serializers import FilmSerializer
from tests.support.concurrency import run_at_once
from tests.support.films import make_category, make_film
from tests.support.people import client_of, make_user, post_raw

pytestmark = pytest.mark.django_db

CATEGORIES = "/api/v1/categories/"


@pytest.fixture
def user() -> User:
    return make_user()


@pytest.fixture
def writer(user: User) -> APIClient:
    return client_of(user)


@pytest.fixture
def staff() -> APIClient:
    return client_of(make_user(is_staff=True, is_superuser=True))


def test_category_stands_below_another(writer: APIClient, user: User) -> None:
    comedies = writer.post(CATEGORIES, {"title": "Comedies"}).json()
    made = writer.post(CATEGORIES, {"title": "Silent ones", "parent": comedies["id"]})
    assert made.status_code == 201
    silent = made.json()
    assert silent == {
        "id": silent["id"],
        "title": "Silent ones",
        "parent": comedies["id"],
        "owner": user.pk,
    }
    assert comedies["parent"] is None
    below = writer.get(f"{CATEGORIES}?parent={comedies['id']}").json()
    assert below["results"] == [silent]
    found = writer.get(f"{CATEGORIES}?search=SILENT&ordering=-title").json()
    assert found["results"] == [silent]
    moved = writer.patch(f"{CATEGORIES}{silent['id']}/", {"parent": None})
    assert (moved.status_code, moved.json()["parent"]) == (200, None)


def test_category_never_stands_below_itself(writer: APIClient, user: User) -> None:
    top = make_category(owner=user)
    middle = make_category(owner=user, parent=top)
    bottom = make_category(owner=user, parent=middle)
    for below in (top, middle, bottom):
        for method in (writer.patch, writer.put):
            body = {"title": "Moved", "parent": below.pk}
            answer = method(f"{CATEGORIES}{top.pk}/", body)
            assert answer.status_code == 400
            assert answer.json() == {"parent": ["A category cannot be below itself."]}
    assert writer.patch(f"{CATEGORIES}{bottom.pk}/", {"parent": top.pk}).status_code == 200


def chain(levels: int, owner: User) -> list[Category]:
    made: list[Category] = []
    for _ in range(levels):
        made.append(make_category(owner=owner, parent=made[-1] if made else None))
    return made


def test_tree_has_ten_levels_at_most(writer: APIClient, user: User) -> None:
    deep = chain(tree.MAX_LEVELS, user)
    refused = {"parent": ["The tree may have at most 10 levels."]}
    answer = writer.post(CATEGORIES, {"title": "Eleventh", "parent": deep[-1].pk})
    assert (answer.status_code, answer.json()) == (400, refused)

    branch = chain(3, user)  # it would reach down to the eleventh
    answer = writer.patch(f"{CATEGORIES}{branch[0].pk}/", {"parent": deep[7].pk})
    assert (answer.status_code, answer.json()) == (400, refused)
    answer = writer.patch(f"{CATEGORIES}{branch[0].pk}/", {"parent": deep[6].pk})
    assert answer.status_code == 200


@pytest.mark.parametrize("turn", range(3))
@pytest.mark.django_db(transaction=True)
def test_two_moves_at_once_make_no_ring(writer: APIClient, user: User, turn: int) -> None:
    a, b = make_category(owner=user), make_category(owner=user)
    moves = iter([(a, b), (b, a)])

    def move() -> int:
        moved, below = next(moves)
        return writer.patch(f"{CATEGORIES}{moved.pk}/", {"parent": below.pk}).status_code

    assert sorted(run_at_once([move] * 2)) == [200, 400]
    assert Category.objects.filter(parent=None).count() == 1


@pytest.mark.parametrize("below", [make_category, make_film])
def test_category_that_is_not_empty_stays(staff: APIClient, below: object) -> None:
    category = make_category()
    inside = make_film(category=category) if below is make_film else make_category(parent=category)
    answer = staff.delete(f"{CATEGORIES}{category.pk}/")
    assert answer.status_code == 409
    assert answer.json() == {"detail": "The category is not empty."}
    inside.delete()
    assert staff.delete(f"{CATEGORIES}{category.pk}/").status_code == 204


@pytest.mark.parametrize("turn", range(3))
@pytest.mark.django_db(transaction=True)
def test_film_is_added_to_a_category_that_is_just_deleted(staff: APIClient, turn: int) -> None:
    category = make_category()
    asked = iter(["delete", "post"])

    def ask() -> int:
        if next(asked) == "post":
            return staff.post("/api/v1/films/", {"title": "F", "category": category.pk}).status_code
        return staff.delete(f"{CATEGORIES}{category.pk}/").status_code

    assert sorted(run_at_once([ask] * 2)) in ([201, 409], [204, 400], [204, 409])
    assert Film.objects.count() == Category.objects.count()


@pytest.mark.django_db(transaction=True)
def test_category_that_goes_before_the_film_is_saved_is_a_conflict(
    writer: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    category, create = make_category(), FilmSerializer.create

    def late(serializer: FilmSerializer, values: dict[str, Any]) -> Film:
        Category.objects.all().delete()
        return create(serializer, values)

    monkeypatch.setattr(FilmSerializer, "create", late)
    answer = writer.post("/api/v1/films/", {"title": "F", "category": category.pk})
    assert answer.status_code == 409
    assert answer.json() == {"detail": "Something else was changed at the same moment. Try again."}


@pytest.mark.parametrize("parent", ["0", "x", "1e400", "true", "[]", "99999999999999999999"])
def test_parent_that_is_none_is_refused(writer: APIClient, parent: str) -> None:
    parent = parent if parent != "x" else '"x"'
    body = f'{{"title": "C", "parent": {parent}}}'.encode()
    answer = post_raw(writer, CATEGORIES, body)
    assert (answer.status_code, list(answer.json())) == (400, ["parent"])
