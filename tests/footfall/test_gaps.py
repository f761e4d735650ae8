"""How many events a log has lost, and where it is shown."""

import pytest
import redis
from django.core.management import call_command
from django.db import transaction

from catalog.pages.models import Content, Page
from footfall.eventlog.entries import missing
from footfall.flush import flush, flush_all
from footfall.ops.status import status
from footfall.record import record
from tests.support.views import Counts


@pytest.mark.parametrize(
    ("before", "offsets", "lost"),
    [
        (3, [4, 5], 0),
        (3, [7, 8], 3),
        (3, [4, 8], 3),
        (0, [7, 8], 0),  # what came before is unknown
        (9, [4, 5, 6], 0),  # restored from a backup, and counted on from there
        (4, [3, 4, 5], 0),  # read again from the beginning
        (3, [0, 0], 0),  # not made by a producer
        (3, [], 0),
    ],
)
def test_what_is_not_there_is_missing(before: int, offsets: list[int], lost: int) -> None:
    assert missing(before, offsets) == lost


@pytest.mark.django_db
def test_a_database_older_than_the_log_reaches_back_tells_what_it_lost(
    page: Page,
    contents: list[Content],
    counts: Counts,
    server: redis.Redis,
    prefix: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Ten views after the backup; the log has trimmed four of them by the time it is restored."""
    record(page, contents)
    flush()
    backup = transaction.savepoint()
    for _ in range(10):
        record(page, contents)
    flush_all()
    (stream,) = server.scan_iter(f"{prefix}:*:log")
    server.xtrim(stream, maxlen=6, approximate=False)
    transaction.savepoint_rollback(backup)

    record(page, contents)
    flush_all()

    assert counts() == [1 + 6 + 1] * 3
    assert (status().missing, status().missed_at is not None) == (4, True)
    call_command("counters", "status")
    assert "lost inside a store: at least 4 events" in capsys.readouterr().out
