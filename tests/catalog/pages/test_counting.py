"""Which requests count views, and of which targets."""

import pytest
from django.test import Client

from catalog.pages.models import Content
from footfall.flush import flush_all
from tests.support.pages import (
    make_audio,
    make_contents,
    make_page,
    make_text,
    make_video,
    remove_all_pages,
)

pytestmark = pytest.mark.django_db


def test_read_is_one_view_of_the_page_and_of_every_content(client: Client) -> None:
    page = make_page(make_video(), make_audio(), make_text())
    make_page(make_text())
    for _ in range(3):
        assert client.get(f"/api/v1/pages/{page.pk}/").status_code == 200
    flush_all()

    contents = client.get(f"/api/v1/pages/{page.pk}/").json()["contents"]

    assert [content["counter"] for content in contents] == [3, 3, 3]
    assert counters() == [3, 3, 3, 0]
    page.refresh_from_db()
    assert page.counter == 3


def test_content_that_stands_twice_gains_one(client: Client) -> None:
    a, b = make_contents(2)
    page = make_page(a, b, a)
    client.get(f"/api/v1/pages/{page.pk}/")
    flush_all()
    assert counters() == [1, 1]


def test_content_on_two_pages_gains_from_both(client: Client) -> None:
    a, b, c = make_contents(3)
    for page in (make_page(a, b), make_page(b, c)):
        client.get(f"/api/v1/pages/{page.pk}/")
    flush_all()
    assert counters() == [1, 2, 1]


def test_page_without_contents_is_viewed_too(client: Client) -> None:
    page = make_page()
    client.get(f"/api/v1/pages/{page.pk}/")
    flush_all()
    page.refresh_from_db()
    assert page.counter == 1


def test_other_requests_count_nothing(client: Client) -> None:
    page = make_page(*make_contents(3))
    address = f"/api/v1/pages/{page.pk}/"

    assert client.head(address).status_code == 200
    assert client.options(address).status_code == 200
    assert client.post(address).status_code == 405
    assert client.get(address, headers={"accept": "text/csv"}).status_code == 406
    assert client.get(f"/api/v1/pages/{page.pk + 1}/").status_code == 404
    assert client.get("/api/v1/pages/").status_code == 200

    assert flush_all() == 0
    assert counters() == [0, 0, 0]


def test_head_answers_like_get(client: Client) -> None:
    page = make_page(*make_contents(3))
    head, get = (ask(f"/api/v1/pages/{page.pk}/") for ask in (client.head, client.get))
    assert head.content == b""
    assert head.headers["Content-Length"] == get.headers["Content-Length"]
    assert head.headers["Cache-Control"] == "no-store"


def counters() -> list[int]:
    return list(
        Content.objects.order_by("pk").exclude(placements=None).values_list("counter", flat=True)
    )


@pytest.fixture(autouse=True)
def no_pages(db: None) -> None:
    remove_all_pages()
