"""For the tests of a project that counts.

Under Django's test runner and pytest-django views go to a log in memory: without Redis, without a
query, and never to the log of a development. A test that wants to see a counter flushes first:

    self.client.get(article.get_absolute_url())
    flush()
    article.refresh_from_db()
    self.assertEqual(article.counter, 1)

What a test has recorded is gone when its transaction is rolled back. In a TestCase, a view that is
recorded inside `atomic()` needs `captureOnCommitCallbacks(execute=True)`, as all that waits for a
commit.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from asgiref.sync import sync_to_async

from footfall.conf import conf
from footfall.events import viewed
from footfall.flush import flush_all
from footfall.log import get_log, memory_log
from footfall.models import Partition

__all__ = ["aflush", "arecorded", "clear", "counting", "flush", "recorded"]


def flush() -> int:
    """Count all views that were recorded; return how many events these were."""
    return flush_all()


async def aflush() -> int:
    """As `flush`, for asynchronous tests."""
    return await sync_to_async(flush)()


@contextmanager
def counting() -> Iterator[None]:
    """Count at the end of the block what was recorded in it."""
    yield
    flush()


def recorded() -> list[dict[str, list[int] | list[str]]]:
    """Return the views that were recorded and not counted yet: keys by the label of their model."""
    positions = {one.number: one.log_position for one in Partition.objects.all()}
    entries = [
        entry
        for number in range(conf.COUNTERS_PARTITIONS)
        for entry in get_log().read(number, positions.get(number), 1_000_000, 2**40).entries
    ]
    return [viewed(one.body) for one in sorted(entries, key=lambda one: one.at)]


async def arecorded() -> list[dict[str, list[int] | list[str]]]:
    """As `recorded`, for asynchronous tests."""
    return await sync_to_async(recorded)()


def clear() -> None:
    """Forget what was recorded and not counted; after a test of a TestCase it is forgotten."""
    memory_log.clear()
