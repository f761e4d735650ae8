"""The Celery application; its settings are the `CELERY_*` ones of `project.settings`."""

import os
from typing import Any

from celery import Celery
from celery.signals import task_postrun, task_prerun
from django.db import close_old_connections

from project import beat_thread
from project.middleware import request_id  # noqa: F401  # connects its signal handlers

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
# `migrate` runs Django's checks; in each worker they would load the URLs, with all views: 14 MB.
os.environ.setdefault("CELERY_SKIP_CHECKS", "1")

app = Celery("footfall")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

app.user_options["worker"].add(beat_thread.OPTION)
app.steps["worker"].add(beat_thread.BeatThread)
# By name: they can be imported only once the apps are loaded.
app.steps["worker"].update(
    (
        "footfall.worker:FlushWakeup",
        "uploads.processing.startup:ReportIsolation",
        "uploads.processing.wakeup:UploadsWakeup",
    )
)


@task_prerun.connect
@task_postrun.connect
def check_connections(task: Any, **kwargs: Any) -> None:
    """Close connections that are broken or too old, as Django does around a request.

    Celery would close each (see `CELERY_DB_REUSE_MAX`): a worker opened two a second.
    """
    if not task.request.is_eager:
        close_old_connections()
