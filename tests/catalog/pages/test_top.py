"""GET /api/v1/contents/top/."""

import time
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from catalog.pages.models import Content
from footfall.flush import flush, project
from footfall.models import Ranking
from footfall.projections.ranking import rank_due
from footfall.registry import content_type_of
from tests.support.agents import BROWSER, LIBRARY, seen
from tests.support.pages import make_audio, make_page, make_text, make_video
from tests.support.projections import view

pytestmark = pytest.mark.django_db


@pytest.fixture
def viewed(client: Client) -> list[Content]:
    """Three contents, viewed three times, twice and once."""
    contents = [make_video("First"), make_audio("Second"), make_text("Third")]
    for i in range(3):
        page = make_page(*contents[: 3 - i])
        client.get(f"/api/v1/pages/{page.pk}/")
    flush()
    rank_due()
    return contents


def get(client: Client, query: str = "") -> Any:
    answer = client.get(f"/api/v1/contents/top/{query}")
    assert answer.status_code == 200, answer.content
    return answer.json()


def test_the_most_viewed_come_first(client: Client, viewed: list[Content]) -> None:
    found = get(client)

    assert found["window"] == "24h"
    assert found["as_of"]
    assert found["results"][0] == {
        "id": viewed[0].pk,
        "type": "video",
        "title": "First",
        "counter": 3,
        "views": 3,
        "people": 0,
        "robots": 0,
        "visitors": 0,
        "views_before": 0,
        "trend": None,
    }
    assert [one["type"] for one in found["results"]] == ["video", "audio", "text"]
    assert [one["views"] for one in found["results"]] == [3, 2, 1]


@pytest.mark.parametrize("window", ["24h", "7d", "all"])
def test_every_window_can_be_asked_for(client: Client, viewed: list[Content], window: str) -> None:
    found = get(client, f"?window={window}&limit=2")

    assert found["window"] == window
    assert [one["views"] for one in found["results"]] == [3, 2]


def test_what_was_deleted_since_is_left_out(client: Client, viewed: list[Content]) -> None:
    viewed[1].delete()

    assert [one["title"] for one in get(client)["results"]] == ["First", "Third"]


def test_before_anything_was_computed_there_is_nothing(client: Client) -> None:
    assert get(client) == {"window": "24h", "as_of": None, "results": []}


def test_it_takes_two_queries(
    client: Client, viewed: list[Content], django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    get(client)
    with django_assert_num_queries(2):
        get(client, "?limit=100")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("window=1h", "window"),
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=x", "limit"),
        (f"limit={'9' * 30}", "limit"),
    ],
)
def test_what_cannot_be_asked_is_400(client: Client, query: str, field: str) -> None:
    answer = client.get(f"/api/v1/contents/top/?{query}")

    assert answer.status_code == 400
    assert list(answer.json()) == [field]


@pytest.mark.parametrize("window", ["24h", "all"])
def test_people_and_robots(client: Client, window: str) -> None:
    content = make_text("First")
    now = int(time.time() * 1000)
    view({"pages.content": [content.pk]}, 3, at=now, agent=seen(BROWSER))
    view({"pages.content": [content.pk]}, 2, at=now, agent=seen(LIBRARY))
    view({"pages.content": [content.pk]}, at=now)
    project(force=True)
    rank_due()

    (found,) = get(client, f"?window={window}")["results"]

    assert (found["views"], found["people"], found["robots"]) == (6, 3, 2)


def test_a_ranking_of_an_older_version_has_no_people(client: Client) -> None:
    content = make_text("First")
    ranked = [{"id": content.pk, "views": 3, "before": 0, "series": []}]
    Ranking.objects.create(
        content_type=content_type_of(Content),
        window="24h",
        computed_at=timezone.now(),
        ranked=ranked,
    )

    (found,) = get(client)["results"]

    assert (found["views"], found["people"], found["robots"]) == (3, None, None)
