"""What an audit of 1,000,000 targets costs: `pytest -s tests/footfall/bench_audit.py`.

Not a test: pytest does not collect it by itself. The audit is a process of its own; meanwhile this
one records views and flushes them, and does the same for as long without an audit beside it.
"""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import median

import pytest
from django.db import connection
from django.db.models import F

from catalog.pages.models import Content, Page
from footfall.flush import flush_all, ingest, project
from footfall.ops.audit.run import differences
from footfall.record import record
from footfall.registry import content_type_of

pytestmark = pytest.mark.django_db(transaction=True)

TARGETS, HOURS, WRONG = 1_000_000, 6, 1_000

FILL = """
    INSERT INTO pages_content (title, counter, created_at, updated_at)
        SELECT 'Content ' || n, %(hours)s * (n %% 7 + 1), now(), now()
        FROM generate_series(1, %(targets)s) n;
    INSERT INTO counters_rollup (content_type_id, target_id, hour, views,
            person, robot, prefetch, monitor, library)
        SELECT %(kind)s, id, date_trunc('hour', now()) - h * interval '31 hours',
            counter / %(hours)s, 0, 0, 0, 0, 0
        FROM pages_content, generate_series(0, %(hours)s - 1) h WHERE counter > 0;
    INSERT INTO counters_hourtotal (content_type_id, hour, views,
            person, robot, prefetch, monitor, library)
        SELECT content_type_id, hour, sum(views), 0, 0, 0, 0, 0 FROM counters_rollup GROUP BY 1, 2;
"""


def say(text: str) -> None:
    print(text)  # noqa: T201


@dataclass
class Traffic:
    """Views and flushes, until it is told to stop."""

    page: Page
    contents: list[Content]
    views: int = 0
    flushes: list[float] = field(default_factory=list)
    """Seconds that each took."""

    @contextmanager
    def running(self) -> Iterator[None]:
        over = threading.Event()
        threads = [threading.Thread(target=run, args=[over]) for run in (self.read, self.count)]
        for thread in threads:
            thread.start()
        began = time.monotonic()
        yield
        took = time.monotonic() - began
        over.set()
        for thread in threads:
            thread.join()
        say(f"   {self.views:,} views of {len(self.contents)} contents counted meanwhile,"
            f" {self.views / took:,.0f}/s; {len(self.flushes)} flushes, median"
            f" {median(self.flushes) * 1000:.0f} ms, longest {max(self.flushes) * 1000:.0f} ms"
        )  # fmt: skip

    def read(self, over: threading.Event) -> None:
        while not over.wait(0.001):
            record(self.page, self.contents)
            self.views += 1
        connection.close()

    def count(self, over: threading.Event) -> None:
        while not over.wait(0.1):
            began = time.monotonic()
            ingest()
            project()  # rollups every 10 s, as in a worker
            self.flushes.append(time.monotonic() - began)
        connection.close()


def audit(environment: dict[str, str], *options: str) -> tuple[int, str]:
    """Run the audit, and say how long it took and how much memory it had."""
    began = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "manage.py", "counters", "audit", *options],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    with process.stdout:
        out = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    took, cpu = time.monotonic() - began, usage.ru_utime + usage.ru_stime
    say(f"   {took:.1f} s, of them {cpu:.1f} s on its own CPU; peak RSS"
        f" {usage.ru_maxrss / 1024:.0f} MiB; {len(out.splitlines()):,} lines")  # fmt: skip
    return process.returncode, out


def test_audit(page: Page, contents: list[Content], environment: dict[str, str]) -> None:
    kind = content_type_of(Content).pk
    with connection.cursor() as cursor:
        cursor.execute(FILL, {"targets": TARGETS, "hours": HOURS, "kind": kind})
        cursor.execute("VACUUM ANALYZE")
    say(f"\n{TARGETS:,} targets, {TARGETS * HOURS:,} rollups\nnothing beside it")
    assert audit(environment)[0] == 0
    say("beside views")
    with Traffic(page, contents).running():
        assert audit(environment)[0] == 0
    say("views alone, for 10 s")
    with Traffic(page, contents).running():
        time.sleep(10)
    every = Content.objects.annotate(rest=F("pk") % (TARGETS // WRONG))
    every.filter(rest=0).update(counter=1)
    say(f"{WRONG:,} wrong counters, --repair, beside views")
    with Traffic(page, contents).running():
        code, out = audit(environment, "--repair")
    assert (code, len(out.splitlines())) == (0, WRONG)
    flush_all()
    assert not list(differences())
