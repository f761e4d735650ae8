"""One run: a service under load, the scheduled faults, and the outcome."""

import math
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import psutil
import psycopg2
import redis

from loadtest.common.client import Load, Run, meanwhile
from loadtest.common.service import Service as Asked
from loadtest.common.service import Unusable
from loadtest.common.verdict import Verdict, check
from loadtest.common.waiting import wait_until
from tests.faults.fault_plan import POSTGRES, REDIS, Planned
from tests.faults.injection import INJECTORS, Injector, injected
from tests.faults.intervals import Interval
from tests.faults.service import Service

HOT = 0.3  # share of the reads that read the first page
DRAWN = 100_000  # pages in the list that is read in turn
RECOVERY_SECONDS = 60.0  # that a part may take to work again
COUNTED = 120.0  # seconds until everything must be counted

Say = Callable[[str], None]


@dataclass
class Happened:
    """A fault that was injected; times are of the monotonic clock."""

    planned: Planned
    began: float
    ended: float = 0.0
    """When it was undone, or for a kill when it was done."""
    recovered: float = 0.0
    error: str = ""
    """Why it could not be injected or undone, or why the part did not recover in time."""


@dataclass
class Outcome:
    """The results of a run."""

    span: Interval
    happened: list[Happened]
    run: Run
    verdict: Verdict[str]
    audit: str
    """The output of the audit; begins with "clean" if all is well."""
    by_log: int
    by_spill: int
    stored: list[float]
    """When events were stored, by the monotonic clock."""
    dropped: dict[str, int] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    """Further figures, by name."""

    @property
    def is_exact(self) -> bool:
        return self.verdict.lost == self.verdict.doubled == 0

    @property
    def failures(self) -> list[str]:
        """Return the failures other than wrong counts."""
        wrong = [f"{one.planned.name}: {one.error}" for one in self.happened if one.error]
        return wrong if self.audit.startswith("clean") else [*wrong, self.audit]

    def away(self, store: str) -> list[Interval]:
        return [
            (one.began, one.recovered) for one in self.happened if one.planned.kind.store == store
        ]


class Campaign:
    """Injects faults into one service. `carry_out` may be called once."""

    injectors: Mapping[str, Injector] = INJECTORS

    def __init__(self, service: Service, planned: Sequence[Planned], say: Say) -> None:
        self._service = service
        self._planned = planned
        self._say = say
        self._happened: list[Happened] = []
        self._ended = threading.Event()
        self._stored: list[float] = []

    def carry_out(self, seconds: float, *, clients: int, pause: float, seed: int) -> Outcome:
        """Load the service, inject the faults, wait until it has recovered, and check the counters.

        clients: connections. pause: seconds on average between two requests of one of them.
        """
        service = self._service
        before, targets = service.counters(), service.targets()
        last, dropped = service.last_segment(), service.dropped()
        began = time.monotonic()
        load = Load(
            ("127.0.0.1", service.port), drawn(sorted(targets), seed), math.inf,
            connections=clients, rate=clients / pause,
        )  # fmt: skip
        watching = threading.Thread(target=self._watch_store)
        watching.start()
        with meanwhile(load):
            try:
                self._inject(began, seconds)
            finally:
                self._ended.set()
        watching.join()
        span = (began, time.monotonic())
        service.wake_all()
        self._wait_counted()
        after = service.counters()
        gained = {name: views - before.get(name, 0) for name, views in after.items()}
        verdict = check(gained, load.outcome.ledger, targets, self.gone())
        audit = service.manage("counters", "audit")
        segments = service.segments_after(last)
        return self._outcome(
            span, load.outcome, verdict, (audit.stdout + audit.stderr).strip(), segments,
            service.dropped() - dropped,
        )  # fmt: skip

    def gone(self) -> Mapping[str, int] | None:
        """Return the views that are known to be lost: none, with a single Redis."""
        return None

    def notes(self, verdict: Verdict[str]) -> dict[str, str]:
        """Return further figures, by name."""
        return {}

    def _outcome(
        self, span: Interval, run: Run, verdict: Verdict[str], audit: str,
        segments: Sequence[tuple[int, int]], dropped: Counter[str],
    ) -> Outcome:  # fmt: skip
        by_spill = sum(drained for _, drained in segments) - dropped["counted_from_log"]
        return Outcome(
            span, sorted(self._happened, key=lambda one: one.began), run, verdict,
            audit, by_log=sum(events for events, _ in segments) - by_spill, by_spill=by_spill,
            stored=self._stored, dropped=dropped,
            notes=self.notes(verdict),
        )  # fmt: skip

    def _watch_store(self) -> None:
        """Note when segments are added. What they say of themselves ends with their compaction."""
        last = 0
        while not self._ended.wait(0.2):
            with suppress(psycopg2.Error):
                number = self._service.last_segment()
                if number > last:
                    self._stored.append(time.monotonic())
                    last = number

    def _inject(self, began: float, seconds: float) -> None:
        threads = []
        try:
            for planned in self._planned:
                self._sleep_until(began + planned.at)
                thread = threading.Thread(target=self._inject_one, args=(planned, began))
                thread.start()
                threads.append(thread)
            self._sleep_until(began + seconds)
        finally:
            self._ended.set()  # faults that still last are undone now
            for thread in threads:
                thread.join()

    def _sleep_until(self, moment: float) -> None:
        self._ended.wait(max(0.0, moment - time.monotonic()))

    def _inject_one(self, planned: Planned, began: float) -> None:
        happened = Happened(planned, began=time.monotonic())
        self._happened.append(happened)
        try:
            with injected(self._service, planned, self.injectors[planned.name]):
                if planned.lasting:
                    self._ended.wait(planned.lasting)
            happened.ended = time.monotonic()
            wait_until(lambda: self._is_whole(planned.kind.part), RECOVERY_SECONDS)
        except (OSError, psutil.Error, redis.RedisError, RuntimeError) as error:
            happened.error = f"{type(error).__name__}: {error}"
            happened.ended = happened.ended or time.monotonic()
        happened.recovered = time.monotonic()
        self._say(self._line(happened, began))

    def _line(self, happened: Happened, began: float) -> str:
        at = happened.began - began
        lasted = happened.ended - happened.began
        recovery = happened.recovered - happened.ended
        line = f"{at:7.1f} s  {happened.planned.name:<38} {lasted:4.1f} s"
        return f"{line}, recovered in {recovery:4.1f} s  {happened.error}".rstrip()

    def _is_whole(self, part: str) -> bool:
        service = self._service
        if part == "network":
            return True
        if part == REDIS:
            with suppress(redis.RedisError), service.redis.client() as client:
                return bool(client.set("faults:probe", "1", ex=60))
            return False
        if part == POSTGRES:
            return service.database_answers()
        if part == "web":
            return len(service.children("web")) >= 2
        if part in ("broker", "command", "projections"):
            return True
        return service.process(part) is not None

    def _wait_counted(self) -> None:
        """Wait until everything in the log and in the spill is counted."""
        page = min(self._service.targets())
        content = int(self._content(page))
        asked = Asked(f"127.0.0.1:{self._service.port}")
        quiet = 0

        def is_counted() -> bool:
            nonlocal quiet
            with suppress(Unusable):
                quiet = quiet + 1 if asked.pending(content) == 0 else 0
            time.sleep(0.3)
            return quiet > 3

        wait_until(is_counted, COUNTED)

    def _content(self, page: int) -> str:
        names: Sequence[str] = self._service.targets()[page]
        return next(name for name in names if name.startswith("content")).removeprefix("content ")


def drawn(pages: Sequence[int], seed: int) -> list[int]:
    """Return pages to read in turn: one of them often, the others equally often."""
    dice = random.Random(seed)
    return [pages[0] if dice.random() < HOT else dice.choice(pages) for _ in range(DRAWN)]
