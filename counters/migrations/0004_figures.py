"""Celery beat computes the most viewed, and the hours before this migration get their totals."""

from typing import Any

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps
from django.db.models import Sum
from django.utils import timezone

RANK = "Compute the most viewed (rank)"


def schedule(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    interval = apps.get_model("django_celery_beat", "IntervalSchedule")
    every_10_seconds, _ = interval.objects.get_or_create(every=10, period="seconds")
    entry: dict[str, Any] = {
        "task": "counters.rank",
        "interval": every_10_seconds,
        "expire_seconds": 10,
    }
    apps.get_model("django_celery_beat", "PeriodicTask").objects.update_or_create(
        name=RANK, defaults=entry
    )
    tell_beat(apps)


def unschedule(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    apps.get_model("django_celery_beat", "PeriodicTask").objects.filter(name=RANK).delete()
    tell_beat(apps)


def tell_beat(apps: StateApps) -> None:
    """Have a running beat read its entries again: the models of a migration send no signals."""
    apps.get_model("django_celery_beat", "PeriodicTasks").objects.update_or_create(
        ident=1, defaults={"last_update": timezone.now()}
    )


def add_up(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    rollups = apps.get_model("counters", "Rollup").objects
    total = apps.get_model("counters", "HourTotal")
    sums = rollups.order_by().values("content_type_id", "hour").annotate(views=Sum("views"))
    total.objects.bulk_create((total(**one) for one in sums.iterator()), batch_size=1000)


class Migration(migrations.Migration):
    dependencies = (
        ("counters", "0003_dashboard"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    )
    operations = (
        migrations.RunPython(schedule, unschedule),
        migrations.RunPython(add_up, migrations.RunPython.noop),
    )
