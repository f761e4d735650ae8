"""GET /api/v1/contents/export/."""

import csv
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from catalog.pages import export
from catalog.pages.models import Content
from footfall.flush import project
from footfall.models import Rollup
from tests.support.agents import BROWSER, LIBRARY, seen
from tests.support.pages import make_text, make_video
from tests.support.people import client_of, make_user
from tests.support.projections import view
from tests.support.views import AT, HOUR

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("any_delay")]

ADDRESS = "/api/v1/contents/export/"
DAYS = {"since": "2025-11-21", "until": "2025-11-23"}


@pytest.fixture
def exported() -> Callable[..., list[list[str]]]:
    client = client_of(make_user(is_staff=True, is_superuser=True))

    def get(**query: str) -> list[list[str]]:
        answer: Any = client.get(ADDRESS, query or DAYS)
        assert answer.status_code == 200
        assert answer["Content-Type"] == "text/csv; charset=utf-8"
        text = b"".join(answer.streaming_content).decode()
        return list(csv.reader(text.splitlines(keepends=True)))

    return get


def test_views_by_content_and_day(exported: Callable[..., list[list[str]]]) -> None:
    video, text = make_video("A video, with a comma"), make_text("A text")
    view({"pages.content": [video.pk, text.pk]}, 2, agent=seen(BROWSER))
    view({"pages.content": [text.pk]}, 3, at=AT + 5 * HOUR, agent=seen(LIBRARY))
    view({"pages.content": [text.pk]}, at=AT + 25 * HOUR)
    view({"pages.content": [text.pk]}, at=AT + 48 * HOUR)
    project(force=True)

    header, *rows = exported()

    assert ",".join(header) == "id,type,title,day,views,people,robots,visitors"
    assert rows == [
        [str(video.pk), "video", "A video, with a comma", "2025-11-21", "2", "2", "0", "0"],
        [str(text.pk), "text", "A text", "2025-11-21", "5", "2", "3", "0"],
        [str(text.pk), "text", "A text", "2025-11-22", "1", "0", "0", "0"],
    ]
    assert len(exported(since="2025-11-22", until="2025-11-24")) == 3


@pytest.mark.parametrize("title", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", " =1+1", "\r=1"])
def test_no_title_is_a_formula(exported: Callable[..., list[list[str]]], title: str) -> None:
    content = make_text("Text")
    Content.objects.filter(pk=content.pk).update(title=title)
    view({"pages.content": [content.pk]})
    project(force=True)

    assert exported()[1][2] == f"'{title}"


def test_titles_are_quoted(exported: Callable[..., list[list[str]]]) -> None:
    content = make_text('He said "no", and\nleft')
    view({"pages.content": [content.pk]})
    project(force=True)

    assert exported()[1][2] == 'He said "no", and\nleft'


def test_it_is_read_a_few_contents_at_a_time(
    monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    monkeypatch.setattr(export, "CONTENTS_PER_QUERY", 2)
    ids = [make_text(f"{n}").pk for n in range(5)]
    view({"pages.content": ids})
    project(force=True)
    first = datetime.fromtimestamp(AT / 1000, UTC)
    lines = export.lines(first, first + timedelta(days=1))
    next(lines)

    with django_assert_num_queries(3):  # two contents, their visitors and their days
        next(lines), next(lines)
    assert len(list(lines)) == 3


@pytest.mark.parametrize("query", [{"since": "x"}, {"since": "2025-11-22", "until": "2025-11-21"}])
def test_a_wrong_range_is_an_error(query: dict[str, str]) -> None:
    answer = client_of(make_user(is_staff=True, is_superuser=True)).get(ADDRESS, query)

    assert answer.status_code == 400
    assert "since" in answer.json()


def test_whatever_a_client_accepts(client: Client) -> None:
    staff = client_of(make_user(is_staff=True, is_superuser=True))

    assert staff.get(ADDRESS, headers={"Accept": "text/csv"}).status_code == 200
    refused = client.get(ADDRESS, headers={"Accept": "text/csv"})
    assert (refused.status_code, refused["Content-Type"]) == (401, "application/json")
    assert not Rollup.objects.exists()
