"""Attempts to read a page without being counted, or to be counted without reading."""

from collections.abc import Callable

import pytest
from django.test import Client

from catalog.pages.models import Content, Page
from footfall.flush import flush_all
from tests.support.pages import make_contents, make_page, remove_all_pages

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_log")]

COUNTED = {
    "a conditional request": {"If-None-Match": "*"},
    "another one": {"If-Modified-Since": "Fri, 01 Jan 2100 00:00:00 GMT"},
    "a part": {"Range": "bytes=0-0"},
    "a part, twice": {"Range": "bytes=0-0,2-3"},
    "prefetching": {"Purpose": "prefetch", "Sec-Purpose": "prefetch;prerender"},
    "another method in a header": {"X-HTTP-Method-Override": "HEAD"},
    "a cache's question": {"Cache-Control": "only-if-cached, max-stale", "Pragma": "no-cache"},
    "another address": {"X-Original-URL": "/healthz", "X-Rewrite-URL": "/healthz"},
    "expectations": {"Expect": "100-continue", "Upgrade": "websocket"},
}  # fmt: skip


@pytest.fixture
def page(db: None) -> Page:
    remove_all_pages()
    return make_page(*make_contents(2))


@pytest.fixture(params=["not prepared", "prepared"])
def gained(request: pytest.FixtureRequest, client: Client, page: Page) -> Callable[[], set[int]]:
    """Return what every content has gained since then."""
    seen = 0
    if request.param == "prepared":
        seen = 2
        for _ in range(seen):
            client.get(address_of(page))

    def gained() -> set[int]:
        flush_all()
        contents = Content.objects.filter(placements__page=page)
        return {counter - seen for counter in contents.values_list("counter", flat=True)}

    return gained


def address_of(page: Page) -> str:
    return f"/api/v1/pages/{page.pk}/"


@pytest.mark.parametrize("headers", COUNTED.values(), ids=COUNTED)
def test_every_client_that_gets_the_page_is_counted_once(
    client: Client, page: Page, gained: Callable[[], set[int]], headers: dict[str, str]
) -> None:
    answer = client.get(address_of(page), headers=headers)
    assert answer.status_code == 200
    assert len(answer.json()["contents"]) == 2
    assert answer.headers["Cache-Control"] == "no-store"
    assert not {"ETag", "Last-Modified", "Accept-Ranges"} & set(answer.headers)
    assert gained() == {1}


@pytest.mark.parametrize("query", ["?format=json", "?a=1", "?_method=HEAD", "?id=1&id=2"])
def test_nothing_behind_the_question_mark_hides_a_view(
    client: Client, page: Page, gained: Callable[[], set[int]], query: str
) -> None:
    assert client.get(address_of(page) + query).status_code == 200
    assert gained() == {1}


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE"])
def test_no_other_method_counts(
    client: Client, page: Page, gained: Callable[[], set[int]], method: str
) -> None:
    headers = {"X-HTTP-Method-Override": "GET"}
    answer = client.generic(method, address_of(page), headers=headers)
    if method not in ("HEAD", "OPTIONS"):
        assert answer.status_code in (403, 405)
    assert b"contents" not in answer.content or method == "OPTIONS"
    assert gained() == {0}


@pytest.mark.parametrize(
    "end",
    ["0/", "9" * 30 + "/", "-1/", "1e3/", "1.0/", "%31%00/", "٣/", "?format=xml"],
)
def test_what_is_no_page_counts_nothing(
    client: Client, page: Page, gained: Callable[[], set[int]], end: str
) -> None:
    start = address_of(page) if end.startswith("?") else "/api/v1/pages/"
    assert client.get(start + end).status_code == 404
    assert gained() == {0}
