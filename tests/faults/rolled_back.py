"""What is lost with a primary whose standby was behind: events that came by the spill.

Those that came by the log are read again from there.
"""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from footfall import events
from tests.faults.machine.evicted import StoredId, printed_id
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
    rows = server.rows(WAITING)
    waiting = (Event(at, bytes(body), StoredId.of(*one)) for at, body, *one in rows)
    printed = service.copy.manage("counters", "events", DATABASE_URL=server.url)
    printed.check_returncode()
    return Counter([*waiting, *_stored(printed.stdout)])


def _stored(printed: str) -> Iterator[Event]:
    for line in printed.splitlines():
        row = json.loads(line)
        at = round(datetime.fromisoformat(row["at"]).timestamp() * 1_000)
        yield Event(at, events.encode(row["targets"]), printed_id(row))
