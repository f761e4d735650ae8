"""GET /api/v1/pages/{id}/: what it shows."""

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from catalog.pages.models import Content, PageContent
from tests.support.pages import make_audio, make_contents, make_page, make_text, make_video

pytestmark = pytest.mark.django_db


def test_page_shows_its_contents_with_the_fields_of_their_types(client: Client) -> None:
    video, audio, text = make_video("Film"), make_audio("Song"), make_text("Poem")
    page = make_page(video, audio, text, title="All three")

    response = client.get(f"/api/v1/pages/{page.pk}/")

    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "no-store"
    assert response.json() == {
        "id": page.pk,
        "title": "All three",
        "url": f"http://testserver/api/v1/pages/{page.pk}/",
        "contents": [
            {
                "id": video.pk,
                "type": "video",
                "title": "Film",
                "counter": 0,
                "video_url": video.video_url,
                "subtitles_url": video.subtitles_url,
            },
            {"id": audio.pk, "type": "audio", "title": "Song", "counter": 0, "bitrate": 128_000},
            {"id": text.pk, "type": "text", "title": "Poem", "counter": 0, "text": text.text},
        ],
    }
    assert list(response.json()) == ["id", "title", "url", "contents"]


def test_page_without_contents(client: Client) -> None:
    page = make_page()
    assert client.get(f"/api/v1/pages/{page.pk}/").json()["contents"] == []


def test_contents_come_by_position_and_then_as_they_were_placed(client: Client) -> None:
    a, b, c, d = make_contents(4)
    page = make_page()
    for content, position in ((a, 5), (b, 1), (c, 5), (d, 0)):
        PageContent.objects.create(page=page, content=content, position=position)
    assert shown(client, page.pk) == [d.pk, b.pk, a.pk, c.pk]


def test_content_may_stand_on_two_pages_in_different_places(client: Client) -> None:
    a, b, c = make_contents(3)
    first, second = make_page(a, b, c), make_page(c, a)
    assert shown(client, first.pk) == [a.pk, b.pk, c.pk]
    assert shown(client, second.pk) == [c.pk, a.pk]


def test_content_may_stand_on_a_page_twice(client: Client) -> None:
    a, b = make_contents(2)
    page = make_page(a, b, a)
    assert shown(client, page.pk) == [a.pk, b.pk, a.pk]


def test_content_whose_type_is_gone_shows_what_all_contents_show(client: Client) -> None:
    page = make_page(Content.objects.create(title="An orphan"))
    (content,) = client.get(f"/api/v1/pages/{page.pk}/").json()["contents"]
    assert content == {
        "id": content["id"],
        "type": "content",
        "title": "An orphan",
        "counter": 0,
    }


@pytest.mark.parametrize("number", [1, 15, 300])
def test_two_queries_whatever_the_number_of_contents(
    client: Client, django_assert_num_queries: DjangoAssertNumQueries, number: int
) -> None:
    page = make_page(*make_contents(number))
    with django_assert_num_queries(2):
        response = client.get(f"/api/v1/pages/{page.pk}/")
    assert len(response.json()["contents"]) == number


def test_reader_who_is_signed_in_costs_no_query_more(
    admin_client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    page = make_page(*make_contents(3))
    with django_assert_num_queries(2):
        admin_client.get(f"/api/v1/pages/{page.pk}/")


def test_url_has_the_host_that_was_asked(client: Client) -> None:
    page = make_page()
    for host in ("localhost", "127.0.0.1:8000"):
        response = client.get(f"/api/v1/pages/{page.pk}/", headers={"host": host})
        assert response.json()["url"] == f"http://{host}/api/v1/pages/{page.pk}/"


@pytest.mark.parametrize("pk", ["0", str(2**63), "9" * 30])
def test_page_that_does_not_exist_is_404(client: Client, pk: str) -> None:
    response = client.get(f"/api/v1/pages/{pk}/")
    assert response.status_code == 404
    assert response.json() == {"detail": f"There is no page {pk}."}


@pytest.mark.parametrize("pk", ["-1", "one", "1.5", "9" * 5000])
def test_what_is_no_id_is_404(client: Client, pk: str) -> None:
    assert client.get(f"/api/v1/pages/{pk}/").status_code == 404


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_page_is_only_read(client: Client, method: str) -> None:
    page = make_page()
    response = getattr(client, method)(reverse("page-detail", args=(page.pk,)))
    assert response.status_code == 405
    assert "detail" in response.json()


def shown(client: Client, pk: int) -> list[int]:
    return [content["id"] for content in client.get(f"/api/v1/pages/{pk}/").json()["contents"]]
