"""POST /api/v1/views/: views that were seen elsewhere, each counted once."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings

from catalog.pages.models import Page
from catalog.pages.reported_views import MAX_VIEWS, Rejection
from footfall.flush import flush_all
from footfall.models import ClientKey, Rollup, Spilled
from footfall.ops import retention
from tests.support.pages import make_contents, make_page, make_text

pytestmark = pytest.mark.django_db

ADDRESS = "/api/v1/views/"


@pytest.fixture
def page() -> Page:
    return make_page(*make_contents(3))


def view(page: Page, /, **fields: Any) -> dict[str, Any]:
    return {"page": page.pk, "id": str(uuid4()), **fields}


def report(client: Client, *views: Any, as_type: str = "application/json") -> Any:
    return client.post(ADDRESS, json.dumps({"views": views}), content_type=as_type)


def accepted(client: Client, *views: Any, as_type: str = "application/json") -> int:
    """Report the views, none of which may be rejected; return how many were accepted."""
    answer = report(client, *views, as_type=as_type)
    assert answer.status_code == 202, answer.content
    assert answer.json()["rejected"] == []
    return int(answer.json()["accepted"])


def counted(page: Page) -> set[int]:
    """Return the counters of a page and its contents, once everything is counted."""
    flush_all()
    contents = page.placements.values_list("content__counter", flat=True)
    return {Page.objects.get(pk=page.pk).counter, *contents}


def test_it_counts_as_a_read_does(client: Client, page: Page) -> None:
    assert accepted(client, view(page), view(page)) == 2
    client.get(f"/api/v1/pages/{page.pk}/")
    assert accepted(client, view(page)) == 1

    assert counted(page) == {4}


@pytest.mark.parametrize("is_cached", [True, False])
def test_what_is_sent_again_counts_once(client: Client, page: Page, is_cached: bool) -> None:
    if is_cached:
        client.get(f"/api/v1/pages/{page.pk}/")
    one, two = view(page), view(page)

    assert accepted(client, one, two, one) == 3
    flush_all()
    assert accepted(client, two) == 1
    assert accepted(client, {**one, "id": one["id"].upper().replace("-", "")}) == 1

    assert counted(page) == {2 + is_cached}


def test_an_id_is_one_of_its_page(client: Client, page: Page) -> None:
    other = make_page(make_text())
    one = view(page)

    assert accepted(client, one, {**one, "page": other.pk}) == 2

    assert (counted(page), counted(other)) == ({1}, {1})


def test_a_beacon_is_plain_text(client: Client, page: Page) -> None:
    assert accepted(client, view(page), as_type="text/plain;charset=UTF-8") == 1

    assert counted(page) == {1}


def test_a_view_is_counted_in_the_hour_in_which_it_was_seen(client: Client, page: Page) -> None:
    seen = datetime.now(UTC) - timedelta(hours=23, minutes=59)

    accepted(client, view(page, at=seen.isoformat()))

    assert counted(page) == {1}
    hour = seen.replace(minute=0, second=0, microsecond=0)
    assert set(Rollup.objects.values_list("hour", flat=True)) == {hour}


def test_a_clock_that_is_a_little_ahead_is_forgiven(client: Client, page: Page) -> None:
    before = datetime.now(UTC)

    accepted(client, view(page, at=(before + timedelta(seconds=50)).isoformat()))

    assert counted(page) == {1}
    assert Rollup.objects.filter(hour__gt=before + timedelta(seconds=10)).count() == 0


def ago(**time: int) -> str:
    return (datetime.now(UTC) - timedelta(**time)).isoformat()


WRONG: dict[str, Callable[[Page], Any]] = {
    "invalid": lambda page: [page.pk],
    "invalid_page": lambda page: view(page, page="x"),
    "invalid_id": lambda page: view(page, id="no-uuid"),
    "invalid_at": lambda page: view(page, at="yesterday"),
    "no_such_page": lambda page: view(page, page=987_654_321),
    "too_old": lambda page: view(page, at=ago(hours=24, seconds=1)),
    "in_the_future": lambda page: view(page, at=ago(minutes=-5)),
}


def test_each_rejection_is_tried_here() -> None:
    assert {*WRONG} == {*Rejection}


@pytest.mark.parametrize("reason", WRONG)
def test_a_wrong_view_is_rejected_and_the_others_count(
    reason: str, client: Client, page: Page
) -> None:
    answer = report(client, view(page), WRONG[reason](page), view(page))

    assert answer.status_code == 202
    assert answer.json() == {"accepted": 2, "rejected": [{"index": 1, "reason": reason}]}
    assert counted(page) == {2}


@pytest.mark.parametrize(
    "wrong",
    [
        {"page": True},
        {"page": None},
        {"page": -1},
        {"page": 2**63},
        {"id": 7},
        {"id": None},
        {"id": ""},
        {"at": 1e300},
        {"at": "9999-12-31T23:59:59-12:00"},
        {"at": None},
    ],
)
def test_values_that_are_none_are_rejected(
    wrong: dict[str, Any], client: Client, page: Page
) -> None:
    answer = report(client, view(page, **wrong))

    assert answer.json()["accepted"] == 0
    assert len(answer.json()["rejected"]) == 1
    assert counted(page) == {0}


def test_what_is_not_there_is_rejected_with_all_its_repeats(client: Client, page: Page) -> None:
    gone = view(page, page=987_654_321)

    answer = report(client, gone, view(page), gone, view(page, page=987_654_322))

    assert [one["index"] for one in answer.json()["rejected"]] == [0, 2, 3]
    assert counted(page) == {1}


def test_a_page_that_was_deleted_is_not_there(client: Client, page: Page) -> None:
    client.get(f"/api/v1/pages/{page.pk}/")
    one = view(page)
    page.delete()
    flush_all()  # tells Redis, as a commit does

    assert report(client, one).json()["rejected"] == [{"index": 0, "reason": "no_such_page"}]


@pytest.mark.parametrize(
    "body",
    [
        "",
        "[]",
        "{}",
        '{"views": []}',
        '{"views": 7}',
        '{"views": {"page": 1}}',
        "{",
        "\xff",
        '{"views": ' + "[" * 10_000,
    ],
)
@pytest.mark.parametrize("as_type", ["application/json", "text/plain"])
def test_what_is_no_report_is_refused(client: Client, body: str, as_type: str) -> None:
    answer = client.post(ADDRESS, body.encode("latin-1"), content_type=as_type)

    assert answer.status_code == 400
    assert answer.json()


def test_more_than_a_hundred_are_refused_as_a_whole(client: Client, page: Page) -> None:
    views = [view(page) for _ in range(MAX_VIEWS)]

    assert report(client, *views, view(page)).status_code == 400
    assert accepted(client, *views) == MAX_VIEWS
    assert counted(page) == {MAX_VIEWS}


def test_a_long_body_is_refused_before_it_is_read(client: Client, page: Page) -> None:
    answer = report(client, view(page, more="x" * 40_000))

    assert answer.status_code == 413
    assert counted(page) == {0}


@pytest.mark.parametrize("as_type", ["application/x-www-form-urlencoded", "text/html"])
def test_other_types_are_refused(client: Client, page: Page, as_type: str) -> None:
    assert report(client, view(page), as_type=as_type).status_code == 415


def test_a_client_is_throttled(client: Client, page: Page, limit: Callable[..., None]) -> None:
    limit(views="2/min")

    answers = [report(client, view(page)) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [202, 202, 429]
    assert answers[2].headers["Retry-After"]
    assert counted(page) == {2}


def test_pages_that_are_cached_need_no_database(
    client: Client, page: Page, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    accepted(client, view(page))  # and now it is

    with django_assert_num_queries(0):
        accepted(client, *(view(page) for _ in range(10)))

    assert counted(page) == {11}


def test_views_are_spilled_with_their_keys_while_redis_is_away(
    client: Client, page: Page, settings: Settings
) -> None:
    url = settings.COUNTERS_LOG_URL
    one = view(page)
    settings.COUNTERS_LOG_URL = "redis://127.0.0.1:1"
    assert accepted(client, one) == 1
    assert accepted(client, one) == 1
    assert Spilled.objects.count() == 2
    settings.COUNTERS_LOG_URL = url
    accepted(client, one)

    assert counted(page) == {1}


def test_an_id_is_known_for_a_week(client: Client, page: Page) -> None:
    one = view(page)
    accepted(client, one)
    flush_all()
    key = ClientKey.objects.get()
    ClientKey.objects.update(until=key.until - 7 * 24 + 1)  # as if 6 days and 23 hours had passed
    retention.prune()

    accepted(client, one)

    assert counted(page) == {1}
