"""MariaDB has no index on an expression: there the two constraints are on generated columns."""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

CONSTRAINTS = {"username": 150, "email": 254}


def is_mariadb(schema_editor: BaseDatabaseSchemaEditor) -> bool:
    return getattr(schema_editor.connection, "mysql_is_mariadb", False)


def add(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    if not is_mariadb(schema_editor):
        return
    for name, length in CONSTRAINTS.items():
        # Invisible: no statement of Django's has to know of it.
        schema_editor.execute(
            f"ALTER TABLE accounts_user"
            f" ADD COLUMN {name}_lower varchar({length}) AS (LOWER({name})) PERSISTENT INVISIBLE,"
            f" ADD CONSTRAINT accounts_user_{name}_unique UNIQUE ({name}_lower)"
        )


def remove(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    if is_mariadb(schema_editor):
        for name in CONSTRAINTS:
            schema_editor.execute(f"ALTER TABLE accounts_user DROP COLUMN {name}_lower")


class Migration(migrations.Migration):
    dependencies = (("accounts", "0003_schedule"),)
    operations = (migrations.RunPython(add, remove, atomic=False),)
