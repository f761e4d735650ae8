"""No migration may stop the service: an old web server runs beside it, and tables are large."""

from collections.abc import Iterable

import pytest
from django.db import connection, migrations, models
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState
from django_migration_linter.sql_analyser import (  # type: ignore[attr-defined]
    analyse_sql_statements,
    get_sql_analyser_class,
)

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.postgres,  # its locks, and what the linter knows of them
]
ADVICE = "docs/how-to/migrate.md says how it is done without a stop"
# The last of each app before the first release: until then no installation has large tables. Of
# counters the ninth gives tables and columns their present names, and the tenth has the event store
# in place of the batches: that needs a stop.
RELEASED = {"accounts": 5, "books": 1, "counters": 12, "films": 2, "pages": 2, "uploads": 2}
# An old flusher must fail, and no web server writes these tables.
MEANT = {("counters", "0015_keys"): {"NOT_NULL"}}


def stops(operations: Iterable[Operation], state: ProjectState, app: str) -> list[str]:
    """Return what of these operations locks a table for long, or breaks an older web server."""
    with connection.schema_editor(collect_sql=True, atomic=False) as editor:
        for operation in operations:
            if operation.reduces_to_sql:
                before = state.clone()
                operation.state_forwards(app, state)
                operation.database_forwards(app, editor, before, state)
    analyser = get_sql_analyser_class(connection.vendor, "postgresql")
    errors, _, warnings = analyse_sql_statements(analyser, editor.collected_sql)
    return [issue.code for issue in (*errors, *warnings)]


@pytest.fixture(scope="module")
def loader() -> MigrationLoader:
    """All migrations; the database is not asked."""
    return MigrationLoader(None)


@pytest.fixture(scope="module")
def latest(loader: MigrationLoader) -> ProjectState:
    """The state after all migrations, with its models. A test changes a copy."""
    state = loader.project_state()
    state.apps  # noqa: B018  # made once; else by each copy
    return state


def test_no_migration_since_the_first_release_stops_the_service(loader: MigrationLoader) -> None:
    found = {}
    for key, migration in loader.disk_migrations.items():
        if int(key[1][:4]) > RELEASED.get(key[0], 9999):
            state = loader.project_state(migration.dependencies)
            found[key] = {*stops(migration.operations, state, key[0])} - MEANT.get(key, set())

    assert {key: issues for key, issues in found.items() if issues} == {}, ADVICE


@pytest.mark.parametrize(
    "operation",
    [
        migrations.AddField("page", "needed", models.IntegerField()),
        migrations.AddIndex("page", models.Index(fields=["created_at"], name="tried")),
        migrations.RemoveField("page", "title"),
        migrations.RenameField("page", "title", "name"),
        migrations.AlterField("page", "title", models.IntegerField()),
    ],
    ids=lambda operation: type(operation).__name__,
)
def test_what_would_stop_it_is_found(operation: Operation, latest: ProjectState) -> None:
    assert stops([operation], latest.clone(), "pages")


def test_a_field_that_may_be_empty_stops_nothing(latest: ProjectState) -> None:
    operation = migrations.AddField("page", "more", models.IntegerField(null=True))

    assert not stops([operation], latest.clone(), "pages")
