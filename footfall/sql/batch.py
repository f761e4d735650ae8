"""The rows of a batch, as the statements take them."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from django.db import connection, models

from footfall.events import BIGINT
from footfall.models import COLUMNS, KIND_COLUMNS
from footfall.registry import counter_field

MAX_COUNTER = BIGINT - 1
"""A counter that has reached it stays there: one of them must not make a whole UPDATE fail."""

STATEMENT_BYTES = 4 * 1024**2
"""Bytes of all bodies in one statement. MySQL and MariaDB reject a statement that is longer than
their max_allowed_packet, 16 MB by default, and an escaped body may be twice as long."""


Columns = Mapping[str, Mapping[int, Mapping[int, int]]]
"""By column of `ByKind`, by hour since 1970, then by id: "views", and which of them are "person",
"robot" and so on."""


class Move(NamedTuple):
    """A change of a producer state: from sequence `old` to `sequence`, with the new `spilled`."""

    producer_id: int
    partition: int
    old: int
    sequence: int
    spilled: int | None


def rows_per_statement(bodies: Iterable[bytes | memoryview]) -> int:
    """Return how many rows with these bodies one statement may have."""
    longest = max(map(len, bodies), default=0)
    return max(1, min(1_000, STATEMENT_BYTES // (longest + 1)))


def names_of(model: type[models.Model]) -> list[str]:
    """Return the names of a countable model's table, its key and its counter, quoted."""
    names = (model._meta.db_table, model._meta.pk.column, counter_field(model).column)
    return [connection.ops.quote_name(str(name)) for name in names]


def has_targets(table: type[models.Model]) -> bool:
    """Tell whether a table of views by the hour has them by target, too."""
    return any(field.name == "target_id" for field in table._meta.fields)


def summed(rows: Iterable[tuple[int, int, Sequence[int]]]) -> Columns:
    """Sum up rows: hour since 1970, id, and a number for each of COLUMNS."""
    columns: dict[str, dict[int, dict[int, int]]] = {name: {} for name in COLUMNS}
    for hour, target, numbers in rows:
        for name, number in zip(COLUMNS, numbers, strict=True):
            if number:
                of_hour = columns[name].setdefault(hour, {})
                of_hour[target] = of_hour.get(target, 0) + number
    return columns


def hourly_names(table: type[models.Model], kinds: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the names of the columns of `add_hourly`, and of those of other kinds: these get 0."""
    fields = {field.name for field in table._meta.fields}
    others = [name for name in KIND_COLUMNS.values() if name in fields and name not in kinds]
    return ["hour", "views", *(["target_id"] if has_targets(table) else []), *kinds], others


def as_json(rows: Iterable[Sequence[Any]]) -> str:
    return json.dumps(list(rows), separators=(",", ":"))
