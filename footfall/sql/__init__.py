"""The statements that differ between databases, in one module for each engine.

Such a module has `add_counts`, `add_hourly` and `move_producer_states`, each one statement for a
whole batch. A row of `add_hourly`: hour since 1970, views, and the target if the table has one.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from importlib import import_module
from typing import Any

from django.db import connection, models
from django.db.models import QuerySet

from footfall.models import HourTotal, Rollup
from footfall.registry import content_type_of
from footfall.sql.batch import Move


class Conflict(Exception):
    """Another process has changed rows that this transaction had claimed: roll it back."""


def dialect() -> Any:
    """Return the module for the database's engine. It gets everything in the order of its keys."""
    return import_module(f"{__name__}.{connection.vendor}")


def add_counts(model: type[models.Model], counts: Mapping[int, int]) -> dict[int, int]:
    """Add to the counters of `model` in one statement: {id: views}.

    Returns the new counter of every id that exists. Rows are locked in the order of their ids: two
    flushes that lock the same rows in different orders would deadlock.
    """
    found: dict[int, int] = {}
    if counts:
        found = dialect().add_counts(model, dict(sorted(counts.items())))
    return found


def add_rollups(model: type[models.Model], hourly: Mapping[tuple[int, int], int]) -> None:
    """Add to the rollups of `model`: {(id, hour since 1970): views}.

    Call it while the targets' rows are locked: then no other flush adds to the same rollups.
    """
    if hourly:
        rows = [(hour, views, target) for (target, hour), views in sorted(hourly.items())]
        dialect().add_hourly(Rollup, content_type_of(model).pk, rows)


def add_hour_totals(model: type[models.Model], hourly: Mapping[int, int]) -> None:
    """Add to the views of all targets of `model`: {hour since 1970: views}.

    Rows are locked in the order of the hours, so that two flushes do not deadlock.
    """
    if hourly:
        dialect().add_hourly(HourTotal, content_type_of(model).pk, sorted(hourly.items()))


def move_producer_states(moves: Sequence[Move], now: datetime) -> None:
    """Move the states by compare-and-set. Raises Conflict if one has changed since it was read."""
    moved = dialect().move_producer_states(moves, now) if moves else 0
    if moved != len(moves):
        raise Conflict(f"{len(moves) - moved} producer states have moved meanwhile")


def lock(rows: QuerySet[models.Model]) -> QuerySet[models.Model]:
    """Return countable `rows`, locked as a flush locks them: no flush changes them meanwhile.

    Where the database has such a lock, a transaction that inserts a foreign key to them does not
    wait. MariaDB locks the rows of joined tables too, and SQLite locks the whole database.
    """
    has = connection.features
    of = ("self",) if has.has_select_for_update_of else ()
    return rows.select_for_update(of=of, no_key=has.has_select_for_no_key_update)


@contextmanager
def snapshot() -> Iterator[None]:
    """A transaction in which all statements see the database as it was at the first one.

    Inside another transaction it does nothing: that has begun already.
    """
    if connection.in_atomic_block:
        yield
        return
    with dialect().snapshot():
        yield


def table_bytes(model: type[models.Model]) -> int | None:
    """Return about how many bytes the table takes with its indexes; None where that is unknown."""
    size: int | None = dialect().table_bytes(model._meta.db_table)
    return size
