"""`/`: a page for browsers, a redirect for API clients."""

import pytest
from django.test import Client

from catalog.pages.models import Page
from tests.support.pages import make_page, make_text

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def no_pages(db: None) -> None:
    """Remove the demonstration page."""
    Page.objects.all().delete()


@pytest.mark.parametrize(
    "accept", [None, "*/*", "application/json", "application/json, text/html;q=0.5"]
)
def test_an_api_client_is_sent_to_the_api(client: Client, accept: str | None) -> None:
    answer = client.get("/", headers={"Accept": accept} if accept else {})
    assert (answer.status_code, answer.headers["Location"]) == (302, "/api/v1/")
    assert "Accept" in answer.headers["Vary"]


def test_a_browser_sees_the_first_page_that_has_contents(client: Client) -> None:
    make_page(title="Empty")
    page = make_page(make_text(title="One of <two>"), make_text(), title="The <first>")
    answer = client.get("/", headers=BROWSER).content.decode()
    assert f'data-page="/api/v1/pages/{page.pk}/"' in answer
    assert "The &lt;first&gt;" in answer
    assert "One of &lt;two&gt;" in answer
    for address in ("/api/v1/", "/api/v1/docs/", "/admin/", "/upload/", "/files/", "/readyz"):
        assert f'href="{address}"' in answer


def test_there_may_be_no_page_yet(client: Client) -> None:
    answer = client.get("/", headers=BROWSER)
    assert answer.status_code == 200
    assert "/admin/pages/page/add/" in answer.content.decode()


def test_it_speaks_russian(client: Client) -> None:
    answer = client.get("/", headers=BROWSER | {"Accept-Language": "ru"}).content.decode()
    assert '<html lang="ru">' in answer
    assert "Every view counts" not in answer
