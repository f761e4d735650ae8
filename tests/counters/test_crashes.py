"""Real processes that die at every step of the way of a view, and what is left behind."""

import signal
import subprocess
import sys

import pytest

from catalog.pages.models import Content, Page
from counters.audit import broken_positions, differences
from counters.flush import flush_all
from counters.models import Batch
from counters.record import record
from eventlog.failpoints import ENVIRONMENT
from tests.counters.test_spill import Counts
from tests.failpoints import FLUSH, RECORD

pytestmark = pytest.mark.django_db(transaction=True)

READ = """
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


@pytest.mark.parametrize("failpoint", RECORD)
def test_a_writer_that_is_killed_is_counted_at_most_once(
    failpoint: str,
    page: Page,
    contents: list[Content],
    counts: Counts,
    environment: dict[str, str],
) -> None:
    store, times = RECORD[failpoint]
    if store == "spill":
        environment["REDIS_URL"] = "redis://127.0.0.1:1"

    died = die(environment, failpoint, "-c", READ, str(page.pk))

    assert died.returncode == -signal.SIGKILL
    record(page, contents)
    flush_all()
    assert counts() == [times + 1] * 3
    assert not list(differences())
