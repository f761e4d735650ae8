"""Names that look alike are taken once. On PostgreSQL the table is written meanwhile."""

from typing import Any

from django.db import migrations, models

NAME = "accounts_user_skeleton_unique"


class AddUniqueConcurrently(migrations.AddConstraint):
    """As an index on PostgreSQL: a constraint would keep the table locked while it is made."""

    def database_forwards(self, app_label: str, schema_editor: Any, *states: Any) -> None:
        if schema_editor.connection.vendor != "postgresql":
            super().database_forwards(app_label, schema_editor, *states)
            return
        # An earlier try may have left one that is not valid.
        schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {NAME}")
        schema_editor.execute(
            f"CREATE UNIQUE INDEX CONCURRENTLY {NAME} ON accounts_user (skeleton)"
        )

    def database_backwards(self, app_label: str, schema_editor: Any, *states: Any) -> None:
        if schema_editor.connection.vendor != "postgresql":
            super().database_backwards(app_label, schema_editor, *states)
            return
        schema_editor.execute(f"DROP INDEX CONCURRENTLY {NAME}")


class Migration(migrations.Migration):
    atomic = False
    dependencies = (("accounts", "0006_names_and_confirmations"),)
    operations = (
        AddUniqueConcurrently(
            "user",
            models.UniqueConstraint(
                fields=("skeleton",),
                name=NAME,
                violation_error_message="A user with that username already exists.",
            ),
        ),
    )
