"""Indexes for quotas and expiry. On PostgreSQL the table is written meanwhile."""

from typing import Any

from django.db import migrations, models


class AddIndexConcurrently(migrations.AddIndex):
    """As Django's for PostgreSQL, and a plain index on other databases."""

    def database_forwards(self, app_label: str, schema_editor: Any, *states: Any) -> None:
        if schema_editor.connection.vendor != "postgresql":
            super().database_forwards(app_label, schema_editor, *states)
            return
        # An earlier try may have left one that is not valid.
        schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {self.index.name}")
        model = states[1].apps.get_model(app_label, self.model_name)
        schema_editor.execute(self.index.create_sql(model, schema_editor, concurrently=True))


class Migration(migrations.Migration):
    atomic = False
    dependencies = (("uploads", "0004_one_lease"),)
    operations = (
        AddIndexConcurrently(
            "file", models.Index(fields=["sender", "size"], name="uploads_file_sender")
        ),
        AddIndexConcurrently("file", models.Index(fields=["epoch"], name="uploads_file_epoch")),
    )
