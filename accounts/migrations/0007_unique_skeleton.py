"""Names that look alike are taken once. On PostgreSQL the table is written meanwhile."""

from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

NAME = "accounts_user_skeleton_unique"
CONSTRAINT = models.UniqueConstraint(
    fields=("skeleton",),
    name=NAME,
    violation_error_message="A user with that username already exists.",
)


def add(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    if schema_editor.connection.vendor != "postgresql":
        schema_editor.add_constraint(apps.get_model("accounts", "User"), CONSTRAINT)
        return
    # An earlier try may have left one that is not valid.
    schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {NAME}")
    schema_editor.execute(f"CREATE UNIQUE INDEX CONCURRENTLY {NAME} ON accounts_user (skeleton)")


def remove(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(f"DROP INDEX {NAME}")
        return
    schema_editor.remove_constraint(apps.get_model("accounts", "User"), CONSTRAINT)


class Migration(migrations.Migration):
    atomic = False
    dependencies = (("accounts", "0006_names_and_confirmations"),)
    operations = (
        migrations.SeparateDatabaseAndState(
            [migrations.RunPython(add, remove, atomic=False)],
            [migrations.AddConstraint("user", CONSTRAINT)],
        ),
    )
