"""One run: a service under load, the scheduled faults, and the outcome."""

import math
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import psutil
import psycopg2
import redis

from loadtest.common.client import Load, Run, meanwhile
from loadtest.common.service import Service as Asked
from loadtest.common.service import Unusable
from loadtest.common.verdict import Verdict, check
from loadtest.common.waiting import wait_until
from tests.faults.fault_plan import CLOCK, POSTGRES, REDIS, Planned
from tests.faults.injection import INJECTORS, Injector, injected
from tests.faults.intervals import Interval
from tests.faults.machine.evicted import StoredId, evident, stored_ids, views
from tests.faults.machine.faults import detail
from tests.faults.service import Figures, Service
from tests.faults.viewers import Readers, Visitors

RECOVERY_SECONDS = 60.0  # that a part may take to work again
COUNTED = 120.0  # seconds until everything must be counted
PERSON_KIND = 1  # of agents, in the database
DAYS = 90  # before and after today: older ones have no sketches any more
MAX_WRONG = 20  # targets with wrong visitors that are told

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
    kinds: Verdict[str]
    """Of people, robots and the unknown of each target."""
    audit: str
    """The output of the audit; begins with "clean" if all is well."""
    by_log: int
    by_spill: int
    stored: list[float]
    """When events were stored, by the monotonic clock."""
    dropped: dict[str, int] = field(default_factory=dict)
    told: int = 0
    """Events that the service says were lost in a store."""
    dead_letters: int = 0
    untrue: list[str] = field(default_factory=list)
    """What the service says, or still does, that it should not."""
    notes: dict[str, str] = field(default_factory=dict)
    """Further figures, by name."""
    promotions: list[Interval] = field(default_factory=list)
    """When no server was in the place of one that was replaced."""

    @property
    def is_exact(self) -> bool:
        return all(one.lost == one.doubled == 0 for one in (self.verdict, self.kinds))

    @property
    def failures(self) -> list[str]:
        """Return the failures other than wrong counts."""
        wrong = [f"{one.planned.name}: {one.error}" for one in self.happened if one.error]
        wrong += self.untrue
        return wrong if self.audit.startswith("clean") else [*wrong, self.audit]

    def away(self, store: str) -> list[Interval]:
        return [
            (one.began, one.recovered) for one in self.happened if store in one.planned.kind.store
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
        """Set when no fault lasts any more."""
        self._over = threading.Event()
        """Set when every part has recovered, too."""
        self._stored: list[float] = []
        self._untrue: list[str] = []
        self._evicted: Mapping[StoredId, bytes] = {}
        self._evident = 0
        self._readers: Readers

    def carry_out(self, seconds: float, *, clients: int, pause: float, seed: int) -> Outcome:
        """Load the service, inject the faults, wait until it has recovered, and check the counters.

        clients: connections. pause: seconds on average between two requests of one of them.
        """
        service, targets = self._service, self._service.targets()
        before = service.figures()
        address = ("127.0.0.1", service.port)
        self._readers = readers = Readers(address, sorted(targets), seed)
        began = time.monotonic()
        load = Load(
            address, readers.drawn, math.inf, connections=clients, rate=clients / pause,
            requests=readers.requests,
        )  # fmt: skip
        watching = threading.Thread(target=self._watch_store)
        watching.start()
        with meanwhile(load):
            try:
                self._inject(began, seconds)
            finally:
                self._over.set()
        watching.join()
        span = (began, time.monotonic())
        service.wake_all()
        self._wait_counted()
        self._classify()
        after = service.figures()
        gained, kinds = gain(before.counters, after.counters), gain(before.kinds, after.kinds)
        ledger, gone = load.outcome.ledger, self.gone()
        verdict = check(gained, ledger, readers.targets(targets), gone)
        by_kind = readers.check_kinds(kinds, ledger, targets, service.agents(), gone)
        visitors = self._check_visitors()
        if wrong := untold(verdict, after.missing - before.missing, self._evident):
            self._untrue.append(wrong)
        self._check_ready()
        audit = service.manage("counters", "audit")
        said = (audit.stdout + audit.stderr).strip()
        return self._outcome(span, load.outcome, verdict, by_kind, visitors, said, before, after)

    def gone(self) -> Mapping[str, int] | None:
        """Return the views that are known to be lost: what Redis has evicted before it was stored.

        Called once, at the end.
        """
        evicted = self._service.evicted
        if evicted.events:
            printed = self._service.manage("counters", "events").stdout
            stored = stored_ids(printed.splitlines())
            self._evicted = evicted.lost(stored)
            self._evident = evident(self._evicted, stored)
        return views(self._evicted.values())

    def promotions(self) -> list[Interval]:
        """Return when no server was in the place of one that was replaced."""
        return []

    def notes(self, verdict: Verdict[str]) -> dict[str, str]:
        """Return further figures, by name."""
        if not self._service.evicted.events:
            return {}
        return {
            "evicted from the log, not stored": f"{len(self._evicted)} events",
            "  of their views answered, not counted": str(verdict.missing),
        }

    def _outcome(
        self, span: Interval, run: Run, verdict: Verdict[str], kinds: Verdict[str],
        visitors: Mapping[str, str], audit: str, before: Figures, after: Figures,
    ) -> Outcome:  # fmt: skip
        dropped = after.dropped - before.dropped
        segments = self._service.segments_after(before.last_segment)
        by_spill = sum(drained for _, drained in segments) - dropped["counted_from_log"]
        return Outcome(
            span, sorted(self._happened, key=lambda one: one.began), run, verdict, kinds,
            audit, by_log=sum(events for events, _ in segments) - by_spill, by_spill=by_spill,
            stored=self._stored, dropped=dropped,
            told=after.missing - before.missing,
            dead_letters=after.dead_letters - before.dead_letters,
            untrue=self._untrue, notes={**visitors, **self.notes(verdict)},
            promotions=self.promotions(),
        )  # fmt: skip

    def _classify(self) -> None:
        """Classify agents anew: the string of one may have come after its first event."""
        for words in (("counters", "flush"), ("counters", "reclassify")):
            done = self._service.manage(*words)
            if done.returncode:
                self._untrue.append(f"{' '.join(words)}: {done.stdout}{done.stderr}")

    def _check_visitors(self) -> Mapping[str, str]:
        """Hold the visitors of each target against the events in the store; return figures."""
        self._note_salts()
        agents = self._service.agents()
        people = {agent for agent, kind in agents.items() if kind == PERSON_KIND}
        visitors = Visitors()
        printed = self._service.manage("counters", "events").stdout
        visitors.add(printed.splitlines(), self._readers, people)
        today = datetime.now(UTC).date()
        days = {str(today + timedelta(days=n)) for n in range(-DAYS, DAYS)}
        self._untrue += visitors.wrong(self._service.visitors(), days)[:MAX_WRONG]
        of_run = visitors.of_run
        return {
            "people who read": str(len(self._readers.people)),
            "visitors of these": f"{len(visitors.seen)}, with {len(self._readers.salts)} salts",
            "views of people without a visitor": f"{of_run['without']} of {of_run.total()}",
        }

    def _note_salts(self) -> None:
        with suppress(psycopg2.Error):
            self._readers.salts |= self._service.salts()

    def _check_ready(self) -> None:
        """Note it if some part of the service is not there, or not up to date, long after all."""
        answer = 0, b""

        def is_ready() -> bool:
            nonlocal answer
            answer = self._service.copy.get("/readyz")
            time.sleep(0.3)
            return answer[0] == 200

        try:
            wait_until(is_ready, RECOVERY_SECONDS)
        except TimeoutError:
            self._untrue.append(f"/readyz still says {answer[0]} {answer[1][:500]!r}")

    def _watch_store(self) -> None:
        """Note when segments are added. What they say of themselves ends with their compaction."""
        last = 0
        while not self._over.wait(0.2):
            self._note_salts()
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
            self._wait_whole(planned.kind.parts)
            happened.recovered = time.monotonic()
            self._wait_stored(happened.ended)
        except (OSError, psutil.Error, redis.RedisError, RuntimeError) as error:
            happened.error = f"{type(error).__name__}: {error}"
            happened.ended = happened.ended or time.monotonic()
        happened.recovered = happened.recovered or time.monotonic()
        self._say(self._line(happened, began))

    def _wait_whole(self, parts: Collection[str]) -> None:
        has_ended = not self._service.is_up()
        wait_until(
            lambda: self._service.is_up() and all(map(self._is_whole, parts)),
            RECOVERY_SECONDS, "its recovery",
        )  # fmt: skip
        if has_ended:
            raise RuntimeError("the whole service had ended")

    def _wait_stored(self, since: float) -> None:
        """Wait until an event has been stored since then: pages are read all the time."""
        wait_until(
            lambda: self._stored and self._stored[-1] > since, RECOVERY_SECONDS, "a stored event"
        )

    def _line(self, happened: Happened, began: float) -> str:
        at = happened.began - began
        lasted = happened.ended - happened.began
        recovery = happened.recovered - happened.ended
        name = f"{happened.planned.name} {detail(happened.planned)}".rstrip()
        line = f"{at:7.1f} s  {name:<38} {lasted:4.1f} s"
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
        if part in ("broker", "command", "projections", CLOCK):
            return True
        return service.process(part) is not None

    def _wait_counted(self) -> None:
        """Wait until everything in the log and in the spill is counted."""
        wait_until(
            lambda: self._service.is_up() and self._service.database_answers(), RECOVERY_SECONDS
        )
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

        try:
            wait_until(is_counted, COUNTED)
        except TimeoutError:
            self._untrue.append(f"events still wait to be counted after {COUNTED:g} s")

    def _content(self, page: int) -> str:
        names: Sequence[str] = self._service.targets()[page]
        return next(name for name in names if name.startswith("content")).removeprefix("content ")


def untold(verdict: Verdict[str], told: int, evident: int) -> str:
    """Return what is wrong with how many events the service says were lost; "" if nothing is.

    Each read is one event, and a view of one page. Not all needs to be told: what a producer lost
    at its end does not show.
    """
    reads = [gain for name, gain in verdict.gains.items() if name.startswith("page ")]
    most = sum(max(0, gain.attempted - gain.counted) for gain in reads)
    if told > most:
        return f"{told} events are told as lost; at most {most} are"
    return f"{told} events are told as lost; {evident} evidently are" if told < evident else ""


def gain(before: Mapping[str, int], after: Mapping[str, int]) -> dict[str, int]:
    return {name: n - before.get(name, 0) for name, n in after.items()}
