"""What is lost with a primary whose standby was behind: events that came by the spill.

Those that came by the log are read again from there.
"""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from footfall import events
from tests.faults.machine.evicted import StoredId
from tests.faults.service import Service
from tests.support.postgres_pair import Server

WAITING = "SELECT at, body, partition, producer_id, sequence FROM counters_spilled"


class Event(NamedTuple):
    """An event of a database."""

    at: int
    """Milliseconds since 1970."""
    body: bytes
    id: StoredId | None
    """None: it was never sent to a log, so no log has it."""


def kept_in(service: Service, server: Server) -> Counter[Event]:
    """Return the events in this database: waiting in the spill, or stored."""
    waiting = server.rows(WAITING)
    printed = service.copy.manage("counters", "events", DATABASE_URL=server.url)
    printed.check_returncode()
    stored = _stored(printed.stdout)
    return Counter([*(Event(at, bytes(body), _id(*one)) for at, body, *one in waiting), *stored])


def _stored(printed: str) -> Iterator[Event]:
    for line in printed.splitlines():
        row = json.loads(line)
        at = round(datetime.fromisoformat(row["at"]).timestamp() * 1_000)
        one = _id(row["partition"], row["producer_id"], row["sequence"])
        yield Event(at, events.encode(row["targets"]), one)


def _id(partition: int, producer_id: int | None, sequence: int | None) -> StoredId | None:
    if producer_id is None or sequence is None:
        return None
    return StoredId(partition, producer_id, sequence)
