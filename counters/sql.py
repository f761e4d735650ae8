"""The statements that differ between databases: all of them are here. So far: PostgreSQL."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from django.db import connection, models

from counters.figures import HourTotal
from counters.models import Mark, Rollup
from counters.registry import content_type_of, counter_column, key_column


class Conflict(Exception):
    """Somebody else has changed what this transaction had claimed: nothing may be committed."""


class Move(NamedTuple):
    """A mark's way from `old` to `seq`; `spilled` beside it."""

    session: int
    partition: int
    old: int
    seq: int
    spilled: int | None


def add_counts(model: type[models.Model], counts: Mapping[int, int]) -> dict[int, int]:
    """Add to the counters of `model` in one statement: {id: views}.

    Returns the new counter of every id that exists; the others are gone.

    Rows are locked in the order of their ids before they are updated: two flushes that update the
    same rows in the order in which a join happens to find them deadlock. NO KEY, so that inserting
    a row with a foreign key to the target does not wait.
    """
    table, key, counter = _names(model._meta.db_table, key_column(model), counter_column(model))
    statement = f"""
        WITH added AS (
            SELECT * FROM unnest(%s::bigint[], %s::bigint[]) AS added (id, views)
        ), locked AS MATERIALIZED (
            SELECT target.{key} AS id, added.views
            FROM {table} AS target JOIN added ON target.{key} = added.id
            ORDER BY target.{key}
            FOR NO KEY UPDATE OF target
        )
        UPDATE {table} AS target SET {counter} = target.{counter} + locked.views
        FROM locked WHERE target.{key} = locked.id
        RETURNING target.{key}, target.{counter}
    """  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(statement, [list(counts), list(counts.values())])
        return dict(cursor.fetchall())


def add_rollups(model: type[models.Model], hourly: Mapping[tuple[int, int], int]) -> None:
    """Add to the rollups of `model`: {(id, hour since 1970): views}.

    Called while the targets' rows are locked, which keeps two flushes apart here too.
    """
    (table,) = _names(Rollup._meta.db_table)
    statement = f"""
        INSERT INTO {table} AS rollup (content_type_id, target_id, hour, views)
        SELECT %s, * FROM unnest(%s::bigint[], %s::timestamptz[], %s::bigint[])
        ON CONFLICT (content_type_id, target_id, hour)
        DO UPDATE SET views = rollup.views + EXCLUDED.views
    """  # noqa: S608
    ids = [target for target, _ in hourly]
    moments = {hour: datetime.fromtimestamp(hour * 3600, UTC) for _, hour in hourly}
    hours = [moments[hour] for _, hour in hourly]
    content_type = content_type_of(model)
    with connection.cursor() as cursor:
        cursor.execute(statement, [content_type.pk, ids, hours, list(hourly.values())])


def add_totals(model: type[models.Model], hourly: Mapping[int, int]) -> None:
    """Add to the views of all targets of `model`: {hour since 1970: views}.

    In the order of the hours: two flushes that add to the same hours do not deadlock.
    """
    (table,) = _names(HourTotal._meta.db_table)
    statement = f"""
        INSERT INTO {table} AS total (content_type_id, hour, views)
        SELECT %s, * FROM unnest(%s::timestamptz[], %s::bigint[])
        ON CONFLICT (content_type_id, hour)
        DO UPDATE SET views = total.views + EXCLUDED.views
    """  # noqa: S608
    hours = [datetime.fromtimestamp(hour * 3600, UTC) for hour in sorted(hourly)]
    views = [hourly[hour] for hour in sorted(hourly)]
    content_type = content_type_of(model)
    with connection.cursor() as cursor:
        cursor.execute(statement, [content_type.pk, hours, views])


def move_marks(moves: Sequence[Move], now: datetime) -> None:
    """Move the marks by compare-and-set: raises Conflict if one is not where it was read."""
    if not moves:
        return
    (table,) = _names(Mark._meta.db_table)
    statement = f"""
        UPDATE {table} AS mark SET seq = move.seq, spilled = move.spilled, updated_at = %s
        FROM unnest(%s::bigint[], %s::int[], %s::bigint[], %s::bigint[], %s::bigint[])
            AS move (session, partition, old, seq, spilled)
        WHERE mark.session = move.session AND mark.partition = move.partition
            AND mark.seq = move.old
    """  # noqa: S608
    columns = [list(column) for column in zip(*moves, strict=True)]
    with connection.cursor() as cursor:
        cursor.execute(statement, [now, *columns])
        if cursor.rowcount != len(moves):
            raise Conflict(f"{len(moves) - cursor.rowcount} marks have moved meanwhile")


def _names(*names: str) -> list[str]:
    return [connection.ops.quote_name(name) for name in names]
