"""The statements that differ between databases: all of them are here, a module for each engine.

What such a module has to offer: `add_counts`, `add_rollups`, `add_totals` and `move_marks`, each
one statement for a whole batch.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from importlib import import_module
from typing import Protocol, cast

from django.contrib.contenttypes.models import ContentType
from django.db import connection, models
from django.db.models import QuerySet

from footfall.registry import content_type_of
from footfall.sql.batch import Added, Move, hour_start, rows_at_once

__all__ = [
    "Conflict",
    "Move",
    "add_counts",
    "add_rollups",
    "add_totals",
    "lock",
    "move_marks",
    "rows_at_once",
]


class Conflict(Exception):
    """Somebody else has changed what this transaction had claimed: nothing may be committed."""


class Dialect(Protocol):
    """What a module of an engine has."""

    def add_counts(self, model: type[models.Model], counts: Mapping[int, int]) -> dict[int, int]:
        """See below."""

    def add_rollups(self, content_type: ContentType, added: Sequence[Added]) -> None:
        """`added` is in the order of the targets and hours."""

    def add_totals(self, content_type: ContentType, views: Mapping[datetime, int]) -> None:
        """`views` is in the order of the hours."""

    def move_producer_states(self, moves: Sequence[Move], now: datetime) -> int:
        """Return how many marks were where their move begins, and have moved."""


def dialect() -> Dialect:
    """Return the module of the database's engine."""
    return cast(Dialect, import_module(f"{__name__}.{connection.vendor}"))


def add_counts(model: type[models.Model], counts: Mapping[int, int]) -> dict[int, int]:
    """Add to the counters of `model` in one statement: {id: views}.

    Returns the new counter of every id that exists; the others are gone. Rows are locked in the
    order of their ids: two flushes that took the same rows in different orders would deadlock.
    """
    return dialect().add_counts(model, dict(sorted(counts.items()))) if counts else {}


def add_rollups(model: type[models.Model], hourly: Mapping[tuple[int, int], int]) -> None:
    """Add to the rollups of `model`: {(id, hour since 1970): views}.

    Called while the targets' rows are locked, which keeps two flushes apart here too.
    """
    if hourly:
        starts = {hour: hour_start(hour) for _, hour in hourly}
        added = [
            Added(target, starts[hour], views) for (target, hour), views in sorted(hourly.items())
        ]
        dialect().add_rollups(content_type_of(model), added)


def add_totals(model: type[models.Model], hourly: Mapping[int, int]) -> None:
    """Add to the views of all targets of `model`: {hour since 1970: views}.

    In the order of the hours: two flushes that add to the same hours do not deadlock.
    """
    if hourly:
        views = {hour_start(hour): views for hour, views in sorted(hourly.items())}
        dialect().add_totals(content_type_of(model), views)


def move_producer_states(moves: Sequence[Move], now: datetime) -> None:
    """Move the marks by compare-and-set: raises Conflict if one is not where it was read."""
    moved = dialect().move_producer_states(moves, now) if moves else 0
    if moved != len(moves):
        raise Conflict(f"{len(moves) - moved} marks have moved meanwhile")


def lock(rows: QuerySet[models.Model]) -> QuerySet[models.Model]:
    """Return countable `rows` with the lock that a flush takes on them: nobody counts meanwhile.

    Who attaches one to something else does not wait, where the database has such a lock. MariaDB
    cannot lock some of the tables alone. SQLite locks all of them for who writes.
    """
    has = connection.features
    of = ("self",) if has.has_select_for_update_of else ()
    return rows.select_for_update(of=of, no_key=has.has_select_for_no_key_update)
