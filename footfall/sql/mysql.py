"""MariaDB from 10.6 and MySQL from 8.0: `JSON_TABLE` turns a text into rows."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import islice
from typing import Any

from django.db import connection, models, transaction

from footfall.models import HourTotal, ProducerState, Rollup
from footfall.sql.batch import Move, as_json, names_of

MAX_ROWS = 100_000
"""Rows of one statement, 4 MB. A server rejects more than max_allowed_packet, 16 MB by default."""


def parts(given: Iterable[Sequence[Any]]) -> Iterator[str]:
    """Yield the rows as one JSON text for each statement: mostly one."""
    left = iter(given)
    while part := list(islice(left, MAX_ROWS)):
        yield as_json(part)


def rows(name: str, **columns: str) -> str:
    """Return SQL for a table `name` from a JSON array of arrays, with these columns and types."""
    listed = ", ".join(
        f"{column} {kind} PATH '$[{i}]'" for i, (column, kind) in enumerate(columns.items())
    )
    return f"JSON_TABLE(%s, '$[*]' COLUMNS ({listed})) AS {name}"


def add_counts(model: type[models.Model], counts: Mapping[int, int]) -> dict[int, int]:
    """Rows are locked in the order of the join: STRAIGHT_JOIN begins with the sorted ids.

    MySQL has no UPDATE ... RETURNING: a SELECT reads the new counters while the rows are locked.
    """
    table, key, counter = names_of(model)
    added = rows("added", id="BIGINT", views="BIGINT")
    joined = f"{added} STRAIGHT_JOIN {table} AS target ON target.{key} = added.id"
    update = f"UPDATE {joined} SET target.{counter} = target.{counter} + added.views"  # noqa: S608
    select = f"SELECT target.{key}, target.{counter} FROM {joined}"  # noqa: S608
    found: dict[int, int] = {}
    with connection.cursor() as cursor:
        for part in parts(counts.items()):
            cursor.execute(update, [part])
            cursor.execute(select, [part])
            found.update(cursor.fetchall())
    return found


def add_hourly(
    table: type[Rollup] | type[HourTotal], content_type: int, given: Sequence[tuple[int, ...]]
) -> None:
    target, its_id = (", target_id", ", added.target") if table is Rollup else ("", "")
    source = rows("added", hour="BIGINT", more="BIGINT", target="BIGINT")
    statement = f"""
        INSERT INTO {table._meta.db_table} (content_type_id, hour, views{target})
        SELECT %s, TIMESTAMP('1970-01-01') + INTERVAL added.hour HOUR, added.more{its_id}
        FROM {source} ON DUPLICATE KEY UPDATE views = views + added.more
    """  # noqa: S608
    with connection.cursor() as cursor:
        for part in parts(given):
            cursor.execute(statement, [content_type, part])


def move_producer_states(moves: Sequence[Move], now: datetime) -> int:
    """The row count is right: Django has the server count matched rows, not changed ones."""
    names = ("producer_id", "number", "old", "sequence", "spilled")
    source = rows("move", **dict.fromkeys(names, "BIGINT"))
    statement = f"""
        UPDATE {source} STRAIGHT_JOIN {ProducerState._meta.db_table} AS state
            ON state.producer_id = move.producer_id AND state.`partition` = move.number
            AND state.sequence = move.old
        SET state.sequence = move.sequence, state.spilled = move.spilled, state.updated_at = %s
    """  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(statement, [as_json(moves), connection.ops.adapt_datetimefield_value(now)])
        return int(cursor.rowcount)


@contextmanager
def snapshot() -> Iterator[None]:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        yield


def table_bytes(table: str) -> int | None:
    """Return the server's own statistics: MySQL keeps them for a day."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT data_length + index_length FROM information_schema.tables"
            " WHERE table_schema = DATABASE() AND table_name = %s",
            [table],
        )
        return int(cursor.fetchone()[0])
