"""Real processes that are killed at every step of a view, and what they leave behind."""

import signal
import time
from datetime import timedelta
from unittest import mock
from urllib.parse import quote

import psutil
import pytest
from django.db import connection
from django.test import RequestFactory

from catalog.pages.models import Content, Page
from footfall.common.failpoints import ENVIRONMENT
from footfall.events.keys import Life, make_key
from footfall.flush import flush, flush_all
from footfall.models import Audit, Correction, HourTotal, Kind, Segment
from footfall.ops.audit.invariants import broken_store
from footfall.ops.audit.run import broken_positions, differences, run_audit
from footfall.policies import DAY, OncePerVisitor, People
from footfall.record import record
from footfall.registry import counter_field
from footfall.store.compact import compact
from loadtest.common.waiting import wait_until
from tests.support import processes
from tests.support.agents import BROWSER, HIDDEN, by_kind, decide
from tests.support.failpoints import COMPACT, INGEST, PROJECT, RECLASSIFY, RECORD
from tests.support.processes import manage
from tests.support.views import Counts

pytestmark = pytest.mark.django_db(transaction=True)


def keyed(number: int) -> bytes:
    return make_key(Life.WEEK, number)


def read_page(pk: int) -> None:
    page = Page.objects.get(pk=pk)
    record(page, [place.content for place in page.placements.all()])


@pytest.mark.parametrize(
    "steps",
    [
        [(failpoint, stored, False) for failpoint, stored in INGEST.items()],
        [(failpoint, True, counted) for failpoint, counted in PROJECT.items()],
    ],
    ids=["ingest", "project"],
)
def test_a_flush_that_is_killed_counts_once(
    steps: list[tuple[str, bool, bool | None]],
    page: Page,
    contents: list[Content],
    counts: Counts,
    environment: dict[str, str],
) -> None:
    """At each step one that begins where another has ended."""
    segments = 0
    for step, (failpoint, stored, counted) in enumerate(steps):
        for number in range(2):
            record(page, contents)
            for _ in range(2):
                record(page, contents, key=keyed(9 * step + number))

        died = processes.run({**environment, ENVIRONMENT: failpoint}, manage, "counters", "flush")

        assert died.returncode == -signal.SIGKILL
        possible = {True, False} if counted is None else {counted}
        assert counts() in [[5 * step + 4 * one] * 3 for one in possible], failpoint
        assert not list(differences())
        for number in range(3):
            record(page, contents, key=keyed(9 * step + number))
        flush_all()
        assert counts() == [5 * step + 5] * 3, failpoint
        assert not list(differences())
        segments += 1 + stored
        assert Segment.objects.count() == segments, failpoint
    assert not list(broken_positions())


def compact_all() -> None:
    with mock.patch("footfall.store.compact.MIN_AGE", timedelta()):
        compact()


@pytest.mark.parametrize("failpoint", COMPACT)
def test_a_compaction_that_is_killed_keeps_every_event(
    failpoint: str,
    page: Page,
    contents: list[Content],
    counts: Counts,
    environment: dict[str, str],
) -> None:
    for _ in range(5):
        record(page, contents)
        flush_all()

    died = processes.run({**environment, ENVIRONMENT: failpoint}, compact_all)

    assert died.returncode == -signal.SIGKILL
    compact_all()
    assert [segment.events for segment in Segment.objects.all()] == [5]
    record(page, contents)
    flush_all()
    assert counts() == [6, 6, 6]
    assert not list(broken_store())


def test_a_reclassification_that_is_killed_is_done_once(
    page: Page, contents: list[Content], environment: dict[str, str], rf: RequestFactory
) -> None:
    """Dies at each failpoint in turn, each time one step further."""
    for _ in range(3):
        record(page, contents, request=rf.get("/", headers={"User-Agent": HIDDEN}))
    flush_all()
    assert by_kind() == {"views": 12, "person": 12}
    decide(HIDDEN, Kind.ROBOT)

    for failpoint in RECLASSIFY:
        died = processes.run(
            {**environment, ENVIRONMENT: failpoint}, manage, "counters", "reclassify"
        )
        assert died.returncode == -signal.SIGKILL
        record(page, contents)
        flush_all()

    assert processes.run(environment, manage, "counters", "reclassify").returncode == 0
    views = 12 + 4 * len(RECLASSIFY)
    assert by_kind() == by_kind(HourTotal) == {"views": views, "robot": 12}
    assert Correction.objects.count() == 4  # views and visitors, of pages and of contents
    assert list(run_audit(Audit())) == []


def reclassify_people() -> None:
    count_people()
    manage("counters", "reclassify")


def count_people() -> None:
    counter_field(Content).policy = People()


def test_counters_of_people_follow_a_reclassification_that_is_killed(
    page: Page,
    contents: list[Content],
    counts: Counts,
    environment: dict[str, str],
    rf: RequestFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(counter_field(Content), "policy", People())
    for agent in (BROWSER, HIDDEN, HIDDEN):
        record(page, contents, request=rf.get("/", headers={"User-Agent": agent}))
    flush_all()
    assert counts() == [3, 3, 3]
    decide(HIDDEN, Kind.ROBOT)

    for failpoint in (
        "before_reclassify_begin", "after_reclassify_end", "after_policy_commit",
        "after_rebuild_end",
    ):  # fmt: skip
        died = processes.run({**environment, ENVIRONMENT: failpoint}, reclassify_people)
        assert died.returncode == -signal.SIGKILL
        record(page, contents, request=rf.get("/", headers={"User-Agent": BROWSER}))
        flush_all()

    assert processes.run(environment, reclassify_people).returncode == 0
    assert counts() == [5, 5, 5]
    assert list(run_audit(Audit())) == []


def flush_once_a_day() -> None:
    counter_field(Content).policy = OncePerVisitor(DAY)
    manage("counters", "flush")


@pytest.mark.parametrize("failpoint", ["totals_after_apply", "totals_after_commit"])
def test_a_visitor_counts_once_whatever_is_killed(
    failpoint: str,
    page: Page,
    contents: list[Content],
    counts: Counts,
    environment: dict[str, str],
    rf: RequestFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(counter_field(Content), "policy", OncePerVisitor(DAY))
    at = time.time_ns() // 1_000_000 - 3_600_000
    for address in ("10.0.0.1", "10.0.9.9", "10.0.0.1"):
        record(page, contents, request=rf.get("/", REMOTE_ADDR=address), at=at)

    died = processes.run({**environment, ENVIRONMENT: failpoint}, flush_once_a_day)

    assert died.returncode == -signal.SIGKILL
    record(page, contents, request=rf.get("/", REMOTE_ADDR="10.0.9.9"), at=at)
    flush_all()
    assert counts() == [2, 2, 2]
    assert list(run_audit(Audit())) == []


@pytest.mark.parametrize("failpoint", RECORD)
def test_a_producer_that_is_killed_is_counted_at_most_once(
    failpoint: str,
    page: Page,
    contents: list[Content],
    counts: Counts,
    environment: dict[str, str],
) -> None:
    store, times = RECORD[failpoint]
    if store == "spill":
        environment["REDIS_URL"] = "redis://127.0.0.1:1"

    died = processes.run({**environment, ENVIRONMENT: failpoint}, read_page, page.pk)

    assert died.returncode == -signal.SIGKILL
    record(page, contents)
    flush_all()
    assert counts() == [times + 1] * 3
    assert not list(differences())


def database_url(options: str) -> str:
    """Return the address of the test's database, with options for the server."""
    found = {name: quote(str(value), safe="") for name, value in connection.settings_dict.items()}
    server = f"{found['USER']}:{found['PASSWORD']}@{found['HOST']}:{found['PORT']}"
    return f"postgres://{server.rstrip(':')}/{found['NAME']}?options={quote(options)}"


@pytest.mark.postgres  # MariaDB lets go of it after 30 s, and nothing makes that sooner here
def test_a_flush_that_is_stopped_does_not_hold_its_claim_for_ever(
    page: Page, contents: list[Content], counts: Counts, environment: dict[str, str]
) -> None:
    """PostgreSQL lets go of it: after 30 seconds, here sooner. The rest is an ordinary flush."""
    record(page, contents)
    environment.pop("POSTGRES_HOST", None)
    environment["DATABASE_URL"] = database_url("-c idle_in_transaction_session_timeout=500ms")
    stopping = {**environment, ENVIRONMENT: "before_ingest_commit:STOP"}
    stopped = processes.start(stopping, manage, "counters", "flush")
    try:
        wait_until(lambda: psutil.Process(stopped.pid).status() == psutil.STATUS_STOPPED, 60)
        wait_until(lambda: flush().segments, 30)
        assert counts() == [1, 1, 1]
    finally:
        psutil.Process(stopped.pid).resume()
        stopped.join(60)

    assert stopped.exitcode
    assert counts() == [1, 1, 1]
    assert not list(differences())
