"""GET /api/v1/contents/{id}/views/."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from catalog.pages.models import Content, Text
from footfall import events
from footfall.flush import flush, ingest, project
from footfall.log import get_log
from footfall.models import Carried
from footfall.registry import content_type_of
from tests.support.agents import BROWSER, LIBRARY, ROBOT, seen
from tests.support.pages import make_page, make_text
from tests.support.projections import view

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("any_delay")]

NOON = datetime(2025, 11, 20, 12, tzinfo=UTC)


def at(time: datetime) -> int:
    return int(time.timestamp() * 1000)


@pytest.fixture
def content() -> Text:
    """A content that was viewed twice at noon, once two hours later, and once the day after."""
    content = make_text()
    for hours in (0, 0, 2, 24):
        body = events.encode({"pages.content": [content.pk]})
        get_log().append(0, body, at(NOON + timedelta(hours=hours)))
    flush()
    return content


def is_noon(time: str) -> bool:
    return abs(datetime.fromisoformat(time) - NOON) < timedelta(seconds=5)


def get(client: Client, content: Content, **query: str) -> Any:
    answer = client.get(f"/api/v1/contents/{content.pk}/views/", query)
    assert answer.status_code == 200, answer.content
    return answer.json()


def test_views_by_hour(client: Client, content: Text) -> None:
    found = get(client, content, since="2025-11-20T12:00Z", until="2025-11-20T15:00Z")

    assert found["total"] == 4
    assert found["series"] == [
        {"at": "2025-11-20T12:00:00Z", "views": 2, "people": 0, "robots": 0},
        {"at": "2025-11-20T13:00:00Z", "views": 0, "people": 0, "robots": 0},
        {"at": "2025-11-20T14:00:00Z", "views": 1, "people": 0, "robots": 0},
    ]


def test_views_by_day_of_utc(client: Client, content: Text, settings: Settings) -> None:
    settings.TIME_ZONE = "Asia/Tokyo"

    found = get(client, content, interval="day", since="2025-11-20", until="2025-11-22")

    assert found["series"] == [
        {"at": "2025-11-20T00:00:00Z", "views": 3, "people": 0, "robots": 0, "visitors": 0},
        {"at": "2025-11-21T00:00:00Z", "views": 1, "people": 0, "robots": 0, "visitors": 0},
    ]


def test_without_parameters_it_is_the_last_24_hours(client: Client) -> None:
    content = make_text()
    client.get(f"/api/v1/pages/{make_page(content).pk}/")
    flush()

    found = get(client, content)

    assert [point["views"] for point in found["series"]] == [0] * 23 + [1]
    assert len(get(client, content, interval="day")["series"]) == 30


def test_it_says_how_fresh_it_is(client: Client) -> None:
    content = make_text()
    page = make_page(content)
    before = timezone.now()
    for _ in range(3):
        client.get(f"/api/v1/pages/{page.pk}/")

    waiting = get(client, content)
    flush()
    counted = get(client, content)

    assert (waiting["total"], waiting["pending"]) == (0, 3)
    as_of = datetime.fromisoformat(waiting["as_of"])
    assert before - timedelta(seconds=1) <= as_of <= timezone.now()  # by Redis' clock
    assert (counted["total"], counted["pending"]) == (3, 0)
    assert counted["as_of"] > waiting["as_of"]


def test_what_is_stored_and_not_counted_is_pending(client: Client) -> None:
    content = make_text()
    flush()
    get_log().append(0, events.encode({"pages.content": [content.pk]}), at(NOON))
    ingest()

    stored = get(client, content)
    project()
    counted = get(client, content)

    assert (stored["total"], stored["pending"]) == (0, 1)
    assert is_noon(stored["as_of"])
    assert is_noon(stored["series_as_of"])
    assert (counted["total"], counted["pending"]) == (1, 0)


def test_the_series_may_be_behind_the_counter(client: Client, content: Text) -> None:
    get_log().append(0, events.encode({"pages.content": [content.pk]}), at(NOON))
    ingest()
    project()  # the views by the hour are not due yet

    found = get(client, content, since="2025-11-20T12:00Z", until="2025-11-20T13:00Z")

    assert (found["total"], found["pending"]) == (5, 0)
    assert found["series"][0]["views"] == 2
    assert is_noon(found["series_as_of"])
    assert found["as_of"] > found["series_as_of"]


def test_views_that_wait_for_a_locked_row_are_pending(client: Client, content: Text) -> None:
    kind = content_type_of(Content)
    Carried.objects.create(content_type=kind, target_id=content.pk, views=3, since=at(NOON))

    found = get(client, content)

    assert (found["total"], found["pending"]) == (4, 3)
    assert is_noon(found["as_of"])
    assert found["series_as_of"] > found["as_of"]


def test_reading_them_is_no_view(client: Client, content: Text) -> None:
    get(client, content)
    flush()

    assert get(client, content)["total"] == 4


def test_without_redis_pending_is_unknown(
    client: Client, content: Text, settings: Settings
) -> None:
    settings.COUNTERS_LOG_URL = "redis://127.0.0.1:1"

    found = get(client, content)

    assert (found["total"], found["pending"], found["as_of"]) == (4, None, None)
    assert found["series_as_of"] is None


@pytest.mark.parametrize("pk", ["0", "999999999", str(2**63), "9" * 30, "9" * 5000, "x", "-1"])
def test_what_does_not_exist_is_404(client: Client, pk: str) -> None:
    answer = client.get(f"/api/v1/contents/{pk}/views/")

    assert answer.status_code == 404
    assert "detail" in answer.json()


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"interval": "week"}, "interval"),
        ({"since": "yesterday"}, "since"),
        ({"until": "2025-13-01"}, "until"),
        ({"since": "0001-01-01T00:00+14:00"}, "since"),
        ({"until": "9999-12-31T23:59-14:00"}, "until"),
        ({"since": "2999-01-01"}, "since"),
        ({"since": "2025-11-20", "until": "2025-11-20"}, "since"),
        ({"since": "2025-11-21", "until": "2025-11-20"}, "since"),
        ({"since": "2024-01-01", "until": "2025-01-01"}, "since"),
        ({"interval": "day", "since": "2001-01-02", "until": "2025-01-01"}, "since"),
        ({"since": "2025-11-20\0"}, "since"),
    ],
)
def test_what_cannot_be_asked_is_400(
    client: Client, content: Text, query: dict[str, str], field: str
) -> None:
    answer = client.get(f"/api/v1/contents/{content.pk}/views/", query)

    assert answer.status_code == 400
    assert list(answer.json()) == [field]


def test_it_is_only_read(client: Client, content: Text) -> None:
    assert client.post(f"/api/v1/contents/{content.pk}/views/").status_code == 405


def test_views_by_kind_of_agent(client: Client) -> None:
    content = make_text()
    for string in (BROWSER, BROWSER, ROBOT, LIBRARY, ""):
        view({"pages.content": [content.pk]}, agent=seen(string))
    project(force=True)
    day = {"interval": "day", "since": "2025-11-21", "until": "2025-11-22"}

    assert get(client, content, **day)["series"] == [
        {"at": "2025-11-21T00:00:00Z", "views": 5, "people": 2, "robots": 2, "visitors": 0}
    ]
    (point,) = get(client, content, by="agent", **day)["series"]
    assert point["agents"] == {
        "person": 2, "robot": 1, "prefetch": 0, "monitor": 0, "library": 1, "unknown": 1
    }  # fmt: skip
    assert client.get(f"/api/v1/contents/{content.pk}/views/?by=colour").status_code == 400


@pytest.mark.parametrize("interval", ["hour", "day"])
def test_the_series_is_read_with_one_query(client: Client, content: Text, interval: str) -> None:
    with CaptureQueriesContext(connection) as queries:
        get(client, content, interval=interval, by="agent", since="2025-11-20", until="2025-11-22")

    assert sum("counters_rollup" in query["sql"] for query in queries) == 1
