"""Who viewed, on the whole service: a crowd of which everything is known, and the past put right.

FOOTFALL_VIEWS has how many views it is. docs/testing.md says how long 200,000 take.
"""

import math
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg2
import pytest

from loadtest.common.client import Load, meanwhile
from loadtest.common.ports import free_port
from loadtest.common.service import Service
from loadtest.common.waiting import wait_until
from standalone import addresses
from standalone.configuration import ROOT
from tests.faults.machine.clocks import LOOK, PROCESSES, VARIABLE, Clocks, library, works
from tests.faults.service import ClockedCopy
from tests.live.simulation import HOUR, Sent, Simulation, Truth, View, is_within_error
from tests.support import crowd
from tests.support.crowd import HIDDEN, ROBOT, SILENT

VIEWS = int(os.environ.get("FOOTFALL_VIEWS", "10000"))
PER_SECOND = 1_200
"""Reads of a slow machine: for so long it is yet to midnight."""
QUIET = 2.0
"""Seconds before and after midnight in which nothing is sent."""
CLIENTS, REPORTERS, THREADS = 16, 6, 4
"""A process takes 8 bodies at once, and says 503 to more."""
DAY = timedelta(days=1)
CONTENTS = "SELECT DISTINCT page_id, content_id FROM pages_pagecontent ORDER BY 1, 2"
COUNTERS = "SELECT id, counter FROM pages_content"
VISITORS = """
    SELECT target_id, day, visitors FROM counters_visitorsketch
    JOIN django_content_type AS type ON type.id = content_type_id AND type.model = 'content'
    WHERE NOT beside
"""
BEGUN = "SELECT 1 FROM counters_reclassification WHERE finished_at IS NULL"
CORRECTED = f"{BEGUN} AND EXISTS (SELECT 1 FROM counters_correcting WHERE done)"  # noqa: S608
FINISHED = "SELECT 1 FROM counters_reclassification WHERE finished_at IS NOT NULL"
DECIDE = """
from footfall.models import AgentRule
for match, value, kind in {!r}:
    AgentRule.objects.create(match=match, value=value, kind=kind)
"""
MONITOR_KIND, ROBOT_KIND = 4, 2
NEWS = [("pattern", "*PageHarvest/*", ROBOT_KIND), ("exact", SILENT, ROBOT_KIND)]
"""What is put on the list in the end, and what agents are then."""
DECIDED = {HIDDEN: ROBOT, SILENT: ROBOT}


class World:
    """A service whose clock goes to midnight, and all that was sent to it."""

    def __init__(self, stack: ExitStack, directory: Path) -> None:
        self.clocks = _clocks(directory / "clocks")
        self.copy = ClockedCopy(
            directory / "service", free_port(),
            COUNTERS_PROXIES="1", COUNTERS_VISITORS_INTERVAL_SECONDS="2",
            THROTTLE_VIEWS="1000000/min", **{VARIABLE: str(self.clocks.directory)},
        )  # fmt: skip
        stack.callback(self.copy.end)
        self.copy.wait_ready(300)
        self.copy.environment |= self.clocks.environment("worker")  # for `manage.py` beside it
        self.address = ("127.0.0.1", self.copy.port)
        self.asked = Service(f"127.0.0.1:{self.copy.port}")
        self.contents: dict[int, list[int]] = {}
        for page, content in self.rows(CONTENTS):
            self.contents.setdefault(page, []).append(content)
        self.before = dict(self.rows(COUNTERS))
        self.views: list[View] = []
        self.midnight = datetime.now(UTC)
        self._ahead = timedelta()

    @property
    def counted(self) -> Sequence[int]:
        return sorted({content for of_page in self.contents.values() for content in of_page})

    @contextmanager
    def before_midnight(self, seconds: float) -> Iterator[None]:
        """Set all clocks to so many seconds before midnight; they go on."""
        now = datetime.now(UTC)
        self.midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) + DAY
        self._ahead = timedelta(seconds=math.floor((self.midnight - now).total_seconds() - seconds))
        with self.clocks.wrong(PROCESSES, self._ahead.total_seconds()):
            time.sleep(LOOK)
            yield

    @property
    def to_midnight(self) -> float:
        """Seconds, by the clocks of the service."""
        return (self.midnight - datetime.now(UTC) - self._ahead).total_seconds()

    def manage(self, *words: str) -> str:
        done = self.copy.manage(*words, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def decide(self, rules: Sequence[tuple[str, str, int]]) -> None:
        """Make rules, as operators do in the admin."""
        self.manage("shell", "-c", DECIDE.format(rules))

    def rows(self, query: str) -> list[Any]:
        url = addresses.read(self.copy.data_dir, addresses.DATABASE_URL)
        with closing(psycopg2.connect(url)) as connection:
            cursor = connection.cursor()
            cursor.execute(query)
            return list(cursor.fetchall())

    def send(self, requests: Sequence[Sent], seconds: float = math.inf, **options: Any) -> None:
        """Send requests for so long at most. Each has to be answered."""
        load = self.prepared(requests, seconds, **options)
        load.run()
        self.note(load, requests)

    def prepared(
        self, requests: Sequence[Sent], seconds: float, *, connections: int = CLIENTS,
        rate: float | None = None,
    ) -> Load:  # fmt: skip
        return Load(
            self.address, range(len(requests)), seconds, connections=connections, rate=rate,
            most=len(requests),
            requests={number: one.request for number, one in enumerate(requests)},
        )  # fmt: skip

    def note(self, load: Load, requests: Sequence[Sent]) -> None:
        run = load.outcome
        assert not run.failed, (run.errors, run.refused, self.copy.output[-4_000:])
        self.views += [view for number in run.ledger.answered for view in requests[number].views]

    def check(self, decided: Mapping[str, str]) -> dict[str, float]:
        """Assert that everything is counted as it should be; return figures."""
        self.manage("counters", "flush")
        truth = Truth.of(self.views, self.contents, decided)
        totals, kinds, visitors = self._found()
        gained = {content: totals[content] - self.before[content] for content in totals}
        assert +Counter(gained) == truth.views
        assert kinds == truth.kinds
        people = {place: len(of_day) for place, of_day in truth.visitors.items()}
        assert visitors.keys() == people.keys()
        wrong = {
            place: (visitors[place], n)
            for place, n in people.items()
            if not is_within_error(visitors[place], n)
        }
        assert not wrong
        errors = [abs(visitors[place] - n) / n for place, n in people.items()]
        return {"largest error of visitors": max(errors), "sketches": len(errors)}

    def _found(self) -> tuple[Mapping[int, int], Counter[Any], dict[Any, int]]:
        """Return counters, views by content, hour and kind, and visitors by content and day."""
        kinds: Counter[tuple[int, datetime, str]] = Counter()
        with ThreadPoolExecutor(THREADS) as threads:
            answers = threads.map(self._series, self.counted)
            for content, points in zip(self.counted, answers, strict=True):
                for point in points:
                    at, agents = datetime.fromisoformat(point["at"]), point["agents"]
                    kinds.update({(content, at, kind): n for kind, n in agents.items()})
                    assert sum(agents.values()) == point["views"]
        visitors = {(content, day): n for content, day, n in self.rows(VISITORS)}
        one = self.counted[0]
        assert {
            datetime.fromisoformat(point["at"]).date(): point["visitors"]
            for point in self._series(one, "day")
            if point["visitors"]
        } == {day: n for (content, day), n in visitors.items() if content == one}
        return dict(self.rows(COUNTERS)), +kinds, visitors

    def _series(self, content: int, interval: str = "hour") -> list[Any]:
        """Return the points of a content, from its first views on."""
        since, until = (quote((self.midnight + n * DAY).isoformat()) for n in (-2, 1))
        path = f"/api/v1/contents/{content}/views/?interval={interval}&by=agent"
        points: list[Any] = self.asked.get(f"{path}&since={since}&until={until}")["series"]
        return points


def _clocks(directory: Path) -> Clocks:
    found = library(ROOT / ".data" / "faults" / "faketime")
    clocks = Clocks.made(directory, found) if found else None
    if not clocks or not works(clocks):
        pytest.skip("no clock can be set: make .data/faults/faketime/.installed")
    return clocks


@pytest.fixture
def world(migrated: Path) -> Iterator[World]:
    with ExitStack() as stack:
        yield World(stack, migrated)


@pytest.mark.long
def test_a_crowd_is_counted_as_what_it_is_and_the_past_is_put_right(world: World) -> None:
    world.decide([("addresses", crowd.MONITORS, MONITOR_KIND)])
    simulation = Simulation(world.address, list(world.contents), seed=20)
    tenth = VIEWS // 10
    with world.before_midnight(QUIET + 15 + VIEWS / 2 / PER_SECOND):
        _the_last_hour(world, simulation, tenth)
        _the_first_hour(world, simulation, tenth)
        figures = world.check({})
        say("before", views=len(world.views), **figures)
        world.decide(NEWS)
        requests = simulation.reads(tenth, world.midnight)
        load = world.prepared(requests, math.inf, rate=200)
        with meanwhile(load):
            killed = _reclassify_and_kill(world)
        world.note(load, requests)
        figures = world.check(DECIDED)
        say("after", views=len(world.views), killed=killed, **figures)
        assert killed
        assert world.manage("counters", "audit").startswith("clean")
        assert "nothing to do" in world.manage("counters", "reclassify")
        assert world.to_midnight > -3_600, "it was too slow: the reads are of several hours"


def _the_last_hour(world: World, simulation: Simulation, tenth: int) -> None:
    """Views of the hour before midnight, and reports of those before."""
    hour = world.midnight - HOUR
    day = hour.date()
    # The first view of a process waits for the salts, but not for ever.
    world.send(simulation.warm_up(hour))
    world.manage("counters", "flush")
    world.send(
        simulation.reports(tenth, day, day), world.to_midnight - QUIET, connections=REPORTERS
    )
    world.send(simulation.reads(4 * tenth, hour), world.to_midnight - QUIET)


def _the_first_hour(world: World, simulation: Simulation, tenth: int) -> None:
    """Views of the hour after midnight, and late reports of the day before."""
    wait_until(lambda: world.to_midnight < -QUIET, 600, "midnight")
    day = world.midnight.date()
    left = 9 * tenth - len(world.views)
    world.send(simulation.reads(left, world.midnight))
    world.send(simulation.reports(tenth, day - DAY, day), connections=REPORTERS)


def _reclassify_and_kill(world: World) -> int:
    """Reclassify; kill it when it has begun, corrected a part, and finished with the rollups.

    Returns how often it was killed.
    """
    killed = sum(_kill_once(world, when) for when in (BEGUN, CORRECTED, FINISHED))
    world.manage("counters", "reclassify")
    return killed


def _kill_once(world: World, when: str) -> bool:
    """Reclassify, and kill it as soon as a query finds something; return whether it was killed."""
    process = subprocess.Popen(
        [sys.executable, "manage.py", "counters", "reclassify"], cwd=ROOT,
        env=world.copy.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    wait_until(lambda: process.poll() is not None or world.rows(when), 300, when)
    process.kill()
    output, _ = process.communicate()
    assert process.returncode in (0, -signal.SIGKILL), output
    return process.returncode != 0


def say(when: str, **figures: float) -> None:
    sys.stdout.write(f"{when}: {figures}\n")
    sys.stdout.flush()
