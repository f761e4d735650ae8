"""MariaDB from 10.6 and MySQL from 8.0: `JSON_TABLE` turns a text into rows."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from itertools import chain, islice
from typing import Any

from django.db import OperationalError, connection, connections, models, transaction

from footfall.common.chunks import chunks
from footfall.models import Carried, ClientKey, ProducerState, VisitorSketch
from footfall.sql.batch import (
    MAX_COUNTER,
    Move,
    as_json,
    condition,
    hourly_names,
    names_of,
    stamp,
)
from footfall.sql.visits import Visited

ROWS_PER_TRANSACTION = 100_000
WAITS_FOR_ROWS = False
"""Its time-outs are in seconds: always take the rows that are free."""
GAVE_UP = (1205, 1213)
"""Errors: lock wait timeout, deadlock."""
TIMEOUTS = ("innodb_lock_wait_timeout", "lock_wait_timeout")
"""Of rows; of tables that are being altered."""

BY_KEY = "FORCE INDEX (PRIMARY)"
"""Else a small table may be read as a whole, and rows be locked that are not wanted."""
LEAST = "LEAST"
ADD_TIMES = "ON DUPLICATE KEY UPDATE times = {table}.times + VALUES(times)"
ROWS_PER_INSERT = 5_000
MAX_ROWS = 100_000
"""Rows of one statement, 4 MB. A server rejects more than max_allowed_packet, 16 MB by default."""


@contextmanager
def lock_timeout(using: str) -> Iterator[None]:
    """Set the time-outs of the session, which has no others, to 1 s; afterwards as before."""
    kept = ", ".join(f"@footfall_{name} = @@{name}, {name} = 1" for name in TIMEOUTS)
    before = ", ".join(f"{name} = @footfall_{name}" for name in TIMEOUTS)
    connection = connections[using]
    with connection.cursor() as cursor:
        cursor.execute(f"SET {kept}")
    try:
        yield
    finally:
        if connection.connection and not connection.needs_rollback:
            with connection.cursor() as cursor:
                cursor.execute(f"SET {before}")


def set_local_lock_timeout(using: str) -> None:
    """There is none."""


def is_lock_timeout(error: OperationalError) -> bool:
    return bool(error.args) and error.args[0] in GAVE_UP


def parts(columns: Sequence[Sequence[int]]) -> Iterator[str]:
    """Yield the rows as one JSON text for each statement: mostly one."""
    left = zip(*columns, strict=True)
    while part := list(islice(left, MAX_ROWS)):
        yield as_json(part)


def rows(name: str, **columns: str) -> str:
    """Return SQL for a table `name` from a JSON array of arrays, with these columns and types."""
    listed = ", ".join(
        f"{column} {kind} PATH '$[{i}]'" for i, (column, kind) in enumerate(columns.items())
    )
    return f"JSON_TABLE(%s, '$[*]' COLUMNS ({listed})) AS {name}"


def add_counts(
    model: type[models.Model], ids: Sequence[int], views: Sequence[int]
) -> dict[int, int]:
    """Rows are locked in the order of the join: STRAIGHT_JOIN begins with the sorted ids.

    MySQL has no UPDATE ... RETURNING: a SELECT reads the new counters while the rows are locked.
    """
    table, key, counter = names_of(model)
    added = rows("added", id="BIGINT", views="BIGINT")
    on = f"target.{key} = added.id{condition(model)}"
    joined = f"{added} STRAIGHT_JOIN {table} AS target {BY_KEY} ON {on}"
    sum_of = f"LEAST(target.{counter}, {MAX_COUNTER} - added.views) + added.views"
    update = f"UPDATE {joined} SET target.{counter} = {sum_of}{stamp(model)}"  # noqa: S608
    select = f"SELECT target.{key}, target.{counter} FROM {joined}"  # noqa: S608
    found: dict[int, int] = {}
    with connection.cursor() as cursor:
        for part in parts((ids, views)):
            cursor.execute(update, [part])
            cursor.execute(select, [part])
            found.update(cursor.fetchall())
    return found


def set_counts(model: type[models.Model], ids: Sequence[int], counters: Sequence[int]) -> None:
    table, key, counter = names_of(model)
    wanted = rows("wanted", id="BIGINT", views="BIGINT")
    statement = f"""
        UPDATE {wanted} STRAIGHT_JOIN {table} AS target {BY_KEY}
        ON target.{key} = wanted.id{condition(model)}
        SET target.{counter} = wanted.views{stamp(model)}
    """  # noqa: S608
    with connection.cursor() as cursor:
        for part in parts((ids, counters)):
            cursor.execute(statement, [part])


def select_ids(model: type[models.Model], ids: Sequence[int], *, lock: bool) -> set[int]:
    table, key, _ = names_of(model)
    wanted = rows("wanted", id="BIGINT")
    statement = f"""
        SELECT target.{key} FROM {wanted}
        STRAIGHT_JOIN {table} AS target {BY_KEY} ON target.{key} = wanted.id{condition(model)}
        {"FOR UPDATE SKIP LOCKED" if lock else ""}
    """  # noqa: S608
    found: set[int] = set()
    with connection.cursor() as cursor:
        for part in parts((ids,)):
            cursor.execute(statement, [part])
            found.update(target for (target,) in cursor.fetchall())
    return found


def add_carried(content_type: int, columns: Sequence[Sequence[int]]) -> None:
    source = rows("added", target="BIGINT", more="BIGINT", at="BIGINT")
    statement = f"""
        INSERT INTO {Carried._meta.db_table} (content_type_id, target_id, views, since)
        SELECT %s, added.target, added.more, added.at FROM {source}
        ON DUPLICATE KEY UPDATE views = views + added.more, since = LEAST(since, added.at)
    """  # noqa: S608
    with connection.cursor() as cursor:
        for part in parts(columns):
            cursor.execute(statement, [content_type, part])


def add_hourly(
    table: type[models.Model],
    content_type: int,
    columns: Sequence[Sequence[int]],
    kinds: Sequence[str] = (),
) -> None:
    names, others = hourly_names(table, kinds)
    # No column of `added` has the name of one of the table.
    source = rows("added", **{f"added_{name}": "BIGINT" for name in names})
    selected = [f"added.added_{name}" for name in names[1:]] + ["0" for _ in others]
    sums = ", ".join(f"{name} = {name} + added.added_{name}" for name in ("views", *kinds))
    statement = f"""
        INSERT INTO {table._meta.db_table} ({", ".join(["content_type_id", *names, *others])})
        SELECT %s, TIMESTAMP('1970-01-01') + INTERVAL added.added_hour HOUR, {", ".join(selected)}
        FROM {source} ON DUPLICATE KEY UPDATE {sums}
    """  # noqa: S608
    with connection.cursor() as cursor:
        for part in parts(columns):
            cursor.execute(statement, [content_type, part])


def visit_rows(groups: Sequence[Visited]) -> tuple[str, list[Any]]:
    """Return SQL for a table `added` (id, visitor, times), and its parameters."""
    source = rows("added", id="BIGINT", visitor="BIGINT", times="BIGINT")
    return source, [as_json(chain.from_iterable(group.rows() for group in groups))]


def put_sketches(key: tuple[int, date, bool], columns: Sequence[Sequence[Any]]) -> None:
    rows = [value for row in zip(*columns, strict=True) for value in (*key, *row)]
    values = ", ".join(["(%s, %s, %s, %s, %s, %s)"] * len(columns[0]))
    statement = f"""
        INSERT INTO {VisitorSketch._meta.db_table}
            (content_type_id, day, beside, target_id, sketch, visitors)
        VALUES {values}
        ON DUPLICATE KEY UPDATE sketch = VALUES(sketch), visitors = VALUES(visitors)
    """  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(statement, rows)


def add_keys(keys: Sequence[str], until: Sequence[int]) -> set[str]:
    """MySQL has no INSERT ... RETURNING: what is there is looked for first.

    One that is added between the two statements is an IntegrityError.
    """
    left = dict(zip(keys, until, strict=True))
    wanted = list(left)
    for some in chunks(wanted, ROWS_PER_INSERT):
        stored = ClientKey.objects.filter(pk__in=some)
        for key in stored.values_list("pk", flat=True):
            del left[key.hex]
    rows = [ClientKey(hash=key, until=until) for key, until in left.items()]
    ClientKey.objects.bulk_create(rows, batch_size=ROWS_PER_INSERT)
    return set(left)


def move_producer_states(moves: Sequence[Move], now: datetime, epoch: int) -> int:
    """The row count is right: Django has the server count matched rows, not changed ones."""
    names = ("producer_id", "number", "old", "sequence", "spilled")
    source = rows("move", **dict.fromkeys(names, "BIGINT"))
    statement = f"""
        UPDATE {source} STRAIGHT_JOIN {ProducerState._meta.db_table} AS state {BY_KEY}
            ON state.producer_id = move.producer_id AND state.`partition` = move.number
            AND state.sequence = move.old
        SET state.sequence = move.sequence, state.spilled = move.spilled,
            state.updated_at = %s, state.epoch = %s
    """  # noqa: S608
    with connection.cursor() as cursor:
        at = connection.ops.adapt_datetimefield_value(now)
        cursor.execute(statement, [as_json(moves), at, epoch])
        return int(cursor.rowcount)


@contextmanager
def snapshot() -> Iterator[None]:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        yield


def analyze(table: str) -> None:
    """Nothing: its plans go by the keys here."""


def table_bytes(table: str) -> int | None:
    """Return the server's own statistics: MySQL keeps them for a day."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT data_length + index_length FROM information_schema.tables"
            " WHERE table_schema = DATABASE() AND table_name = %s",
            [table],
        )
        return int(cursor.fetchone()[0])
