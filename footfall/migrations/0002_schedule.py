"""The entries of Celery beat, which an operator edits in the admin from then on."""

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

from footfall.ops.schedule import put, remove

ENTRIES = {
    # A tick that waited for 2 seconds behind a flush is of no use: there are newer ones.
    "Count the views (flush)": {
        "task": "counters.flush",
        "every": 1,
        "period": "seconds",
        "queue": "counters",
        "expire_seconds": 2,
    },
    "Remove old batches and marks (prune)": {
        "task": "counters.prune",
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
        ("counters", "0001_initial"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    )
    operations = (migrations.RunPython(schedule, unschedule),)
