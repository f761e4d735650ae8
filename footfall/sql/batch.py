"""The rows of a batch, as the statements take them."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from operator import add, mul
from types import MappingProxyType
from typing import Any, NamedTuple

from django.db import connection, models

from footfall.events import BIGINT
from footfall.models import KIND_COLUMNS, Projection
from footfall.registry import content_type_of, counter_field, is_copied

MAX_COUNTER = BIGINT - 1
"""A counter that has reached it stays there: one of them must not make a whole UPDATE fail."""

STATEMENT_BYTES = 4 * 1024**2
"""Bytes of all bodies in one statement. MySQL and MariaDB reject a statement that is longer than
their max_allowed_packet, 16 MB by default, and an escaped body may be twice as long."""


Hours = Mapping[int, Mapping[int, int]]
"""By hour since 1970, then by id: views."""
Row = tuple[int, int, Sequence[int]]
"""Hour since 1970, id, and a number for each of COLUMNS."""
NO_KIND = (0,) * len(KIND_COLUMNS)


class Views(NamedTuple):
    """Views by hour and id, and which of them are of known kinds of agents."""

    hours: Hours
    """Of all kinds."""
    kinds: Mapping[int, Mapping[int, Sequence[int]]] = MappingProxyType({})
    """By hour and id, of those that have some: a number for each of KIND_COLUMNS."""

    def rows(self) -> Iterator[Row]:
        for hour, of_hour in self.hours.items():
            kinds = self.kinds.get(hour, {})
            for target, times in of_hour.items():
                yield hour, target, (times, *kinds.get(target, NO_KIND))

    def totals(self) -> dict[int, Sequence[int]]:
        """Return the sums of all targets by hour: a number for each of COLUMNS."""
        sums: dict[int, Sequence[int]] = {}
        for hour, of_hour in self.hours.items():
            kinds = self.kinds.get(hour, {}).values()
            sums[hour] = (sum(of_hour.values()), *map(sum, columns_of(kinds)))
        return sums


class Group(NamedTuple):
    """Targets with the same views in one hour."""

    hour: int
    """Since 1970."""
    ids: Sequence[int]
    numbers: Sequence[int]
    """A number for each of COLUMNS."""


def totals_of(groups: Iterable[Group]) -> dict[int, Sequence[int]]:
    """Return the sums of all targets by hour: a number for each of COLUMNS."""
    by_hour: dict[int, list[Group]] = {}
    for group in groups:
        by_hour.setdefault(group.hour, []).append(group)
    sums: dict[int, Sequence[int]] = {}
    for hour, some in by_hour.items():
        sizes = [len(group.ids) for group in some]
        columns = zip(*(group.numbers for group in some), strict=True)
        sums[hour] = tuple(sum(map(mul, column, sizes)) for column in columns)
    return sums


def columns_of(rows: Iterable[Sequence[int]]) -> list[Sequence[int]]:
    """Return the columns of rows with a number for each of KIND_COLUMNS.

    In one list first: `zip` makes an iterator for each row.
    """
    numbers = list(chain.from_iterable(rows))
    return [numbers[place :: len(KIND_COLUMNS)] for place in range(len(KIND_COLUMNS))]


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


def condition(model: type[models.Model], table: str = "target") -> str:
    """Return SQL that leaves out the rows of other models: mostly none. table: its alias."""
    if not hasattr(model, "stands_for"):
        return ""
    return f" AND {table}.content_type_id = {content_type_of(model).pk:d}"


def stamp(model: type[models.Model]) -> str:
    """Return SQL that notes in a changed row that it is to be copied: mostly none."""
    if not is_copied(model):
        return ""
    label, table = model._meta.label_lower, Projection._meta.db_table
    changes = f"SELECT p.changes FROM {table} p WHERE p.name = 'totals:{label}'"  # noqa: S608
    return f", changes = COALESCE(({changes}), 0)"


def has_targets(table: type[models.Model]) -> bool:
    """Tell whether a table of views by the hour has them by target, too."""
    return any(field.name == "target_id" for field in table._meta.fields)


def summed(rows: Iterable[Row]) -> Views:
    """Sum up rows; what has nothing but zeros is left out."""
    found: dict[int, dict[int, Sequence[int]]] = {}
    for hour, target, numbers in rows:
        of_hour = found.setdefault(hour, {})
        known = of_hour.get(target)
        of_hour[target] = numbers if known is None else tuple(map(add, known, numbers))
    hours, kinds = {}, {}
    for hour, of_hour in found.items():
        if left := {target: numbers for target, numbers in of_hour.items() if any(numbers)}:
            hours[hour] = {target: numbers[0] for target, numbers in left.items()}
            kinds[hour] = {target: n[1:] for target, n in left.items() if any(n[1:])}
    return Views(hours, kinds)


def hourly_names(table: type[models.Model], kinds: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the names of the columns of `add_hourly`, and of those of other kinds: these get 0."""
    fields = {field.name for field in table._meta.fields}
    others = [name for name in KIND_COLUMNS.values() if name in fields and name not in kinds]
    return ["hour", "views", *(["target_id"] if has_targets(table) else []), *kinds], others


def as_json(rows: Iterable[Sequence[Any]]) -> str:
    return json.dumps(list(rows), separators=(",", ":"))
