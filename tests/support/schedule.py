"""The entries of Celery beat."""

from django.conf import settings
from django_celery_beat.models import PeriodicTask

from project.beat_scheduler import Entry
from project.celery import app


def scheduled(task: str) -> PeriodicTask:
    """Return the entry of a task, as beat creates it in a new database."""
    (found,) = (item for item in settings.CELERY_BEAT_SCHEDULE.items() if item[1]["task"] == task)
    name, entry = found
    if task not in app.tasks:
        app.loader.import_default_modules()  # and run all checks
    assert task in app.tasks
    return Entry.from_entry(name, app=app, **entry).model
