"""The entry of Celery beat that keeps the table of the sessions bounded."""

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

from footfall.ops.schedule import put, remove

ENTRIES = {
    "Remove sessions that have ended (clear_sessions)": {
        "task": "accounts.clear_sessions",
        "every": 1,
        "period": "days",
    }
}


def schedule(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    put(apps, ENTRIES)


def unschedule(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    remove(apps, ENTRIES)


class Migration(migrations.Migration):
    dependencies = (
        ("accounts", "0004_mariadb_unique"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    )
    operations = (migrations.RunPython(schedule, unschedule),)
