"""Real processes that die at every step of the way of a view, and what is left behind."""

import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from catalog.pages.models import Content, Page
from counters.audit import broken_positions, differences
from counters.flush import flush, flush_all
from counters.models import Batch
from counters.record import record
from eventlog.failpoints import ENVIRONMENT
from tests.counters.test_spill import Counts

pytestmark = pytest.mark.django_db(transaction=True)

# Where the flush can die, and whether its batch was committed by then.
FLUSH = {
    "after_read": False,
    "after_apply": False,
    "before_commit": False,
    "after_commit": True,
    "after_publish": True,
    "after_trim": True,
}
RECORD = """
import django, sys
django.setup()
from catalog.pages.models import Page
from counters.record import record
page = Page.objects.get(pk=sys.argv[1])
record(page, [place.content for place in page.places.all()])
"""


def die(
    environment: dict[str, str], failpoint: str, *command: str
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, *command],
        env={**environment, ENVIRONMENT: failpoint, "PYTHONPATH": "."},
        check=False,
        timeout=60,
        text=True,
    )


@pytest.mark.parametrize(("failpoint", "committed"), FLUSH.items())
def test_a_flush_that_is_killed_counts_once(
    failpoint: str,
    committed: bool,
    page: Page,
    contents: list[Content],
    counts: Counts,
    environment: dict[str, str],
) -> None:
    for _ in range(10):
        record(page, contents)

    died = die(environment, failpoint, "manage.py", "counters", "flush")

    assert died.returncode == -signal.SIGKILL
    assert counts() == [10 * committed] * 3
    record(page, contents)
    flush_all()
    assert counts() == [11, 11, 11]
    assert not list(differences())
    assert not list(broken_positions())
    assert Batch.objects.count() == 1 + committed


def test_a_writer_that_is_killed_after_its_append_is_counted_at_most_once(
    page: Page, contents: list[Content], counts: Counts, environment: dict[str, str]
) -> None:
    died = die(environment, "after_append", "-c", RECORD, str(page.pk))

    assert died.returncode == -signal.SIGKILL
    flush()
    assert counts() == [1, 1, 1]


def test_every_failpoint_is_tested() -> None:
    sources = [path.read_text() for room in ("counters", "eventlog") for path in walk(room)]
    named = {name for text in sources for name in re.findall(r'failpoint\("(\w+)"\)', text)}

    assert named == {*FLUSH, "after_append"}


walk: Callable[[str], list[Path]] = lambda room: sorted(Path(room).rglob("*.py"))  # noqa: E731
