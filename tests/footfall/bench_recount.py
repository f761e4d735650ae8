"""What counting 10,000,000 views again costs: `pytest -s tests/footfall/bench_recount.py`.

Not a test: pytest does not collect it by itself. Audit and rebuild are processes of their own.
"""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction

from footfall.flush import project
from footfall.models import Segment
from footfall.projections.rows import open_projections
from footfall.store.append import append
from tests.support.projections import view
from tests.support.traffic import ON_EACH, PAGES, Traffic, build

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
    """Store the events, of some ten days, and project them."""
    traffic = Traffic(per_second=12, zipf=True)
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
    began = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "manage.py", "counters", *options],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    with process.stdout:
        out = process.stdout.read()
    usage = os.wait4(process.pid, 0)[2]
    say(f"{' '.join(options)}: {time.monotonic() - began:.0f} s,"
        f" {usage.ru_maxrss / 1024:.0f} MB, {usage.ru_utime:.0f} s of the processor;"
        f" {out.strip()[:300]}")  # fmt: skip


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
