"""MariaDB from 10.6 and MySQL from 8.0: `JSON_TABLE` makes rows of a text."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from django.contrib.contenttypes.models import ContentType
from django.db import connection, models

from footfall.models import HourTotal, ProducerState, Rollup
from footfall.sql.batch import Added, Move, as_json, names_of, quoted

AT_ONCE = 100_000
"""Rows in one statement: 4 MB. A server takes no longer one than its max_allowed_packet: 16 MB."""


def parts(given: Iterable[Sequence[Any]]) -> Iterator[str]:
    """Yield what is given as the texts for as few statements as may be: mostly for one."""
    left = iter(given)
    while part := list(islice(left, AT_ONCE)):
        yield as_json(part)


def rows(name: str, **columns: str) -> str:
    """Return the table `name` that is made of an array of arrays, with those columns and types."""
    listed = ", ".join(
        f"{column} {kind} PATH '$[{i}]'" for i, (column, kind) in enumerate(columns.items())
    )
    return f"JSON_TABLE(%s, '$[*]' COLUMNS ({listed})) AS {name}"


def add_counts(model: type[models.Model], counts: Mapping[int, int]) -> dict[int, int]:
    """Rows are locked as the join finds them: STRAIGHT_JOIN begins with the sorted ids.

    An UPDATE returns nothing here. What it has made is read while the rows are locked.
    """
    table, key, counter = names_of(model)
    added = rows("added", id="BIGINT", views="BIGINT")
    joined = f"{added} STRAIGHT_JOIN {table} AS target ON target.{key} = added.id"
    update = f"UPDATE {joined} SET target.{counter} = target.{counter} + added.views"  # noqa: S608
    look = f"SELECT target.{key}, target.{counter} FROM {joined}"  # noqa: S608
    found: dict[int, int] = {}
    with connection.cursor() as cursor:
        for part in parts(counts.items()):
            cursor.execute(update, [part])
            cursor.execute(look, [part])
            found.update(cursor.fetchall())
    return found


def add_rollups(content_type: ContentType, added: Sequence[Added]) -> None:
    (table,) = quoted(Rollup._meta.db_table)
    source = rows("added", target="BIGINT", hour="DATETIME(6)", more="BIGINT")
    statement = f"""
        INSERT INTO {table} (content_type_id, target_id, hour, views)
        SELECT %s, added.target, added.hour, added.more FROM {source}
        ON DUPLICATE KEY UPDATE views = views + added.more
    """  # noqa: S608
    with connection.cursor() as cursor:
        for part in parts(added):
            cursor.execute(statement, [content_type.pk, part])


def add_totals(content_type: ContentType, views: Mapping[datetime, int]) -> None:
    (table,) = quoted(HourTotal._meta.db_table)
    source = rows("added", hour="DATETIME(6)", more="BIGINT")
    statement = f"""
        INSERT INTO {table} (content_type_id, hour, views)
        SELECT %s, added.hour, added.more FROM {source}
        ON DUPLICATE KEY UPDATE views = views + added.more
    """  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(statement, [content_type.pk, as_json(views.items())])


def move_producer_states(moves: Sequence[Move], now: datetime) -> int:
    """Django asks the server to count the rows that were found, not those that are different."""
    table, partition = quoted(ProducerState._meta.db_table, "partition")
    number = "BIGINT"
    source = rows(
        "move", producer_id=number, number=number, old=number, sequence=number, spilled=number
    )
    statement = f"""
        UPDATE {source} STRAIGHT_JOIN {table} AS state
            ON state.producer_id = move.producer_id AND state.{partition} = move.number
            AND state.sequence = move.old
        SET state.sequence = move.sequence, state.spilled = move.spilled, state.updated_at = %s
    """  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(statement, [as_json(moves), connection.ops.adapt_datetimefield_value(now)])
        return int(cursor.rowcount)
