"""SQLite from 3.35: `json_each` turns a text into rows. It has one writer at a time: no locks."""

import json
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import date, datetime
from itertools import chain
from typing import Any

from django.db import OperationalError, connection, models, transaction

from footfall.models import Carried, ClientKey, ProducerState, VisitorSketch
from footfall.sql.batch import (
    MAX_COUNTER,
    Move,
    as_json,
    condition,
    has_targets,
    hourly_names,
    names_of,
    stamp,
)
from footfall.sql.visits import Visited

ROWS_PER_TRANSACTION = 300_000
WAITS_FOR_ROWS = True
"""It has no locks of rows."""
LEAST = "MIN"
ADD_TIMES = """
    WHERE true ON CONFLICT (content_type_id, beside, target_id, {window}, visitor)
    DO UPDATE SET times = {table}.times + EXCLUDED.times
"""
BUSY = 5
"""SQLITE_BUSY, in the lowest byte of its error codes."""


def lock_timeout(using: str) -> AbstractContextManager[None]:
    return nullcontext()


def set_local_lock_timeout(using: str) -> None:
    """There is none: a transaction has waited before it begins."""


def is_lock_timeout(error: OperationalError) -> bool:
    return getattr(error.__cause__, "sqlite_errorcode", 0) & 0xFF == BUSY


def add_counts(
    model: type[models.Model], ids: Sequence[int], views: Sequence[int]
) -> dict[int, int]:
    table, key, counter = names_of(model)
    added = "json_extract(added.value, '$[1]')"
    statement = f"""
        UPDATE {table} SET {counter} = MIN({counter}, {MAX_COUNTER} - {added}) + {added}
            {stamp(model)}
        FROM json_each(%s) AS added
        WHERE {table}.{key} = json_extract(added.value, '$[0]'){condition(model, table)}
        RETURNING {key}, {counter}
    """  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(statement, [as_json(zip(ids, views, strict=True))])
        return dict(cursor.fetchall())


def set_counts(model: type[models.Model], ids: Sequence[int], counters: Sequence[int]) -> None:
    table, key, counter = names_of(model)
    statement = f"""
        UPDATE {table} SET {counter} = json_extract(wanted.value, '$[1]'){stamp(model)}
        FROM json_each(%s) AS wanted
        WHERE {table}.{key} = json_extract(wanted.value, '$[0]'){condition(model, table)}
    """  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(statement, [as_json(zip(ids, counters, strict=True))])


def select_ids(model: type[models.Model], ids: Sequence[int], *, lock: bool) -> set[int]:
    table, key, _ = names_of(model)
    statement = f"""
        SELECT {key} FROM {table}
        WHERE {key} IN (SELECT value FROM json_each(%s)){condition(model, table)}
    """  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(statement, [json.dumps(ids)])
        return {target for (target,) in cursor.fetchall()}


def add_carried(content_type: int, columns: Sequence[Sequence[int]]) -> None:
    statement = f"""
        INSERT INTO {Carried._meta.db_table} (content_type_id, target_id, views, since)
        SELECT %s, json_extract(value, '$[0]'), json_extract(value, '$[1]'),
            json_extract(value, '$[2]')
        FROM json_each(%s) WHERE true
        ON CONFLICT (content_type_id, target_id) DO UPDATE
        SET views = views + EXCLUDED.views, since = MIN(since, EXCLUDED.since)
    """  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(statement, [content_type, as_json(zip(*columns, strict=True))])


def add_hourly(
    table: type[models.Model],
    content_type: int,
    columns: Sequence[Sequence[int]],
    kinds: Sequence[str] = (),
) -> None:
    names, others = hourly_names(table, kinds)
    values = [f"json_extract(value, '$[{place}]')" for place in range(len(names))]
    target = ", target_id" if has_targets(table) else ""
    added = ", ".join(f"{name} = {name} + EXCLUDED.{name}" for name in ("views", *kinds))
    # Without the WHERE, SQLite would parse the ON as that of a join.
    statement = f"""
        INSERT INTO {table._meta.db_table} ({", ".join(["content_type_id", *names, *others])})
        SELECT %s, datetime({values[0]} * 3600, 'unixepoch'),
            {", ".join([*values[1:], *("0" for _ in others)])}
        FROM json_each(%s) WHERE true
        ON CONFLICT (content_type_id, hour{target}) DO UPDATE SET {added}
    """  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(statement, [content_type, as_json(zip(*columns, strict=True))])


def visit_rows(groups: Sequence[Visited]) -> tuple[str, list[Any]]:
    """Return SQL for a table `added` (id, visitor, times), and its parameters."""
    source = """(
        SELECT json_extract(value, '$[0]') AS id, json_extract(value, '$[1]') AS visitor,
            json_extract(value, '$[2]') AS times
        FROM json_each(%s)
    ) AS added"""
    return source, [as_json(chain.from_iterable(group.rows() for group in groups))]


def put_sketches(key: tuple[int, date, bool], columns: Sequence[Sequence[Any]]) -> None:
    rows = [value for row in zip(*columns, strict=True) for value in (*key, *row)]
    values = ", ".join(["(%s, %s, %s, %s, %s, %s)"] * len(columns[0]))
    statement = f"""
        INSERT INTO {VisitorSketch._meta.db_table}
            (content_type_id, day, beside, target_id, sketch, visitors)
        VALUES {values}
        ON CONFLICT (content_type_id, day, beside, target_id)
        DO UPDATE SET sketch = EXCLUDED.sketch, visitors = EXCLUDED.visitors
    """  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(statement, rows)


def add_keys(keys: Sequence[str], until: Sequence[int]) -> set[str]:
    statement = f"""
        INSERT INTO {ClientKey._meta.db_table} (hash, until)
        SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]')
        FROM json_each(%s) WHERE true
        ON CONFLICT (hash) DO NOTHING RETURNING hash
    """  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(statement, [as_json(zip(keys, until, strict=True))])
        return {key for (key,) in cursor.fetchall()}


def move_producer_states(moves: Sequence[Move], now: datetime, epoch: int) -> int:
    statement = f"""
        UPDATE {ProducerState._meta.db_table} SET sequence = json_extract(move.value, '$[3]'),
            spilled = json_extract(move.value, '$[4]'), updated_at = %s, epoch = %s
        FROM json_each(%s) AS move
        WHERE producer_id = json_extract(move.value, '$[0]')
            AND partition = json_extract(move.value, '$[1]')
            AND sequence = json_extract(move.value, '$[2]')
    """  # noqa: S608
    with connection.cursor() as cursor:
        at = connection.ops.adapt_datetimefield_value(now)
        cursor.execute(statement, [at, epoch, as_json(moves)])
        return int(cursor.rowcount)


@contextmanager
def snapshot() -> Iterator[None]:
    """Any transaction is one. This one only reads, and leaves the lock to a writer."""
    database: Any = connection
    mode, database.transaction_mode = database.transaction_mode, "DEFERRED"
    try:
        with transaction.atomic():
            yield
    finally:
        database.transaction_mode = mode


def analyze(table: str) -> None:
    """Nothing: its plans go by the keys here."""


def table_bytes(table: str) -> int | None:
    """SQLite knows only the size of the whole file."""
    return None
