"""Who reads during a run, and whether each was counted as what it is.

People, robots and the rest are held against the answers, as counters are. Visitors are held against
the events in the store: an event says of which agent it is, and each has one reader here. What
hash a reader has with which salt is computed here, too.
"""

import json
import random
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from ipaddress import ip_address
from typing import NamedTuple

from loadtest.common.client import Ledger, request
from loadtest.common.verdict import Verdict, check
from tests.support import crowd
from tests.support.crowd import LIBRARY, MONITOR, PERSON, PREFETCH, ROBOT, UNKNOWN, Viewer

PEOPLE = 100
COLUMN = {PERSON: "people", UNKNOWN: "unknown"}  # all others are robots
HOT = 0.3  # share of the reads that read the first page
DRAWN = 100_000  # reads in the list that is read in turn
OTHERS = 10_000  # more than there are viewers


class Person(NamedTuple):
    """Visitors of a target on a day."""

    target: str
    day: str


class Readers:
    """A mixture of viewers, each with an agent of its own that no other run has had."""

    def __init__(self, address: tuple[str, int], pages: Sequence[int], seed: int) -> None:
        run = random.SystemRandom().randrange(10_000, 60_000)
        people = [
            Viewer(
                crowd.CHROME.format(crowd.PLATFORMS[0], 140).replace("140.0.0", f"140.{run}.{n}"),
                f"10.9.{n % 7}.{n % 250 + 1}", PERSON,
            )
            for n in range(PEOPLE)
        ]  # fmt: skip
        others = [
            *(Viewer(agent, "203.0.113.1", ROBOT) for agent in crowd.listed(ROBOT, 10)),
            *(Viewer(agent, "203.0.113.2", LIBRARY) for agent in crowd.listed(LIBRARY, 3)),
            *(Viewer(agent, "203.0.113.3", MONITOR) for agent in crowd.listed(MONITOR, 3)),
            *map(crowd.prefetch, people[:5]),
            Viewer(crowd.SILENT, "203.0.113.4", UNKNOWN),
        ]
        self.viewers = [*people, *others]
        self.people = people
        self.salts: set[bytes] = set()
        self._host = f"{address[0]}:{address[1]}"
        dice = random.Random(seed)
        pages = sorted(pages)
        self.drawn = [
            self._drawn(dice, pages[0] if dice.random() < HOT else dice.choice(pages))
            for _ in range(DRAWN)
        ]
        """What is read in turn, as numbers: one page often, the others equally often."""
        self.requests = {
            number: request(address, page, self.viewers[who].headers)
            for number in {*self.drawn}
            for page, who in [divmod(number, OTHERS)]
        }

    def _drawn(self, dice: random.Random, page: int) -> int:
        of = self.people if dice.random() < 0.7 else self.viewers
        return page * OTHERS + dice.randrange(len(of))

    def targets(self, of_pages: Mapping[int, Collection[str]]) -> Mapping[int, Collection[str]]:
        """Return the targets of each number that is drawn."""
        return {number: of_pages[number // OTHERS] for number in self.requests}

    def check_kinds(
        self, gained: Mapping[str, int], ledger: Ledger, of_pages: Mapping[int, Collection[str]],
        told: Collection[int], gone: Mapping[str, int] | None,
    ) -> Verdict[str]:  # fmt: skip
        """Tell whether people, robots and the unknown of each target are right.

        gained: by "content 7 people". told: the agents whose string is known; others are unknown.
        gone: views that are known to be lost, of any kind.
        """
        columns = [
            COLUMN.get(one.kind, "robots") if agent_of(one) in told else COLUMN[UNKNOWN]
            for one in self.viewers
        ]
        targets = {
            number: [f"{name} {columns[number % OTHERS]}" for name in names]
            for number, names in self.targets(of_pages).items()
        }
        of_any_kind = {
            f"{name} {column}": n
            for name, n in (gone or {}).items()
            for column in (*COLUMN.values(), "robots")
        }
        return check(gained, ledger, targets, of_any_kind)

    def hashes(self) -> Mapping[int, set[int]]:
        """Return the visitors that each agent can have, by the salts that were seen."""
        found: dict[int, set[int]] = {}
        for one in self.viewers:
            visitors = {visitor_of(one, self._host, salt) for salt in self.salts}
            found.setdefault(agent_of(one), set()).update(visitors)
        return found


@dataclass
class Visitors:
    """The people in the event store, and what is wrong with them."""

    people: dict[Person, set[int]] = field(default_factory=dict)
    of_run: Counter[str] = field(default_factory=Counter)
    """Events of people of this run: with a visitor, without one, and of an unknown one."""
    seen: set[int] = field(default_factory=set)
    """Visitors of this run."""

    def add(self, lines: Iterable[str], readers: Readers, people: Collection[int]) -> None:
        """Add what `counters events` prints. people: the agents that are people."""
        hashes = readers.hashes()
        for agent, visitor, day, targets in _events(lines):
            if agent in people and visitor:
                for name in targets:
                    self.people.setdefault(Person(name, day), set()).add(visitor)
            if agent in people and agent in hashes:
                of = "unknown" if visitor and visitor not in hashes[agent] else "with"
                self.of_run[of if visitor else "without"] += 1
                self.seen |= {visitor} if visitor else set()

    def wrong(self, counted: Mapping[tuple[str, str], int], days: Collection[str]) -> list[str]:
        """Return what is wrong on these days. counted: visitors by name of target and day."""
        found = [
            f"{place.target} has {counted.get(place, 0)} visitors on {place.day}, not {len(seen)}"
            for place, seen in sorted(self.people.items())
            if place.day in days and not _is_near(counted.get(place, 0), len(seen))
        ]
        found += [
            f"{name} has {n} visitors on {day}, and no people"
            for (name, day), n in sorted(counted.items())
            if day in days and n and (name, day) not in self.people
        ]
        if unknown := self.of_run["unknown"]:
            found.append(f"{unknown} events have visitors that no salt explains")
        return found


def _is_near(counted: int, people: int) -> bool:
    """Tell whether visitors are within 2 %, and exact up to 1,000."""
    return abs(counted - people) <= (people // 50 if people > 1_000 else 0)


def _events(lines: Iterable[str]) -> Iterator[tuple[int, int, str, list[str]]]:
    """Yield agent, visitor (0: none), day and names of targets of each event with an agent."""
    for line in lines:
        event = json.loads(line)
        meta = event.get("meta", {})
        if "agent" in meta:
            names = [
                f"{label.partition('.')[2]} {one}"
                for label, ids in event["targets"].items()
                for one in ids
            ]
            visitor = int(meta.get("visitor", "0"), 16)
            yield int(meta["agent"], 16), visitor, event["at"][:10], names


def agent_of(viewer: Viewer) -> int:
    """Return the 64 bits of its agent: of how it comes, and its string."""
    how = 1 if viewer.kind == PREFETCH else 0
    return int.from_bytes(blake2b(bytes([how]) + viewer.agent.encode(), digest_size=8).digest())


def visitor_of(viewer: Viewer, host: str, salt: bytes) -> int:
    """Return the 64 bits of a viewer with an address of version 4."""
    text = f"{host}\0{viewer.agent}\0".encode() + ip_address(viewer.address).packed
    return int.from_bytes(blake2b(text, digest_size=8, key=salt).digest())
