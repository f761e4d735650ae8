"""Visitors in the API: different people by day, in series, top lists and the export."""

import csv
import time
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from catalog.pages.models import Text
from footfall.flush import project
from footfall.projections.ranking import rank_due
from tests.support.pages import make_text
from tests.support.people import client_of, make_user
from tests.support.visits import DAY, NEW, ROBOT, TODAY, know_agents, people, visit

pytestmark = pytest.mark.django_db
DAYS = {"interval": "day", "since": "2025-11-21", "until": "2025-11-24"}


@pytest.fixture
def content(db: None) -> Text:
    """Viewed by three people on a day, and by two of them on the next."""
    know_agents()
    content = make_text()
    targets = {"pages.content": [content.pk]}
    visit(targets, [*people(3), people(1)[0]])
    visit(targets, people(9, seed=2), agent=ROBOT)
    visit(targets, people(2), at=TODAY + DAY, agent=NEW)
    project(force=True)
    return content


def views(client: Client, content: Text, **query: str) -> dict[str, Any]:
    answer = client.get(f"/api/v1/contents/{content.pk}/views/", query)
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


def test_a_daily_series_has_visitors(client: Client, content: Text) -> None:
    found = views(client, content, **DAYS)

    assert [point["visitors"] for point in found["series"]] == [3, 2, 0]
    assert [point["people"] for point in found["series"]] == [4, 2, 0]
    assert found["visitors"] == 5
    assert found["visitors_as_of"] is not None


def test_with_a_longer_salt_a_range_has_different_people(
    client: Client, content: Text, settings: Settings
) -> None:
    settings.COUNTERS_VISITOR_DAYS = 30

    found = views(client, content, **DAYS)

    assert [point["visitors"] for point in found["series"]] == [3, 2, 0]
    assert found["visitors"] == 3


def test_a_part_of_a_day_has_the_visitors_of_the_day(client: Client, content: Text) -> None:
    query = {"interval": "day", "since": "2025-11-21T15:00", "until": "2025-11-22T00:00"}

    assert views(client, content, **query)["visitors"] == 3


def test_hours_have_no_visitors(client: Client, content: Text) -> None:
    found = views(client, content, since="2025-11-21", until="2025-11-22")

    assert "visitors" not in found["series"][0]
    assert not {"visitors", "visitors_as_of"} & found.keys()


def test_visitors_may_be_less_fresh_than_views(client: Client, content: Text) -> None:
    visit({"pages.content": [content.pk]}, people(1, seed=7), at=int(time.time() * 1000) - 60_000)
    project(force=True, kinds=["totals", "hourly"])

    found = views(client, content, **DAYS)

    assert found["visitors_as_of"] < found["series_as_of"]


@pytest.mark.parametrize(("window", "visitors"), [("24h", 3), ("7d", 5), ("all", 10)])
def test_top_lists_have_visitors(client: Client, content: Text, window: str, visitors: int) -> None:
    """Of the days that began in the window."""
    now = int(time.time() * 1000)
    for days, number in ((0, 3), (1, 2)):
        visit({"pages.content": [content.pk]}, people(number, seed=5), at=now - days * DAY)
    project(force=True)
    rank_due()

    (found,) = client.get(f"/api/v1/contents/top/?window={window}").json()["results"]

    assert found["visitors"] == visitors
    assert found["visitors"] <= found["people"]


def test_the_export_has_visitors(content: Text) -> None:
    staff = client_of(make_user(is_staff=True, is_superuser=True))

    answer = staff.get("/api/v1/contents/export/", {"since": "2025-11-21", "until": "2025-11-24"})

    rows = [*csv.DictReader(answer.getvalue().decode().splitlines())]
    assert [(row["day"], row["people"], row["visitors"]) for row in rows] == [
        ("2025-11-21", "4", "3"),
        ("2025-11-22", "2", "2"),
    ]
