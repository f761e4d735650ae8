"""Empties the tables after a test with transactions of its own, sooner than Django does it.

Django truncates every table, and makes content types and permissions again: that took longer than
most of these tests. Here only tables that have rows are emptied, and what migrations wrote stays.
Rows are deleted as long as they are few: for each truncated table PostgreSQL makes new files.
The connection stays, too: for a new one PostgreSQL starts a process that reads the catalogs again.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.core.management.color import no_style
from django.db import connection
from django.test import TransactionTestCase

from footfall.identity import ROW
from footfall.log import forget_owner
from footfall.models import Identity

MIGRATED = (ContentType, Permission)
"""Models of which migrations wrote rows."""
KEPT = {model._meta.db_table for model in (*MIGRATED, Identity)}
LARGE = 256 * 1024
"""Bytes. If one table is larger, all that have rows are truncated."""


@contextmanager
def emptied_quickly() -> Iterator[None]:
    """Have each test empty what it filled, and restore what it changed of what migrations wrote."""
    keep_keys_bare()
    migrated = rows()
    flush = TransactionTestCase._fixture_teardown  # type: ignore[attr-defined]

    def teardown(case: TransactionTestCase) -> None:
        nonlocal migrated
        found = [*zip(rows(), migrated, strict=True)]
        if all(now >= before for now, before in found):
            empty(filled())
            remove([now - before for now, before in found])
            keep_keys_bare()
            return
        flush(case)
        keep_keys_bare()
        migrated = rows()  # with other keys

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", teardown)
        patch.setattr(TransactionTestCase, "_should_reload_connections", lambda case: False)
        yield


def keep_keys_bare() -> None:
    """Give the database the identity of one from before: keys in Redis have the prefix alone."""
    before = {"name": "", "epoch": 0, "conflict_at": None}
    if not Identity.objects.filter(**before).exists():
        Identity.objects.update_or_create(pk=ROW, defaults=before)
        forget_owner()


def rows() -> list[set[tuple[Any, ...]]]:
    """Return those of MIGRATED, each with its key first; Django's own way takes twice as long."""
    found = []
    with connection.cursor() as cursor:
        for model in MIGRATED:
            cursor.execute(f"SELECT * FROM {model._meta.db_table}")  # noqa: S608
            found.append({*cursor.fetchall()})
    return found


def remove(more: list[set[tuple[Any, ...]]]) -> None:
    """Remove rows of MIGRATED, of models that only a test has, for example."""
    if any(more):
        for model, these in reversed([*zip(MIGRATED, more, strict=True)]):
            model._base_manager.filter(pk__in=[row[0] for row in these]).delete()
        ContentType.objects.clear_cache()


def filled() -> list[str]:
    """Return the tables that have rows, except for KEPT."""
    names = connection.introspection.django_table_names(only_existing=True, include_views=False)
    tables = sorted({*names} - KEPT)
    quoted = map(connection.ops.quote_name, tables)
    with connection.cursor() as cursor:
        questions = (f"EXISTS (SELECT 1 FROM {name})" for name in quoted)  # noqa: S608
        cursor.execute(f"SELECT {', '.join(questions)}")
        (found,) = cursor.fetchall()
    return [table for table, has_rows in zip(tables, found, strict=True) if has_rows]


def empty(tables: list[str]) -> None:
    if tables:
        if connection.vendor == "postgresql" and not are_large(tables):
            statements = deletions(tables)
        else:
            statements = connection.ops.sql_flush(
                no_style(), tables, reset_sequences=False, allow_cascade=True
            )
        connection.ops.execute_sql_flush(statements)


def are_large(tables: list[str]) -> bool:
    names = list(map(connection.ops.quote_name, tables))
    with connection.cursor() as cursor:
        cursor.execute("SELECT max(pg_relation_size(name::regclass)) FROM unnest(%s) name", [names])
        ((size,),) = cursor.fetchall()
    return bool(size > LARGE)


def deletions(tables: list[str]) -> list[str]:
    """Return statements that wait for writers, as TRUNCATE does. Keys are checked at the end."""
    names = list(map(connection.ops.quote_name, tables))
    lock = f"LOCK TABLE {', '.join(names)} IN EXCLUSIVE MODE"
    return ["; ".join([lock, *(f"DELETE FROM {name}" for name in names)])]  # noqa: S608
