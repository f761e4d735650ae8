"""PostgreSQL: `unnest` turns arrays into rows."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import date, datetime
from itertools import accumulate, chain
from typing import Any

from django.db import OperationalError, connection, connections, models, transaction

from footfall.fields import key_field
from footfall.models import Carried, ClientKey, ProducerState, VisitorSketch
from footfall.registry import content_type_of
from footfall.sql.batch import (
    MAX_COUNTER,
    Move,
    condition,
    has_targets,
    hourly_names,
    names_of,
    stamp,
)
from footfall.sql.visits import Visited

ROWS_PER_TRANSACTION = 300_000
WAITS_FOR_ROWS = True
LOCK_TIMEOUT = "250ms"
MARKED = "footfall counts"
MARK = f"SELECT set_config('application_name', '{MARKED}', true)"
STUCK_AFTER = 20.0  # seconds
GAVE_UP = {"55P03", "40P01"}
"""SQLSTATE: lock not available, deadlock detected."""
LEAST = "LEAST"
ADD_TIMES = """
    ON CONFLICT (content_type_id, beside, target_id, {window}, visitor)
    DO UPDATE SET times = {table}.times + EXCLUDED.times
"""

SLICES = "%s::int[], %s::int[]"
# Set until the end of the transaction; the statements after the first one join nothing.
NESTED_LOOP = """
    SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off;
    SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off
"""


def lock_timeout(using: str) -> AbstractContextManager[None]:
    return nullcontext()


def set_local_lock_timeout(using: str) -> None:
    """Until the transaction ends, which is marked in the same call."""
    with connections[using].cursor() as cursor:
        cursor.execute(f"{MARK}, set_config('lock_timeout', '{LOCK_TIMEOUT}', true)")


def mark() -> None:
    with connection.cursor() as cursor:
        cursor.execute(MARK)


def end_stuck() -> list[int]:
    statement = """
        SELECT pid FROM pg_stat_activity
        WHERE application_name = %s AND datname = current_database() AND usename = current_user
            AND wait_event_type = 'Client'
            AND clock_timestamp() - xact_start > make_interval(secs => %s)
            AND clock_timestamp() - state_change > make_interval(secs => %s)
    """
    with connection.cursor() as cursor:
        cursor.execute(statement, [MARKED, STUCK_AFTER, STUCK_AFTER / 2])
        stuck = [pid for (pid,) in cursor.fetchall()]
        for pid in stuck:
            cursor.execute("SELECT pg_terminate_backend(%s)", [pid])
    return stuck


def is_lock_timeout(error: OperationalError) -> bool:
    """Tell it by the code, which psycopg has in `sqlstate` and psycopg2 in `pgcode`."""
    codes = {getattr(error.__cause__, name, None) for name in ("sqlstate", "pgcode")}
    return bool(codes & GAVE_UP)


def add_counts(
    model: type[models.Model], ids: Sequence[int], views: Sequence[int]
) -> dict[int, int]:
    """Rows are locked as they are updated, in the order in which the join finds them.

    So the join must be a nested loop over the sorted ids, with an index scan for each: `unnest`
    and ORDER BY alone guarantee no order. (A separate SELECT ... FOR UPDATE before it does the
    same with a fifth more WAL.)
    """
    table, key, counter = names_of(model)
    statement = f"""
        UPDATE {table} AS target
        SET {counter} = LEAST(target.{counter}, {MAX_COUNTER} - added.views) + added.views
            {stamp(model)}
        FROM {_rows(model, "added", "id", "views")}
        WHERE target.{key} = added.id{_of_kind(model, "added")}
        RETURNING target.{key}, target.{counter}
    """  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(NESTED_LOOP)
        cursor.execute(statement, [_array(ids), _array(views)])
        return dict(cursor.fetchall())


def set_counts(model: type[models.Model], ids: Sequence[int], counters: Sequence[int]) -> None:
    table, key, counter = names_of(model)
    statement = f"""
        UPDATE {table} AS target SET {counter} = wanted.views{stamp(model)}
        FROM {_rows(model, "wanted", "id", "views")}
        WHERE target.{key} = wanted.id{_of_kind(model, "wanted")}
    """  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(statement, [_array(ids), _array(counters)])


def set_by_key(
    model: type[models.Model], name: str, counters: Mapping[Any, int], using: str
) -> None:
    """A CASE for each row takes Django 20 times as long."""
    connection = connections[using]
    quote = connection.ops.quote_name
    field: Any = model._meta.get_field(name)
    kind = key_field(model).cast_db_type(connection)
    statement = f"""
        UPDATE {quote(model._meta.db_table)} AS target SET {quote(field.column)} = wanted.views
        FROM unnest(%s::text[], %s::bigint[]) AS wanted (key, views)
        WHERE target.{quote(str(model._meta.pk.column))} = wanted.key::{kind}
    """  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(statement, [list(map(str, counters)), list(counters.values())])


def select_ids(model: type[models.Model], ids: Sequence[int], *, lock: bool) -> set[int]:
    table, key, _ = names_of(model)
    statement = f"""
        SELECT target.{key} FROM {_rows(model, "wanted", "id")}
        JOIN {table} AS target ON target.{key} = wanted.id{_of_kind(model, "wanted")}
        {"FOR NO KEY UPDATE OF target SKIP LOCKED" if lock else ""}
    """  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(statement, [_array(ids)])
        return {target for (target,) in cursor.fetchall()}


def _rows(model: type[models.Model], name: str, *columns: str) -> str:
    """Return SQL for a table `name` from arrays of bigint.

    For a model that shares its table, its content type is a column, `kind`, which the planner does
    not see through: with a constant it may begin with all rows of the model, and look for each in
    the arrays, as long as the table is not analysed.
    """
    arrays, listed = ", ".join(["%s::bigint[]"] * len(columns)), ", ".join(columns)
    if not condition(model):
        return f"unnest({arrays}) AS {name} ({listed})"
    kind = content_type_of(model).pk
    given = f"SELECT {kind:d} AS kind, {listed} FROM unnest({arrays}) AS given ({listed}) OFFSET 0"  # noqa: S608
    return f"({given}) AS {name}"


def _of_kind(model: type[models.Model], name: str) -> str:
    return f" AND target.content_type_id = {name}.kind" if condition(model) else ""


def add_carried(content_type: int, columns: Sequence[Sequence[int]]) -> None:
    statement = f"""
        INSERT INTO {Carried._meta.db_table} AS stored (content_type_id, target_id, views, since)
        SELECT %s, target_id, views, since
        FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[]) AS added (target_id, views, since)
        ON CONFLICT (content_type_id, target_id) DO UPDATE
        SET views = stored.views + EXCLUDED.views, since = LEAST(stored.since, EXCLUDED.since)
    """  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(statement, [content_type, *map(_array, columns)])


def add_hourly(
    table: type[models.Model],
    content_type: int,
    columns: Sequence[Sequence[int]],
    kinds: Sequence[str] = (),
) -> None:
    """An upsert has no choice of an index. An UPDATE, or MERGE, writes 40 % less WAL, but before a
    growing table is analysed it may take the index by hour, and then runs for minutes.
    """
    names, others = hourly_names(table, kinds)
    listed, arrays = ", ".join(names), ", ".join(["%s::bigint[]"] * len(names))
    target = ", target_id" if has_targets(table) else ""
    added = ", ".join(f"{name} = stored.{name} + EXCLUDED.{name}" for name in ("views", *kinds))
    statement = f"""
        INSERT INTO {table._meta.db_table} AS stored
            ({", ".join(["content_type_id", *names, *others])})
        SELECT %s, to_timestamp(hour * 3600), {", ".join([*names[1:], *("0" for _ in others)])}
        FROM unnest({arrays}) AS added ({listed})
        ON CONFLICT (content_type_id, hour{target}) DO UPDATE SET {added}
    """  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(statement, [content_type, *map(_array, columns)])


def add_groups(
    table: type[models.Model],
    content_type: int,
    ids: Sequence[Sequence[int]],
    columns: Sequence[Sequence[int]],
    kinds: Sequence[str],
) -> None:
    """Do the same for targets that are alike, each group with one row in the columns: an hour, and
    a number for views and each of the kinds. So there are as many columns of targets with kinds as
    without.
    """
    _, others = hourly_names(table, kinds)
    names = ["views", *kinds]
    listed, arrays = ", ".join(["hour", *names]), ", ".join(["%s::bigint[]"] * len(columns))
    added = ", ".join(f"{name} = stored.{name} + EXCLUDED.{name}" for name in names)
    statement = f"""
        INSERT INTO {table._meta.db_table} AS stored
            ({", ".join(["content_type_id", "hour", *names, *others, "target_id"])})
        SELECT %s, to_timestamp(hour * 3600), {", ".join([*names, *("0" for _ in others)])}, id
        FROM unnest({SLICES}, {arrays}) AS added (first, last, {listed}),
            unnest((%s::bigint[])[first:last]) AS target (id)
        ON CONFLICT (content_type_id, hour, target_id) DO UPDATE SET {added}
    """  # noqa: S608
    values = [*_slices(ids), *map(_array, columns), _array(chain.from_iterable(ids))]
    with connection.cursor() as cursor:
        cursor.execute(statement, [content_type, *values])


def visit_rows(groups: Sequence[Visited]) -> tuple[str, list[Any]]:
    """Return SQL for a table `added` (id, visitor, times), and its parameters.

    The database has each visitor meet each target of its group: that is 15 times fewer values for
    a page of 15 contents.
    """
    source = f"""(
        SELECT target.id, visit.visitor, visit.times
        FROM unnest({SLICES}, {SLICES}) AS part (first, last, first_visit, last_visit),
            unnest((%s::bigint[])[first:last]) AS target (id),
            unnest(
                (%s::bigint[])[first_visit:last_visit], (%s::bigint[])[first_visit:last_visit]
            ) AS visit (visitor, times)
    ) AS added"""  # noqa: S608
    ids, visitors, times = zip(*groups, strict=True)
    joined = (_array(chain.from_iterable(lists)) for lists in (ids, visitors, times))
    return source, [*_slices(ids), *_slices(visitors), *joined]


def _slices(lists: Sequence[Sequence[int]]) -> list[str]:
    """Return the first and last places of lists in one that has them all, from 1 on.

    A slice of an array needs no join: however the planner has them, joins can take the square of
    the time.
    """
    ends = list(accumulate(map(len, lists), initial=0))
    return [_array(end + 1 for end in ends[:-1]), _array(ends[1:])]


def put_sketches(key: tuple[int, date, bool], columns: Sequence[Sequence[Any]]) -> None:
    ids, sketches, visitors = columns
    statement = f"""
        INSERT INTO {VisitorSketch._meta.db_table}
            (content_type_id, day, beside, target_id, sketch, visitors)
        SELECT %s, %s, %s, target_id, sketch, visitors
        FROM unnest(%s::bigint[], %s::bytea[], %s::bigint[]) AS added (target_id, sketch, visitors)
        ON CONFLICT (content_type_id, day, beside, target_id)
        DO UPDATE SET sketch = EXCLUDED.sketch, visitors = EXCLUDED.visitors
    """  # noqa: S608
    hexes = "{" + ",".join([f'"\\\\x{sketch.hex()}"' for sketch in sketches]) + "}"
    with connection.cursor() as cursor:
        cursor.execute(statement, [*key, _array(ids), hexes, _array(visitors)])


def add_keys(keys: Sequence[str], until: Sequence[int]) -> set[str]:
    """A key that another transaction is adding is waited for; rows are added in this order."""
    statement = f"""
        INSERT INTO {ClientKey._meta.db_table} (hash, until)
        SELECT hash, until FROM unnest(%s::uuid[], %s::bigint[]) AS added (hash, until)
        ON CONFLICT (hash) DO NOTHING RETURNING hash
    """  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(statement, [f"{{{','.join(keys)}}}", _array(until)])
        return {key for (key,) in cursor.fetchall()}


def move_producer_states(moves: Sequence[Move], now: datetime, epoch: int) -> int:
    statement = f"""
        UPDATE {ProducerState._meta.db_table} AS state
        SET sequence = move.sequence, spilled = move.spilled, updated_at = %s, epoch = %s
        FROM unnest(%s::bigint[], %s::int[], %s::bigint[], %s::bigint[], %s::bigint[])
            AS move (producer_id, partition, old, sequence, spilled)
        WHERE state.producer_id = move.producer_id AND state.partition = move.partition
            AND state.sequence = move.old
    """  # noqa: S608
    columns = [list(column) for column in zip(*moves, strict=True)]
    with connection.cursor() as cursor:
        cursor.execute(statement, [now, epoch, *columns])
        return int(cursor.rowcount)


@contextmanager
def snapshot() -> Iterator[None]:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        yield


def analyze(table: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"ANALYZE {table}")


def table_bytes(table: str) -> int | None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_total_relation_size(%s::regclass)", [table])
        return int(cursor.fetchone()[0])


def _array(numbers: Iterable[int]) -> str:
    """Return an array literal, which PostgreSQL parses far faster than ARRAY[...].

    The text of a list takes a third of the time of one text for each number.
    """
    return f"{{{str(list(numbers))[1:-1]}}}"
