"""The entry of Celery beat that keeps the table of the sessions bounded."""

from typing import Any

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps
from django.utils import timezone

CLEAR = "Remove sessions that have ended (clear_sessions)"


def schedule(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    interval = apps.get_model("django_celery_beat", "IntervalSchedule")
    every_day, _ = interval.objects.get_or_create(every=1, period="days")
    entry: dict[str, Any] = {"task": "accounts.clear_sessions", "interval": every_day}
    apps.get_model("django_celery_beat", "PeriodicTask").objects.update_or_create(
        name=CLEAR, defaults=entry
    )
    tell_beat(apps)


def unschedule(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    apps.get_model("django_celery_beat", "PeriodicTask").objects.filter(name=CLEAR).delete()
    tell_beat(apps)


def tell_beat(apps: StateApps) -> None:
    """Have a running beat read its entries again: the models of a migration send no signals."""
    apps.get_model("django_celery_beat", "PeriodicTasks").objects.update_or_create(
        ident=1, defaults={"last_update": timezone.now()}
    )


class Migration(migrations.Migration):
    dependencies = (
        ("accounts", "0004_mariadb_unique"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    )
    operations = (migrations.RunPython(schedule, unschedule),)
