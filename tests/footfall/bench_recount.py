"""What counting 10,000,000 views again costs: `pytest -s tests/footfall/bench_recount.py`.

Not a test: pytest does not collect it by itself. Audit and rebuild are processes of their own.
"""

import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.db import connection, transaction

from footfall.flush import project
from footfall.models import AgentRule, Kind, Segment
from footfall.projections.rows import open_projections
from footfall.store.append import append
from tests.support.projections import view
from tests.support.traffic import ON_EACH, PAGES, Traffic, build, make_agents

pytestmark = pytest.mark.django_db(transaction=True)

EVENTS = int(os.environ.get("FOOTFALL_BENCH_EVENTS", "10000000"))
EACH = 25_000
FILL = """
    INSERT INTO pages_content (title, counter, created_at, updated_at)
        SELECT 'Content ' || n, 0, now(), now() FROM generate_series(1, %(contents)s) n;
    INSERT INTO pages_page (title, counter, created_at, updated_at)
        SELECT 'Page ' || n, 0, now(), now() FROM generate_series(1, %(pages)s) n
"""


def say(text: str) -> None:
    print(text)  # noqa: T201


def ingest() -> None:
    """Store the events, of some 28 hours, and project them."""
    make_agents()
    traffic = Traffic(per_second=100, zipf=True, with_meta=True)
    start = datetime.now(UTC) - timedelta(hours=1)
    for number in range(EVENTS // EACH):
        events = build(traffic.columns(EACH))
        with transaction.atomic():
            before, _segments = append(events, start + timedelta(milliseconds=number))
            open_projections(events.labels(), before)
        if number % 20 == 19:
            while project(force=True).more:
                pass
    while project(force=True).more:
        pass


@contextmanager
def views_coming() -> Iterator[None]:
    """Store 1,000 views a second, and project them."""
    over = threading.Event()

    def run() -> None:
        while not over.wait(0.5):
            view({"pages.page": [1], "pages.content": list(range(1, ON_EACH + 1))}, times=500)
            project()
        connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    yield
    over.set()
    thread.join()


def run(environment: dict[str, str], *options: str) -> None:
    began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    process = subprocess.Popen(
        [sys.executable, "manage.py", "counters", *options],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    most = 0
    while process.poll() is None:  # ru_maxrss would be that of this process, which has forked it
        with suppress(FileNotFoundError, IndexError):
            status = Path(f"/proc/{process.pid}/status").read_text()
            most = max(most, int(status.partition("VmHWM:")[2].split()[0]))
        time.sleep(0.1)
    with process.stdout:
        out = process.stdout.read()
    took = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
    say(f"{' '.join(options)}: {time.monotonic() - began:.0f} s, {most / 1024:.0f} MB,"
        f" {took:.0f} s of its processor; {out.strip()[:300]}")  # fmt: skip


def test_counting_again(environment: dict[str, str]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(FILL, {"contents": PAGES * ON_EACH, "pages": PAGES})
    began = time.monotonic()
    ingest()
    say(f"\n{EVENTS:,} events in {Segment.objects.count():,} segments,"
        f" stored and projected in {time.monotonic() - began:.0f} s")  # fmt: skip
    run(environment, "audit", "--quick")
    run(environment, "audit")
    with views_coming():
        run(environment, "audit")
        run(environment, "rebuild", "totals:pages.content")
        run(environment, "rebuild", "hourly:pages.content")
        AgentRule.objects.create(match="pattern", value="Agent *", kind=Kind.ROBOT)
        run(environment, "reclassify")  # nearly every view moves
    run(environment, "audit")
