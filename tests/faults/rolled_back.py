"""What is lost with a primary whose standby was behind: events that no log has.

They came by the spill. Those that came by the log are read again from there.
"""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from footfall import events
from tests.faults.service import Service
from tests.support.postgres_pair import Server

WAITING = "SELECT at, body FROM counters_spilled WHERE producer_id IS NULL"


class Event(NamedTuple):
    """An event that has no id."""

    at: int
    """Milliseconds since 1970."""
    targets: frozenset[tuple[str, int]]


def without_id(service: Service, server: Server) -> Counter[Event]:
    """Return the events in this database that no log has: waiting in the spill, or stored."""
    waiting = server.rows(WAITING)
    printed = service.copy.manage("counters", "events", DATABASE_URL=server.url)
    printed.check_returncode()
    return Counter([*_waiting(waiting), *_stored(printed.stdout)])


def _waiting(rows: list[tuple[int, memoryview]]) -> Iterator[Event]:
    for at, body in rows:
        yield Event(at, _targets(events.decode(bytes(body))))


def _stored(printed: str) -> Iterator[Event]:
    for line in printed.splitlines():
        row = json.loads(line)
        if row["producer_id"] is None:
            at = round(datetime.fromisoformat(row["at"]).timestamp() * 1_000)
            yield Event(at, _targets(row["targets"]))


def _targets(by_label: dict[str, list[int]]) -> frozenset[tuple[str, int]]:
    return frozenset((label, one) for label, ids in by_label.items() for one in ids)


def views(lost: Counter[Event]) -> Counter[str]:
    """Return the views in these events, by the names of their targets."""
    found: Counter[str] = Counter()
    for event, times in lost.items():
        for label, one in event.targets:
            found[f"{label.partition('.')[2]} {one}"] += times
    return found
