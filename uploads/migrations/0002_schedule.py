"""The entries of Celery beat, which an operator edits in the admin from then on."""

from typing import Any

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps
from django.utils import timezone

PROCESS, COMPARE = "Process the uploads", "Compare stored files with their rows"


def schedule(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    interval = apps.get_model("django_celery_beat", "IntervalSchedule")
    every_second, _ = interval.objects.get_or_create(every=1, period="seconds")
    every_hour, _ = interval.objects.get_or_create(every=1, period="hours")
    entries: dict[str, dict[str, Any]] = {
        PROCESS: {
            "task": "uploads.process",
            "interval": every_second,
            "queue": "uploads",
            "expire_seconds": 2,
        },
        COMPARE: {"task": "uploads.compare", "interval": every_hour},
    }
    for name, entry in entries.items():
        apps.get_model("django_celery_beat", "PeriodicTask").objects.update_or_create(
            name=name, defaults=entry
        )
    tell_beat(apps)


def unschedule(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    periodic = apps.get_model("django_celery_beat", "PeriodicTask")
    periodic.objects.filter(name__in=[PROCESS, COMPARE]).delete()
    tell_beat(apps)


def tell_beat(apps: StateApps) -> None:
    """Have a running beat read its entries again: the models of a migration send no signals."""
    apps.get_model("django_celery_beat", "PeriodicTasks").objects.update_or_create(
        ident=1, defaults={"last_update": timezone.now()}
    )


class Migration(migrations.Migration):
    dependencies = (
        ("uploads", "0001_initial"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    )
    operations = (migrations.RunPython(schedule, unschedule),)
