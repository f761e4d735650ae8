"""The entry of Celery beat, which an operator edits in the admin from then on."""

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

from footfall.ops.schedule import put, remove

ENTRIES = {
    "Send the welcome mails that wait (welcome_due)": {
        "task": "accounts.welcome_due",
        "every": 10,
        "period": "seconds",
        "expire_seconds": 10,
    }
}


def schedule(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    put(apps, ENTRIES)


def unschedule(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    remove(apps, ENTRIES)


class Migration(migrations.Migration):
    dependencies = (
        ("accounts", "0002_welcome"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    )
    operations = (migrations.RunPython(schedule, unschedule),)
