"""The entry of Celery beat that wakes the flush, where beat keeps its entries in the database."""

from typing import Any

from django.apps import apps


def entry_of_flush() -> Any:
    """Return the `PeriodicTask`; None if there is none, it is disabled, or beat has no tables."""
    if not apps.is_installed("django_celery_beat"):
        return None
    entries = apps.get_model("django_celery_beat", "PeriodicTask").objects
    enabled = entries.filter(task="counters.flush", enabled=True)
    return enabled.select_related("interval").first()
