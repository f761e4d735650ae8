"""The forms of the admin of categories, films and comments; tests/browser uses a browser."""

import re

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from catalog.films.admin import MAX_INLINES
from catalog.films.models import Category, Comment, Film, GenerationJob, Kind
from tests.support.films import make_category, make_comment, make_film
from tests.support.people import make_user

pytestmark = pytest.mark.django_db

ADMIN = "/admin/films/"


@pytest.mark.parametrize("model", ["category", "film", "comment", "generationjob"])
def test_lists_and_forms_open(admin_client: Client, model: str) -> None:
    comment = make_comment(author=make_user())
    thing = {
        "category": comment.film.category,
        "film": comment.film,
        "comment": comment,
        "generationjob": GenerationJob.objects.create(kind=Kind.FILMS, total=1),
    }[model]
    for address in ("", "?q=a"):
        assert admin_client.get(f"{ADMIN}{model}/{address}").status_code == 200
    for address in ("change/", "history/"):
        assert admin_client.get(f"{ADMIN}{model}/{thing.pk}/{address}").status_code == 200
    may_add = 403 if model == "generationjob" else 200
    assert admin_client.get(f"{ADMIN}{model}/add/").status_code == may_add


def test_category_film_and_comment_are_made_in_one_form(
    admin_client: Client, admin_user: User
) -> None:
    answer = admin_client.post(
        f"{ADMIN}category/add/",
        {
            "title": "Silent films",
            **rows("films", new=1),
            "films-0-title": "The General",
            "films-0-time_filmed_0": "1926-07-23",
            "films-0-time_filmed_1": "10:00:00",
            **rows("films-0-comments", new=1),
            "films-0-comments-0-text": "What a chase!",
        },
    )
    assert answer.status_code == 302, answer.context["errors"]
    comment = Comment.objects.get()
    film = comment.film
    assert (comment.text, film.title, film.category.title) == (
        "What a chase!",
        "The General",
        "Silent films",
    )
    assert comment.author == film.owner == film.category.owner == admin_user


def test_change_leaves_the_owner(admin_client: Client, admin_user: User) -> None:
    owner = make_user()
    film = make_film(owner=owner, category=make_category(owner=owner))
    comment = make_comment(film=film, author=owner)
    answer = admin_client.post(
        f"{ADMIN}category/{film.category_id}/change/",
        {
            "title": "Changed",
            **rows("films", old=1, new=1),
            "films-0-id": film.pk,
            "films-0-category": film.category_id,
            "films-0-title": "Changed",
            **rows("films-0-comments", old=1),
            "films-0-comments-0-id": comment.pk,
            "films-0-comments-0-film": film.pk,
            "films-0-comments-0-text": "Changed",
            "films-1-title": "Added",
            "films-1-category": film.category_id,
            **rows("films-1-comments"),
        },
    )
    assert answer.status_code == 302, answer.context["errors"]
    for thing in (film.category, film, comment):
        thing.refresh_from_db()
        assert "Changed" in str(thing)
    assert film.owner == film.category.owner == comment.author == owner
    assert Film.objects.get(title="Added").owner == admin_user


def test_newest_of_many_films_and_comments_are_shown(
    admin_client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    category = make_category()
    films = [make_film(category=category, title=f"Film {n}") for n in range(MAX_INLINES + 5)]
    for number in range(MAX_INLINES + 5):
        make_comment(film=films[-1], text=f"Comment {number}", author=make_user())
    with django_assert_max_num_queries(20 + MAX_INLINES):
        html = admin_client.get(f"{ADMIN}category/{category.pk}/change/").content.decode()
    assert 'value="Film 14"' in html
    assert 'value="Film 5"' in html
    assert 'value="Film 4"' not in html
    assert len(re.findall(r"Comment \d+</textarea>", html)) == MAX_INLINES


def test_category_leads_to_all_its_films(admin_client: Client) -> None:
    film, _ = make_film(title="The General"), make_film(title="Stagecoach")
    for address in ("", f"{film.category_id}/change/"):
        html = admin_client.get(f"{ADMIN}category/{address}").content.decode()
        assert f'<a href="/admin/films/film/?category__id__exact={film.category_id}">1</a>' in html
    html = admin_client.get(f"{ADMIN}film/?category__id__exact={film.category_id}").content.decode()
    assert "The General" in html
    assert "Stagecoach" not in html


def test_form_saves_what_it_showed_though_there_is_more_now(admin_client: Client) -> None:
    shown = make_film()
    for _ in range(MAX_INLINES + 1):
        make_film(category=shown.category)
    body = {
        "title": "Category",
        **rows("films", old=1),
        "films-0-id": shown.pk,
        "films-0-category": shown.category_id,
        "films-0-title": "Renamed",
        **rows("films-0-comments"),
    }
    address = f"{ADMIN}category/{shown.category_id}/change/"
    assert admin_client.post(address, body).status_code == 302
    shown.refresh_from_db()
    assert shown.title == "Renamed"
    assert Film.objects.count() == MAX_INLINES + 2


def test_category_is_not_moved_below_itself(admin_client: Client) -> None:
    top = make_category()
    below = make_category(parent=top)
    body = {"title": "Top", "parent": below.pk, **rows("films")}
    answer = admin_client.post(f"{ADMIN}category/{top.pk}/change/", body)
    assert "A category cannot be below itself." in answer.content.decode()
    assert Category.objects.get(pk=top.pk).parent is None


@pytest.mark.parametrize("model", ["category", "film", "comment"])
def test_rows_take_no_query_each(
    admin_client: Client, django_assert_num_queries: DjangoAssertNumQueries, model: str
) -> None:
    def add() -> None:
        category = make_category(parent=make_category(), owner=make_user())
        make_comment(film=make_film(category=category), author=make_user())

    add()
    admin_client.get(f"{ADMIN}{model}/")
    with django_assert_num_queries(4):
        admin_client.get(f"{ADMIN}{model}/")
    for _ in range(8):
        add()
    with django_assert_num_queries(4):
        admin_client.get(f"{ADMIN}{model}/")


def test_views_are_shown_and_not_asked_for(admin_client: Client) -> None:
    film = make_film()
    Film.objects.update(counter=4321)
    for address in (f"film/{film.pk}", f"category/{film.category_id}"):
        html = admin_client.get(f"{ADMIN}{address}/change/").content.decode()
        assert "4,321" in html
        assert not re.search(r'name="[^"]*counter"', html)


def rows(prefix: str, *, old: int = 0, new: int = 0) -> dict[str, object]:
    """Return what a form says about the rows below it."""
    return {
        f"{prefix}-TOTAL_FORMS": old + new,
        f"{prefix}-INITIAL_FORMS": old,
        f"{prefix}-MIN_NUM_FORMS": 0,
        f"{prefix}-MAX_NUM_FORMS": 1000,
    }
