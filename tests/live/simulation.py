"""Many viewers of a running service, and what it must have counted of them."""

import json
import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple, Self
from uuid import UUID

from loadtest.common import client, zipf
from tests.support import crowd
from tests.support.crowd import LIBRARY, MONITOR, PERSON, ROBOT, Viewer

PEOPLE = 5_000
HOUR = timedelta(hours=1)
WITH_APP = 10
"""Of so many people one reads in an app, which reports it after midnight."""
SHARES = {PERSON: 0.70, ROBOT: 0.16, "unlisted": 0.05, LIBRARY: 0.03, MONITOR: 0.03, "own": 0.03}


class View(NamedTuple):
    """One read of a page."""

    page: int
    viewer: Viewer
    hour: datetime
    """In which it was."""
    sent: date
    """When the service was told: visitors have another hash each day."""

    @property
    def visitor(self) -> tuple[str, ...]:
        """Return what visitors are told apart by: of an address what a client cannot change."""
        network = ":".join(self.viewer.address.split(":")[:4])
        return self.viewer.agent, network, str(self.sent)


@dataclass
class Sent:
    """One request, and the views in it."""

    request: bytes
    views: Sequence[View]


class Simulation:
    """Viewers of these pages, by a seed."""

    def __init__(self, address: tuple[str, int], pages: Sequence[int], seed: int) -> None:
        self._address = address
        self._dice = random.Random(seed)
        self._ranked = self._dice.sample(list(pages), len(pages))
        self._weights = zipf.weights(len(pages))
        self._agents = {
            ROBOT: crowd.listed(ROBOT, 40),
            "unlisted": list(crowd.UNLISTED),
            LIBRARY: crowd.listed(LIBRARY, 6),
            MONITOR: crowd.listed(MONITOR, 6),
            "own": crowd.BROWSERS[:3],
        }

    def reads(self, number: int, hour: datetime) -> list[Sent]:
        """Return so many reads by anybody in an hour."""
        day = hour.date()
        return [self._read(View(self._page(), self._viewer(day), hour, day)) for _ in range(number)]

    def warm_up(self, hour: datetime) -> list[Sent]:
        """Return reads by a library, of which no visitor comes."""
        viewer = Viewer("curl/8.14.1", "203.0.113.99", LIBRARY)
        return [self._read(View(self._page(), viewer, hour, hour.date())) for _ in range(200)]

    def reports(self, number: int, day: date, sent: date) -> list[Sent]:
        """Return reports of so many reads on a day. Those that are late come from the app."""
        by_person: dict[int, list[View]] = {}
        for _ in range(number):
            person = self._person(by_app=day != sent)
            hour = datetime.combine(day, time(self._dice.randint(2, 22)), UTC)
            view = View(self._page(), self._as_viewer(person, sent), hour, sent)
            by_person.setdefault(person, []).append(view)
        return [self._report(views[:100]) for views in by_person.values()]

    def _page(self) -> int:
        return self._dice.choices(self._ranked, self._weights)[0]

    def _viewer(self, day: date) -> Viewer:
        who = self._dice.choices(list(SHARES), list(SHARES.values()))[0]
        if who == PERSON:
            viewer = self._as_viewer(self._person(by_app=False), day)
            return crowd.prefetch(viewer) if self._dice.random() < 0.05 else viewer
        agent, last = self._dice.choice(self._agents[who]), self._dice.randint(1, 8)
        if who == "own":
            return Viewer(agent, f"198.51.100.{last}", MONITOR)
        return Viewer(agent, f"203.0.113.{last}", crowd.UNLISTED.get(agent, who))

    def _person(self, *, by_app: bool) -> int:
        person = self._dice.randrange(PEOPLE)
        return person - person % WITH_APP + (0 if by_app else self._dice.randrange(1, WITH_APP))

    def _as_viewer(self, person: int, day: date) -> Viewer:
        """Return a person as of a day: two at each address, of which each day has others."""
        place = (person // 2 * 7 + day.toordinal() * 1_301) % (PEOPLE // 2)
        address = f"10.1.{place // 250}.{place % 250 + 1}"
        if place % 10 == 0:  # the rest of an address of version 6 is another one each time
            rest = ":".join(f"{self._dice.getrandbits(16):x}" for _ in range(4))
            address = f"2001:db8:0:{place:x}:{rest}"
        return Viewer(crowd.BROWSERS[person % len(crowd.BROWSERS)], address, PERSON)

    def _read(self, view: View) -> Sent:
        return Sent(client.request(self._address, view.page, view.viewer.headers), [view])

    def _report(self, views: Sequence[View]) -> Sent:
        """Return a report of views of one viewer."""
        reported = [
            {
                "page": view.page,
                "id": str(UUID(int=self._dice.getrandbits(128))),
                "at": (view.hour + self._dice.random() * HOUR).isoformat(),
            }
            for view in views
        ]
        body = json.dumps({"views": reported})
        host, port = self._address
        head = f"POST /api/v1/views/ HTTP/1.1\r\nHost: {host}:{port}\r\n{views[0].viewer.headers}"
        head += f"Content-Type: text/plain\r\nContent-Length: {len(body)}\r\n\r\n"
        return Sent((head + body).encode(), views)


@dataclass
class Truth:
    """What some views are, by content."""

    views: Counter[int] = field(default_factory=Counter)
    kinds: Counter[tuple[int, datetime, str]] = field(default_factory=Counter)
    """By content, hour and kind."""
    visitors: dict[tuple[int, date], set[tuple[str, ...]]] = field(default_factory=dict)
    """By content and day. Content 0: of all."""

    @classmethod
    def of(
        cls,
        views: Iterable[View],
        contents: Mapping[int, Sequence[int]],
        decided: Mapping[str, str],
    ) -> Self:
        """contents: of each page. decided: what some user agents are, whatever else is said."""
        truth = cls()
        for view in views:
            kind = decided.get(view.viewer.agent, view.viewer.kind)
            for content in contents[view.page]:
                truth.views[content] += 1
                truth.kinds[content, view.hour, kind] += 1
            for content in [0, *contents[view.page]] if kind == PERSON else []:
                of_day = truth.visitors.setdefault((content, view.hour.date()), set())
                of_day.add(view.visitor)
        return truth


def is_within_error(counted: int, people: int) -> bool:
    """Tell whether visitors are as exact as is promised: within 2 %, and exact up to 3,000.

    Of 3,000, two are taken for one in one of 1,000 sketches.
    """
    return abs(counted - people) <= (people // 50 if people > 3_000 else people // 1_000)
