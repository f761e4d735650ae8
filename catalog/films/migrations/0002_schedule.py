"""The entry of Celery beat, which an operator edits in the admin from then on."""

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps
from django.utils import timezone

SWEEP = "Go on with generations that stand still (sweep)"


def schedule(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    interval = apps.get_model("django_celery_beat", "IntervalSchedule")
    every_15_seconds, _ = interval.objects.get_or_create(every=15, period="seconds")
    apps.get_model("django_celery_beat", "PeriodicTask").objects.update_or_create(
        name=SWEEP,
        defaults={"task": "films.sweep", "interval": every_15_seconds, "expire_seconds": 15},
    )
    tell_beat(apps)


def unschedule(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    apps.get_model("django_celery_beat", "PeriodicTask").objects.filter(name=SWEEP).delete()
    tell_beat(apps)


def tell_beat(apps: StateApps) -> None:
    """Have a running beat read its entries again: the models of a migration send no signals."""
    apps.get_model("django_celery_beat", "PeriodicTasks").objects.update_or_create(
        ident=1, defaults={"last_update": timezone.now()}
    )


class Migration(migrations.Migration):
    dependencies = (
        ("films", "0001_initial"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    )
    operations = (migrations.RunPython(schedule, unschedule),)
