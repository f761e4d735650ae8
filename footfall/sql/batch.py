"""What a statement takes in: the rows of a batch."""

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from django.db import connection, models

from footfall.registry import counter_column, key_column

STATEMENT_BYTES = 4 * 1024**2
"""Of bodies in one statement. MySQL and MariaDB take none that is longer than their
max_allowed_packet, 16 MB unless it is set, and in a statement a body may be twice as long."""


class Move(NamedTuple):
    """A mark's way from `old` to `seq`; `spilled` beside it."""

    producer_id: int
    partition: int
    old: int
    sequence: int
    spilled: int | None


class Added(NamedTuple):
    """Views that a rollup gains."""

    target: int
    hour: datetime
    views: int


def hour_start(hour: int) -> datetime:
    """Return when that hour since 1970 began."""
    return datetime.fromtimestamp(hour * 3600, UTC)


def rows_at_once(bodies: Iterable[bytes | memoryview]) -> int:
    """Return how many rows with such bodies one statement may have."""
    longest = max(map(len, bodies), default=0)
    return max(1, min(1_000, STATEMENT_BYTES // (longest + 1)))


def quoted(*names: str) -> list[str]:
    return [connection.ops.quote_name(name) for name in names]


def names_of(model: type[models.Model]) -> list[str]:
    """Return the names of the table, its key and its counter, quoted."""
    return quoted(model._meta.db_table, key_column(model), counter_column(model))


def as_json(rows: Iterable[Sequence[Any]]) -> str:
    """Return the rows as an array of arrays; times as the database writes them."""
    write = connection.ops.adapt_datetimefield_value
    return json.dumps(list(rows), default=write, separators=(",", ":"))
