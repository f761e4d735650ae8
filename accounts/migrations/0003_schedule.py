"""The entry of Celery beat, which an operator edits in the admin from then on."""

from typing import Any

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps
from django.utils import timezone

WELCOME = "Send the welcome mails that wait (welcome_due)"


def schedule(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    interval = apps.get_model("django_celery_beat", "IntervalSchedule")
    every_10_seconds, _ = interval.objects.get_or_create(every=10, period="seconds")
    entry: dict[str, Any] = {
        "task": "accounts.welcome_due",
        "interval": every_10_seconds,
        "expire_seconds": 10,
    }
    apps.get_model("django_celery_beat", "PeriodicTask").objects.update_or_create(
        name=WELCOME, defaults=entry
    )
    tell_beat(apps)


def unschedule(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    apps.get_model("django_celery_beat", "PeriodicTask").objects.filter(name=WELCOME).delete()
    tell_beat(apps)


def tell_beat(apps: StateApps) -> None:
    """Have a running beat read its entries again: the models of a migration send no signals."""
    apps.get_model("django_celery_beat", "PeriodicTasks").objects.update_or_create(
        ident=1, defaults={"last_update": timezone.now()}
    )


class Migration(migrations.Migration):
    dependencies = (
        ("accounts", "0002_welcome"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    )
    operations = (migrations.RunPython(schedule, unschedule),)
