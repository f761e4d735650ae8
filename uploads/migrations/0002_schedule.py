"""The entries of Celery beat, which an operator edits in the admin from then on."""

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

from footfall.ops.schedule import put, remove

ENTRIES = {
    "Process the uploads": {
        "task": "uploads.process",
        "every": 1,
        "period": "seconds",
        "queue": "uploads",
        "expire_seconds": 2,
    },
    "Compare stored files with their rows": {
        "task": "uploads.compare",
        "every": 1,
        "period": "hours",
    },
}


def schedule(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    put(apps, ENTRIES)


def unschedule(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    remove(apps, ENTRIES)


class Migration(migrations.Migration):
    dependencies = (
        ("uploads", "0001_initial"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    )
    operations = (migrations.RunPython(schedule, unschedule),)
