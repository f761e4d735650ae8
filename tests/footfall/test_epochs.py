"""Clocks that jump by weeks before a prune, or after it: every view is counted exactly once.

A clock is that of a web server, Redis, the database or a worker. What removes producer states goes
by epochs, and an entry is too old only if its producer and two clocks say so.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime, timedelta

import pytest
import redis

from catalog.pages.models import Content, Page
from footfall.flush import flush_all
from footfall.log import forget_owner, get_log
from footfall.models import Audit, DeadLetter, Identity, Partition, ProducerState
from footfall.ops import retention
from footfall.ops.audit.run import run_audit
from footfall.record import record
from tests.support.clocks import database_clock, worker_clock
from tests.support.views import Counts

pytestmark = pytest.mark.django_db
WEEK = 7 * 24


def lose_the_positions(server: redis.Redis, prefix: str) -> None:
    """As if the log had lost its last entries: everything that is left is read again."""
    Partition.objects.update(position="", producer_id=None, sequence=None, offset=0)


def test_a_flush_whose_clock_is_behind_writes_states_that_stay(
    page: Page, contents: list[Content], counts: Counts, server: redis.Redis, prefix: str
) -> None:
    record(page, contents)
    with worker_clock(days=-30):
        flush_all()

    retention.prune()
    lose_the_positions(server, prefix)
    flush_all()

    assert counts() == [1, 1, 1]


def test_a_flush_with_the_clock_of_its_database_behind_writes_states_that_stay(
    page: Page, contents: list[Content], counts: Counts, server: redis.Redis, prefix: str
) -> None:
    record(page, contents)
    with database_clock(days=-30):
        flush_all()

    retention.prune()
    server.delete(*server.scan_iter(f"{prefix}:*:ordinal"))
    lose_the_positions(server, prefix)
    flush_all()

    assert counts() == [1, 1, 1]
    assert not DeadLetter.objects.exists()


@pytest.mark.parametrize("clock", [worker_clock, database_clock])
def test_a_prune_whose_clock_is_ahead_makes_nothing_too_old(
    clock: Callable[..., AbstractContextManager[None]],
    page: Page,
    contents: list[Content],
    counts: Counts,
) -> None:
    ProducerState.objects.create(
        producer_id=1, partition=0, sequence=0, epoch=0, updated_at=datetime.now().astimezone()
    )
    Partition.objects.create(number=0)
    Identity.objects.update(epoch=2 * WEEK)
    forget_owner()

    with clock(days=60):
        retention.prune()
    for _ in range(3):
        record(page, contents)
        get_log().close()  # the next has another producer
    flush_all()

    assert not ProducerState.objects.filter(producer_id=1).exists()
    assert counts() == [3, 3, 3]
    assert not DeadLetter.objects.exists()
    assert not list(run_audit(Audit()))


def test_a_machine_that_is_set_back_after_a_prune_makes_nothing_too_old(
    page: Page, contents: list[Content], counts: Counts
) -> None:
    """Web, Redis and database agree on a time that is before the states that are kept."""
    month = timedelta(days=30)
    Identity.objects.update(epoch=5 * WEEK)
    forget_owner()
    for number in (0, 1):
        since = datetime.now().astimezone() + month
        Partition.objects.create(number=number, states_since=since, states_epoch=4 * WEEK)

    with database_clock(hours=1):
        for _ in range(3):
            record(page, contents)
            get_log().close()
        flush_all()

    assert counts() == [3, 3, 3]
    assert not DeadLetter.objects.exists()


def test_a_state_outlives_its_entries_in_the_log_by_their_days_too(
    page: Page, contents: list[Content], counts: Counts
) -> None:
    """The log holds an entry of weeks ago, and the database's clock is back to before it."""
    record(page, contents)
    flush_all()
    Identity.objects.update(epoch=5 * WEEK)

    with database_clock(days=-60):
        retention.prune()

    assert ProducerState.objects.exists()


def test_of_two_weeks_of_states_the_older_one_goes() -> None:
    now = datetime.now().astimezone()
    Identity.objects.update(epoch=2 * WEEK)
    for epoch in (WEEK - 1, WEEK + 1):
        ProducerState.objects.create(
            producer_id=epoch, partition=0, sequence=1, epoch=epoch, updated_at=now
        )
    Partition.objects.create(number=0)

    retention.prune()

    assert ProducerState.objects.get().epoch == WEEK + 1
    partition = Partition.objects.get()
    assert partition.states_epoch == WEEK
    assert partition.states_since
    assert abs(partition.states_since - now + timedelta(days=7)) < timedelta(hours=1)
