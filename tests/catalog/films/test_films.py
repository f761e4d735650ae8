"""/api/v1/films/ and /api/v1/comments/."""

from datetime import UTC, datetime
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from accounts.models import User
from catalog.films.models import Category, Comment, Film
from footfall.flush import flush_all
from tests.support.films import make_category, make_comment, make_film
from tests.support.people import client_of, make_user, post_raw

pytestmark = pytest.mark.django_db

FILMS, COMMENTS = "/api/v1/films/", "/api/v1/comments/"
FILMED = "1926-07-23T10:00:00Z"


@pytest.fixture
def user() -> User:
    return make_user()


@pytest.fixture
def writer(user: User) -> APIClient:
    return client_of(user)


@pytest.fixture
def reader() -> APIClient:
    return client_of(None)


def test_film_is_added_read_and_changed_by_its_owner(
    writer: APIClient, reader: APIClient, user: User
) -> None:
    category = make_category()
    body = {
        "title": "The General",
        "description": "A man and his engine.",
        "category": category.pk,
        "time_filmed": FILMED,
    }
    made = writer.post(FILMS, body)
    assert made.status_code == 201
    film = made.json()
    assert film == body | {
        "id": film["id"],
        "owner": user.pk,
        "created_at": film["created_at"],
        "updated_at": film["updated_at"],
        "counter": 0,
    }
    address = f"{FILMS}{film['id']}/"

    read = reader.get(address)
    assert (read.json(), read["Cache-Control"]) == (film, "no-store")
    changed = writer.patch(address, {"title": "Der General"}).json()
    assert changed["title"] == "Der General"
    assert changed["updated_at"] > film["updated_at"]
    assert writer.put(address, body | {"time_filmed": None}).json()["time_filmed"] is None


def test_what_the_server_says_cannot_be_written(writer: APIClient, user: User) -> None:
    other, old = make_user(), "1999-01-01T00:00:00Z"
    forged = {
        "owner": other.pk, "author": other.pk, "id": 77, "counter": 5,
        "created_at": old, "updated_at": old,
    }  # fmt: skip
    category = writer.post("/api/v1/categories/", {"title": "Comedies", **forged}).json()
    film = writer.post(FILMS, {"title": "Film", "category": category["id"], **forged}).json()
    comment = writer.post(f"{FILMS}{film['id']}/comments/", {"text": "Fine", **forged}).json()
    for thing, address in ((film, FILMS), (comment, COMMENTS)):
        again = writer.patch(f"{address}{thing['id']}/", forged).json()
        for shown in (thing, again):
            assert shown.get("owner", shown.get("author")) == user.pk
            assert shown["created_at"] > old
            assert shown["updated_at"] > old
            assert shown.get("counter", 0) == 0
    assert category["owner"] == user.pk


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("title", ""),
        ("title", "a\0b"),
        ("title", None),
        ("description", "x" * 10_001),
        ("category", None),
        ("category", 0),
        ("category", 10**30),
        ("category", "\0"),
        ("category", True),
        ("category", []),
        ("time_filmed", "yesterday"),
        ("time_filmed", "0001-01-01T00:00:00+23:59"),
        ("time_filmed", "1799-12-31T00:00:00Z"),
        ("time_filmed", "9999-12-31T23:59:59-12:00"),
        ("time_filmed", 5),
    ],
)
def test_film_that_cannot_be_is_refused(writer: APIClient, field: str, value: object) -> None:
    body: dict[str, Any] = {"title": "Film", "category": make_category().pk, field: value}
    answer = writer.post(FILMS, body)
    assert (answer.status_code, list(answer.json())) == (400, [field])


@pytest.mark.parametrize("number", ["1e400", "-1e400", "1.5", "NaN", "1e15"])
def test_category_that_is_no_whole_number_is_refused(writer: APIClient, number: str) -> None:
    body = f'{{"title": "Film", "category": {number}}}'.encode()
    answer = post_raw(writer, FILMS, body)
    assert answer.status_code == 400


def test_times_have_a_zone(writer: APIClient) -> None:
    film = make_film()
    answer = writer.get(f"{FILMS}{film.pk}/").json()
    assert answer["created_at"].endswith("Z")
    body = {"title": "F", "category": film.category_id, "time_filmed": "2020-01-01T12:00:00+03:00"}
    assert writer.post(FILMS, body).json()["time_filmed"] == "2020-01-01T09:00:00Z"


@pytest.fixture
def programme() -> tuple[Category, Category]:
    west, noir = make_category(title="Westerns"), make_category(title="Film noir")
    for title, year, category in (
        ("Stagecoach", 1938, west),
        ("Laura", 1944, noir),
        ("High Noon", 1951, west),
    ):
        filmed = datetime(year, 1, 1, tzinfo=UTC)
        make_film(title=title, time_filmed=filmed, category=category, description=f"In {year}.")
    return west, noir


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["Stagecoach", "Laura", "High Noon"]),
        ("category={west}", ["Stagecoach", "High Noon"]),
        ("category={noir}&search=lau", ["Laura"]),
        ("search=in 19", ["Stagecoach", "Laura", "High Noon"]),
        ("ordering=title", ["High Noon", "Laura", "Stagecoach"]),
        ("ordering=-title", ["Stagecoach", "Laura", "High Noon"]),
        ("ordering=category", ["Laura", "Stagecoach", "High Noon"]),
        ("ordering=-category,-title", ["Stagecoach", "High Noon", "Laura"]),
        ("ordering=-time_filmed", ["High Noon", "Laura", "Stagecoach"]),
    ],
)
def test_films_are_found(
    reader: APIClient, programme: tuple[Category, Category], query: str, found: list[str]
) -> None:
    west, noir = programme
    answer = reader.get(f"{FILMS}?{query.format(west=west.pk, noir=noir.pk)}").json()
    assert [film["title"] for film in answer["results"]] == found


@pytest.mark.parametrize(
    "query",
    [
        "films/?category=0",
        "films/?category=x",
        "films/?category=%00",
        "films/?category=" + "9" * 30,
        "films/?ordering=owner",
        "films/?search=%00",
        "categories/?parent=0",
        "categories/?ordering=parent",
        "comments/?film=0",
    ],
)
def test_nonsense_in_the_query_is_refused(reader: APIClient, query: str) -> None:
    answer = reader.get(f"/api/v1/{query}")
    assert answer.status_code == 400
    assert list(answer.json()) == [query.partition("?")[2].partition("=")[0]]


@pytest.mark.parametrize("page", ["0", "2", "x", "9" * 30])
def test_page_that_does_not_exist_is_404(reader: APIClient, page: str) -> None:
    for address in ("films", "categories", "comments"):
        assert reader.get(f"/api/v1/{address}/?page={page}").status_code == 404


@pytest.mark.parametrize(
    "address",
    [
        "films/?ordering=category&search=e",
        "categories/?ordering=title",
        "comments/",
        "films/{film}/comments/",
    ],
)
def test_lists_take_no_query_per_row(
    reader: APIClient, django_assert_num_queries: DjangoAssertNumQueries, address: str
) -> None:
    user, film = make_user(), make_film()
    of_film = int("{film}" in address)  # it is looked up first
    for number in (1, 8):
        for _ in range(number):
            category = make_category(owner=user, parent=film.category)
            make_comment(film=film, author=user)
            make_film(category=category, owner=user)
        with django_assert_num_queries(2 + of_film):
            reader.get(f"/api/v1/{address.format(film=film.pk)}")


def test_comments_of_a_film(writer: APIClient, reader: APIClient, user: User) -> None:
    film, other = make_film(), make_comment().film
    address = f"{FILMS}{film.pk}/comments/"
    made = writer.post(address, {"text": "What a chase.", "film": other.pk})
    assert made.status_code == 201
    comment = made.json()
    assert comment == {
        "id": comment["id"],
        "film": film.pk,
        "author": user.pk,
        "text": "What a chase.",
        "created_at": comment["created_at"],
        "updated_at": comment["updated_at"],
    }
    second = writer.post(COMMENTS, {"film": film.pk, "text": "Again!"}).json()
    assert reader.get(address).json()["results"] == [comment, second]
    assert reader.get(f"{COMMENTS}?film={film.pk}").json()["results"] == [comment, second]
    assert reader.get(COMMENTS).json()["count"] == 3


def test_comment_stays_with_its_film(writer: APIClient, user: User) -> None:
    comment, other = make_comment(author=user), make_film()
    for method in (writer.patch, writer.put):
        answer = method(f"{COMMENTS}{comment.pk}/", {"film": other.pk, "text": "Well."})
        assert (answer.json()["film"], answer.json()["text"]) == (comment.film_id, "Well.")


def test_comments_need_a_film_and_a_text(writer: APIClient) -> None:
    assert writer.post(COMMENTS, {"text": "On what?"}).json() == {
        "film": ["This field is required."]
    }
    assert writer.post(f"{FILMS}0/comments/", {"text": "On what?"}).status_code == 404
    assert writer.get(f"{FILMS}0/comments/").status_code == 404
    answer = writer.post(f"{FILMS}{make_film().pk}/comments/", {"text": " "})
    assert (answer.status_code, list(answer.json())) == (400, ["text"])


def test_films_outlive_the_account_of_their_owner(reader: APIClient, user: User) -> None:
    film = make_film(owner=user, category=make_category(owner=user))
    comment = make_comment(film=film, author=user)
    user.delete()
    assert reader.get(f"{FILMS}{film.pk}/").json()["owner"] is None
    assert reader.get(f"{COMMENTS}{comment.pk}/").json()["author"] is None


def test_comments_go_with_their_film() -> None:
    film = make_comment().film
    assert (
        client_of(make_user(is_staff=True, is_superuser=True))
        .delete(f"{FILMS}{film.pk}/")
        .status_code
        == 204
    )
    assert not Film.objects.exists()
    assert not Comment.objects.exists()


def test_read_is_one_view_and_nothing_else_is(writer: APIClient) -> None:
    film = make_film()
    address = f"{FILMS}{film.pk}/"
    for _ in range(3):
        writer.get(address)
    assert writer.head(address).status_code == 200
    writer.options(address)
    writer.get(FILMS)
    writer.get(f"{address}comments/")
    assert flush_all() == 3
    assert writer.get(address).json()["counter"] == 3
