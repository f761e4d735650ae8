"""Views for the tests of counting: their times, and how they get into the log."""

import json
from collections.abc import Callable
from typing import Any

from redis import Redis

from footfall import events
from footfall.eventlog import Log
from footfall.ops.workers import Workers

AT = 1_763_683_200_000  # 2025-11-21 00:00 UTC, in ms
HOUR = 3_600_000

Counts = Callable[[], list[int]]
"""The fixture `counts`: the counters of the page's contents."""
Answering = Callable[[Workers], None]
"""The fixture `answering`: decides which workers answer."""


def store_views(log: Log, *views: tuple[int, list[int]], partition: int = 0) -> None:
    """Append one view per (time in ms, ids of contents)."""
    for at, ids in views:
        log.append(partition, events.encode({"pages.content": ids}), at)


def make_older(server: Redis, prefix: str, seconds: float) -> None:
    """Make the entries of partition 0 as old as if they had been appended so much earlier."""
    key = f"{prefix}:{{0}}:log"
    entries: Any = server.xrange(key)
    server.delete(key)
    for entry_id, fields in entries:
        milliseconds, _, number = entry_id.decode().partition("-")
        server.xadd(key, fields, id=f"{int(milliseconds) - int(seconds * 1000)}-{number}")


def body_1(ids: Any, **changes: Any) -> bytes:
    """Return a body of version 1, as footfall 1 wrote it: of ids by label, or of anything else."""
    event = {"type": "Viewed", "v": 1, "ids": ids} | changes
    return json.dumps(event, separators=(",", ":")).encode()
