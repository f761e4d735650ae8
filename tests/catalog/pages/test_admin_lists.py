"""The admin's lists of pages and contents: search, filters, and speed."""

import re
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from catalog.pages.management.commands.populate import make_pages
from tests.support.pages import make_audio, make_page, make_text, make_video, remove_all_pages

pytestmark = pytest.mark.django_db

SEARCH = {"app_label": "pages", "model_name": "pagecontent", "field_name": "content"}


@pytest.fixture(autouse=True)
def nothing_else(db: None) -> None:
    remove_all_pages()


@pytest.mark.parametrize("model", ["page", "content", "video"])
@pytest.mark.parametrize(
    ("start", "found"),
    [("sEA", ["Seafaring", "Sea and sky"]), ("Sea A", ["Sea and sky"]), ("sky", []), ("%", [])],
)
def test_search_is_by_the_start_of_the_title(
    admin_client: Client, model: str, start: str, found: list[str]
) -> None:
    for title in ("Sea and sky", "Seafaring", "The sea"):
        make_page(make_video(title), title=title)
    assert listed(admin_client, model, q=start) == found


def test_search_for_a_select_tells_equal_titles_apart(admin_client: Client) -> None:
    video, text = make_video("Sea"), make_text("Sea")
    answer = admin_client.get("/admin/pages/content/search/", SEARCH | {"term": "s"}).json()
    assert answer["results"] == [
        {"id": f"{text.pk}", "text": f"Sea · text {text.pk}"},
        {"id": f"{video.pk}", "text": f"Sea · video {video.pk}"},
    ]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"type": "pages.video"}, ["Dunes", "Waves"]),
        ({"type": "pages.audio"}, ["Gulls"]),
        ({"type": "quotes.quote"}, []),
        ({"type": "accounts.user"}, ["Dunes", "Gulls", "Waves"]),
        ({"page": "x"}, ["Dunes", "Gulls", "Waves"]),
        ({"page": "9" * 30}, ["Dunes", "Gulls", "Waves"]),
        ({"created_at__gte": "2000-01-01 00:00:00+00:00"}, ["Dunes", "Gulls", "Waves"]),
        ({"updated_at__lt": "2000-01-01 00:00:00+00:00"}, []),
    ],
)
def test_contents_are_filtered(
    admin_client: Client, asked: dict[str, str], found: list[str]
) -> None:
    for content in (make_video("Waves"), make_audio("Gulls"), make_video("Dunes")):
        make_page(content)
    assert listed(admin_client, "content", **asked) == found


@pytest.mark.parametrize("address", ["pages/content", "pages/page", "books/book", "films/film"])
def test_search_for_what_no_database_can_hold_finds_it_without(
    admin_client: Client, address: str
) -> None:
    asked = SEARCH | {"term": "s\0ea"}
    assert admin_client.get(f"/admin/{address}/search/", asked).status_code == 200


def test_no_page_has_a_number_of_so_many_digits(admin_client: Client) -> None:
    make_text(title="Sea and sky")
    assert listed(admin_client, "content", page="9" * 5_000) == ["Sea and sky"]


def test_contents_are_filtered_by_page(admin_client: Client) -> None:
    waves, dunes, gulls = make_video("Waves"), make_video("Dunes"), make_audio("Gulls")
    page = make_page(waves, gulls, waves, title="Sea and sky")
    make_page(dunes, waves)
    assert listed(admin_client, "content", page=page.pk) == ["Gulls", "Waves"]
    assert listed(admin_client, "video", page=page.pk) == ["Waves"]
    html = admin_client.get(f"/admin/pages/content/?page={page.pk}").content.decode()
    assert f'<option value="{page.pk}" selected>Sea and sky</option>' in html


def test_content_says_where_it_stands(admin_client: Client) -> None:
    video = make_video()
    for number in range(12):
        make_page(video, video, title=f"Page {number}")
    html = admin_client.get(f"/admin/pages/video/{video.pk}/change/").content.decode()
    assert re.findall(r">(Page \d+)</a>", html) == [f"Page {n}" for n in range(11, 1, -1)]
    assert "12" in admin_client.get("/admin/pages/video/").content.decode()


@pytest.mark.postgres  # whose plans are looked at
def test_search_uses_an_index(admin_client: Client) -> None:
    make_pages(1000, contents_each=5)  # many enough of each for an index to pay
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    for address in (
        "/admin/pages/page/",
        "/admin/pages/content/",
        "/admin/pages/video/",
        "/admin/pages/audio/",
        "/admin/pages/text/",
        "/admin/pages/content/search/",
        "/api/v1/pages/",
    ):
        asked = SEARCH | {"term": "sea and s"} if address.endswith("search/") else {}
        asked |= {"search": "sea and s"} if address.startswith("/api/") else {"q": "sea and s"}
        plans = plans_of_search(admin_client, address, asked)
        assert plans, address
        for plan in plans:
            assert re.search(r"Index Scan (using|on) pages_\w+_title_start", plan), plan
            assert not re.search(r"Seq Scan on pages_(page|content)\b", plan), plan


def plans_of_search(client: Client, address: str, asked: dict[str, str]) -> list[str]:
    """Return PostgreSQL's plan of each query by title for a response."""
    with CaptureQueriesContext(connection) as queries:
        assert client.get(address, asked).status_code == 200
    searches = [
        query["sql"] for query in queries.captured_queries if "SEA AND" in query["sql"].upper()
    ]
    return [explain(sql) for sql in searches]


def explain(sql: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN " + sql.replace("%", "%%"), [])
        return "\n".join(line for (line,) in cursor.fetchall())


def listed(client: Client, model: str, **asked: Any) -> list[str]:
    response = client.get(f"/admin/pages/{model}/", asked)
    assert response.status_code == 200
    return [thing.title for thing in response.context["cl"].result_list]
