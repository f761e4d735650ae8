"""Visits of one window: counted beside those that are known, and added to them."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from typing import Any, NamedTuple

from django.db import connection, models

from footfall.common.chunks import chunks
from footfall.models import Visit
from footfall.registry import content_type_of
from footfall.sql import dialect

ROWS_PER_STATEMENT = 50_000
EVERY = 2**63 - 1
"""A limit that is none. Without it a database would look for what is known twice."""


class Visited(NamedTuple):
    """Targets of one model that the same visitors have viewed, each equally often."""

    ids: Sequence[int]
    visitors: Sequence[int]
    times: Sequence[int]
    """By visitor."""

    def rows(self) -> Iterator[tuple[int, int, int]]:
        """Yield id, visitor and times of each visit."""
        for target, (visitor, times) in product(
            self.ids, zip(self.visitors, self.times, strict=True)
        ):
            yield target, visitor, times


class Place(NamedTuple):
    """Where visits are kept."""

    model: type[models.Model]
    window: int
    beside: bool = False
    """Those of a recount."""

    def values(self) -> list[Any]:
        return [content_type_of(self.model).pk, self.beside, self.window]


def parts(groups: Iterable[Visited]) -> Iterator[list[Visited]]:
    """Yield the groups, cut where they are large, so that each part is enough for a statement."""
    part: list[Visited] = []
    size = 0
    for group in groups:
        for some in _cut(group):
            rows = len(some.ids) * len(some.visitors)
            if part and size + rows > ROWS_PER_STATEMENT:
                yield part
                part, size = [], 0
            part.append(some)
            size += rows
    if part:
        yield part


def _cut(group: Visited) -> Iterator[Visited]:
    for ids in chunks(group.ids, ROWS_PER_STATEMENT):
        size = max(1, ROWS_PER_STATEMENT // len(ids))
        for visitors, times in zip(
            chunks(group.visitors, size), chunks(group.times, size), strict=True
        ):
            yield Visited(ids, visitors, times)


def count_visits(place: Place, groups: Sequence[Visited], most: int) -> dict[int, int]:
    """Return how many count beside those that are known, by id: of each visitor at most `most`."""
    engine = dialect()
    source, rows = engine.visit_rows(groups)
    known = f"""
        SELECT stored.times FROM {Visit._meta.db_table} AS stored
        WHERE stored.content_type_id = %s AND stored.beside = %s AND stored.{_window()} = %s
            AND stored.target_id = added.id AND stored.visitor = added.visitor
    """  # noqa: S608
    statement = f"""
        SELECT id, SUM({engine.LEAST}({most:d}, known + times) - {engine.LEAST}({most:d}, known))
        FROM (
            SELECT added.id, added.times, COALESCE(({known}), 0) AS known FROM {source}
            LIMIT {EVERY}
        ) AS found GROUP BY id
    """  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(statement, [*place.values(), *rows])
        return {target: int(views) for target, views in cursor.fetchall()}


def add_visits(place: Place, groups: Sequence[Visited]) -> None:
    engine = dialect()
    source, rows = engine.visit_rows(groups)
    table, window = Visit._meta.db_table, _window()
    statement = f"""
        INSERT INTO {table} (content_type_id, beside, {window}, target_id, visitor, times)
        SELECT %s, %s, %s, added.id, added.visitor, added.times FROM {source}
        {engine.ADD_TIMES.format(table=table, window=window)}
    """  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(statement, [*place.values(), *rows])


def _window() -> str:
    """Return the name of the column, which is a word of SQL, too."""
    return connection.ops.quote_name("window")
