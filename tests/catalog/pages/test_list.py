"""GET /api/v1/pages/."""

import pytest
from django.db import connection
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from catalog.pages import pagination
from catalog.pages.models import Page
from tests.support.pages import make_contents, make_page, remove_all_pages

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def no_pages(db: None) -> None:
    remove_all_pages()


def test_list_shows_pages_without_contents(client: Client) -> None:
    first = make_page(*make_contents(3), title="First")
    second = make_page(title="Second")

    response = client.get("/api/v1/pages/")

    assert response.status_code == 200
    assert response.json() == {
        "count": 2,
        "next": None,
        "previous": None,
        "results": [
            {
                "id": page.pk,
                "title": page.title,
                "url": f"http://testserver/api/v1/pages/{page.pk}/",
            }
            for page in (first, second)
        ],
    }


def test_list_without_pages(client: Client) -> None:
    assert client.get("/api/v1/pages/").json()["results"] == []


def test_pages_of_the_list_follow_each_other(client: Client) -> None:
    Page.objects.bulk_create(Page(title=f"Page {i}") for i in range(5))
    titles: list[str] = []
    address = "/api/v1/pages/?page_size=2"
    while address:
        answer = client.get(address).json()
        assert answer["count"] == 5
        titles += [page["title"] for page in answer["results"]]
        address = answer["next"]
    assert titles == [f"Page {i}" for i in range(5)]


@pytest.mark.parametrize(
    ("query", "number"),
    [("", 20), ("?page_size=100", 100), ("?page_size=101", 100), ("?page_size=0", 20)],
)
def test_page_size_is_at_most_100(client: Client, query: str, number: int) -> None:
    Page.objects.bulk_create(Page(title="One of many") for _ in range(120))
    assert len(client.get(f"/api/v1/pages/{query}").json()["results"]) == number


@pytest.mark.parametrize("page", ["0", "2", "-1", "x", "9" * 30, "9" * 5000])
def test_page_of_the_list_that_does_not_exist_is_404(client: Client, page: str) -> None:
    response = client.get("/api/v1/pages/", {"page": page})
    assert response.status_code == 404
    assert response.json() == {"detail": "Invalid page."}


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("Sea", ["Sea and sky", "Seafaring"]),
        ("sEA A", ["Sea and sky"]),
        ("sky", []),
        ("100%", ["100% wool"]),
        ("100_", []),
        ("Ёж", ["ёжик в тумане"]),
        ("", ["Sea and sky", "Seafaring", "The sea", "100% wool", "1000 islands", "ёжик в тумане"]),
    ],
)
def test_search_matches_the_start_of_the_title(
    client: Client, search: str, found: list[str]
) -> None:
    if search == "Ёж" and connection.vendor == "sqlite":
        pytest.skip("SQLite ignores the case of ASCII only")
    titles = ["Sea and sky", "Seafaring", "The sea", "100% wool", "1000 islands", "ёжик в тумане"]
    for title in titles:
        make_page(title=title)
    results = client.get("/api/v1/pages/", {"search": search}).json()["results"]
    assert [page["title"] for page in results] == found


def test_search_for_what_no_title_can_contain_is_400(client: Client) -> None:
    response = client.get("/api/v1/pages/", {"search": "a\0b"})
    assert response.status_code == 400
    assert response.json() == {"search": ["Null characters are not allowed."]}


def test_list_takes_two_queries(
    client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(5):
        make_page(*make_contents(2))
    with django_assert_num_queries(2):
        client.get("/api/v1/pages/?search=a")


def test_long_list_is_counted_once_in_a_while(
    client: Client,
    django_assert_num_queries: DjangoAssertNumQueries,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pagination, "MAX_EXACT", 2)
    monkeypatch.setattr(pagination, "MAX_AGE", 60.0)
    monkeypatch.setattr(pagination.CachedCountPaginator, "last_count", (float("-inf"), 0))
    Page.objects.bulk_create(Page(title=f"Page {i}") for i in range(3))

    assert client.get("/api/v1/pages/").json()["count"] == 3
    make_page(title="One more")
    with django_assert_num_queries(1):
        assert client.get("/api/v1/pages/").json()["count"] == 3
    assert client.get("/api/v1/pages/?search=one").json()["count"] == 1
    monkeypatch.setattr(pagination, "MAX_AGE", 0.0)
    assert client.get("/api/v1/pages/").json()["count"] == 4


@pytest.mark.postgres  # which has that index
def test_search_finds_its_index() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
    plan = Page.objects.filter(title__istartswith="The sea").explain()
    assert "pages_page_title_start" in plan


def test_list_is_only_read(client: Client) -> None:
    assert client.post("/api/v1/pages/", {"title": "Mine"}).status_code == 405
