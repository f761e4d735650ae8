"""The entries of Celery beat: migrations create them, then operators edit them in the admin."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.db.migrations.state import StateApps
from django.utils import timezone
from django_celery_beat.models import PeriodicTask


def put(apps: StateApps, entries: Mapping[str, Mapping[str, Any]]) -> None:
    """Create or update entries, by name.

    Each has its `task`, how often it runs as `every` and `period` ("seconds", "hours", "days"), and
    any other fields of a PeriodicTask.
    """
    interval = apps.get_model("django_celery_beat", "IntervalSchedule")
    for name, entry in entries.items():
        rest = dict(entry)
        every, _ = interval.objects.get_or_create(
            every=rest.pop("every"), period=rest.pop("period")
        )
        apps.get_model("django_celery_beat", "PeriodicTask").objects.update_or_create(
            name=name, defaults={**rest, "interval": every}
        )
    _tell_beat(apps)


def remove(apps: StateApps, names: Iterable[str]) -> None:
    """Remove the entries with these names."""
    periodic = apps.get_model("django_celery_beat", "PeriodicTask")
    periodic.objects.filter(name__in=list(names)).delete()
    _tell_beat(apps)


def entry_of_flush() -> PeriodicTask | None:
    """Return the entry that sends ticks of the flush; None if it is missing or disabled."""
    enabled = PeriodicTask.objects.filter(task="counters.flush", enabled=True)
    return enabled.select_related("interval").first()


def _tell_beat(apps: StateApps) -> None:
    """Make a running beat read its entries again: the models of a migration send no signals."""
    apps.get_model("django_celery_beat", "PeriodicTasks").objects.update_or_create(
        ident=1, defaults={"last_update": timezone.now()}
    )
