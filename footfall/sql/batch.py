"""The rows of a batch, as the statements take them."""

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from django.db import connection, models

from footfall.registry import counter_column, key_column

STATEMENT_BYTES = 4 * 1024**2
"""Of bodies in one statement. MySQL and MariaDB reject a statement that is longer than their
max_allowed_packet, 16 MB by default, and an escaped body may be twice as long."""


class Move(NamedTuple):
    """A change of a producer state: from sequence `old` to `sequence`, with the new `spilled`."""

    producer_id: int
    partition: int
    old: int
    sequence: int
    spilled: int | None


class Added(NamedTuple):
    """Views to add to a rollup."""

    target: int
    hour: datetime
    views: int


def hour_start(hour: int) -> datetime:
    """Return the start of an hour, given in hours since 1970."""
    return datetime.fromtimestamp(hour * 3600, UTC)


def rows_per_statement(bodies: Iterable[bytes | memoryview]) -> int:
    """Return how many rows with these bodies one statement may have."""
    longest = max(map(len, bodies), default=0)
    return max(1, min(1_000, STATEMENT_BYTES // (longest + 1)))


def quoted(*names: str) -> list[str]:
    return [connection.ops.quote_name(name) for name in names]


def names_of(model: type[models.Model]) -> list[str]:
    """Return the names of the table, its key and its counter, quoted."""
    return quoted(model._meta.db_table, key_column(model), counter_column(model))


def as_json(rows: Iterable[Sequence[Any]]) -> str:
    """Return the rows as a JSON array of arrays, with times in the database's format."""
    write = connection.ops.adapt_datetimefield_value
    return json.dumps(list(rows), default=write, separators=(",", ":"))
