"""A log that comes back from a backup, older than the producer states that are kept."""

import pytest
import redis
from django.db.models import F

from catalog.pages.models import Content, Page
from footfall.events import DeadLetterReason
from footfall.flush import flush_all
from footfall.ingest.spill import replay
from footfall.log import get_log
from footfall.models import Audit, DeadLetter, Identity, Partition, ProducerState
from footfall.ops import retention
from footfall.ops.audit.run import run_audit
from footfall.record import record
from tests.support.clocks import database_clock
from tests.support.views import Counts

pytestmark = pytest.mark.django_db


def prune_days_later(days: int) -> None:
    Identity.objects.update(epoch=F("epoch") + days * 24)
    with database_clock(days=days):
        retention.prune()


def test_views_of_an_old_log_are_not_counted_twice(
    page: Page, contents: list[Content], counts: Counts, server: redis.Redis, prefix: str
) -> None:
    for _ in range(2):
        record(page, contents)
    flush_all()
    (stream,) = server.scan_iter(f"{prefix}:*:log")
    backup = server.dump(stream) or b""
    server.delete(stream)
    get_log().close()
    record(page, contents)
    flush_all()
    server.delete(stream)
    prune_days_later(9)
    assert not ProducerState.objects.exists()

    for _ in range(2):
        server.restore(stream, 0, backup, replace=True)
        Partition.objects.update(position="1-0")  # where neither of the logs has anything
        flush_all()

    assert counts() == [3, 3, 3]
    reasons = DeadLetter.objects.values_list("reason", flat=True)
    assert list(reasons) == [DeadLetterReason.TOO_OLD] * 2
    assert not list(run_audit(Audit()))
    replay(DeadLetter.objects.all())
    flush_all()
    assert counts() == [5, 5, 5]
    server.restore(stream, 0, backup, replace=True)
    Partition.objects.update(position="1-0")
    flush_all()
    assert counts() == [5, 5, 5]
    assert not DeadLetter.waiting().exists()


def test_views_that_wait_for_longer_than_states_are_kept_are_counted(
    page: Page, contents: list[Content], counts: Counts
) -> None:
    record(page, contents)
    flush_all()
    get_log().close()
    record(page, contents)

    prune_days_later(9)
    flush_all()

    assert counts() == [2, 2, 2]
