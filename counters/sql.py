"""The statements that differ between databases: all of them are here. So far: PostgreSQL."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from django.db import connection, models

from counters.figures import HourTotal
from counters.models import Mark, Rollup
from counters.registry import content_type_of, counter_column, key_column

# Until the end of the transaction; the statements after the first one have nothing to join.
LOOP = """
    SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off;
    SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off
"""


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

    Rows are locked in the order of their ids, as they are updated: two flushes that took the same
    rows in the order in which a join happens to find them would deadlock. So there must be no
    other join than a loop over the sorted ids, with a look into the index for each. (Locking first,
    in a statement of its own, does the same with a fifth more WAL.)
    """
    table, key, counter = _names(model._meta.db_table, key_column(model), counter_column(model))
    statement = f"""
        UPDATE {table} AS target SET {counter} = target.{counter} + added.views
        FROM unnest(%s::bigint[], %s::bigint[]) AS added (id, views)
        WHERE target.{key} = added.id
        RETURNING target.{key}, target.{counter}
    """  # noqa: S608
    ids = sorted(counts)
    with connection.cursor() as cursor:
        cursor.execute(LOOP)
        cursor.execute(statement, [_array(ids), _array(counts[pk] for pk in ids)])
        return dict(cursor.fetchall())


def add_rollups(model: type[models.Model], hourly: Mapping[tuple[int, int], int]) -> None:
    """Add to the rollups of `model`: {(id, hour since 1970): views}.

    Called while the targets' rows are locked, which keeps two flushes apart here too.
    """
    (table,) = _names(Rollup._meta.db_table)
    statement = f"""
        INSERT INTO {table} AS rollup (content_type_id, hour, target_id, views)
        SELECT %s, %s, * FROM unnest(%s::bigint[], %s::bigint[])
        ON CONFLICT (content_type_id, target_id, hour)
        DO UPDATE SET views = rollup.views + EXCLUDED.views
    """  # noqa: S608
    by_hour: dict[int, dict[int, int]] = {}
    for (target, hour), views in sorted(hourly.items()):
        by_hour.setdefault(hour, {})[target] = views
    content_type = content_type_of(model)
    with connection.cursor() as cursor:
        for hour, counts in by_hour.items():
            moment = datetime.fromtimestamp(hour * 3600, UTC)
            arrays = (_array(counts), _array(counts.values()))
            cursor.execute(statement, [content_type.pk, moment, *arrays])


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


def _array(numbers: Iterable[int]) -> str:
    """Return the text of an array, which PostgreSQL reads far faster than ARRAY[...]."""
    return f"{{{','.join(map(str, numbers))}}}"
