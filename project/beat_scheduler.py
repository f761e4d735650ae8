"""The scheduler of Celery beat. Several may run at once: a tick that is doubled changes nothing."""

import signal
import threading
import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from celery.signals import beat_init
from django.db.models import DateTimeField, ExpressionWrapper, Q
from django.db.models.functions import Now
from django.utils import timezone
from django_celery_beat.models import IntervalSchedule
from django_celery_beat.schedulers import DatabaseScheduler, ModelEntry

TOLERANCE = timedelta(seconds=2)
EARLIER_EXPIRES = (2, 10, 15)
"""Seconds after which ticks of earlier versions expired: by the worker's clock, and so at once if
beat's was behind."""
MAX_WAIT = 1.0  # seconds between two ticks, and until a signal ends beat
PERIODS = {"days": timedelta(days=1), "hours": timedelta(hours=1), "seconds": timedelta(seconds=1)}


class Entry(ModelEntry):  # type: ignore[misc]  # django_celery_beat has no types
    @classmethod
    def to_model_schedule(cls, schedule: Any) -> tuple[Any, str]:
        """Store an interval in days or hours where that fits; django_celery_beat has seconds."""
        for period, length in PERIODS.items():
            if isinstance(schedule, timedelta) and not schedule % length:
                values = {"every": schedule // length, "period": period}
                found = IntervalSchedule.objects.filter(**values).first()
                return found or IntervalSchedule.objects.create(**values), "interval"
        model, field = super().to_model_schedule(schedule)
        return model, field

    def save(self) -> None:
        """Note the last run by the database's clock, with which it is compared elsewhere.

        In one statement: django_celery_beat reads the whole entry and writes it, every few seconds.
        """
        since = timezone.now() - self.model.last_run_at
        type(self.model).objects.filter(pk=self.model.pk).update(
            last_run_at=ExpressionWrapper(Now() - since, DateTimeField()),
            total_run_count=self.model.total_run_count,
        )


class Scheduler(DatabaseScheduler):  # type: ignore[misc]
    """Creates the entries of CELERY_BEAT_SCHEDULE that are missing, and leaves the others alone.

    `DatabaseScheduler` resets each of them at every start, also what an operator has changed.
    Only what earlier versions wrote themselves is taken back: see EARLIER_EXPIRES.
    """

    Entry = Entry
    is_stopping = False
    _looked_at = float("-inf")
    """When the database was asked for changes, by the monotonic clock."""

    def setup_schedule(self) -> None:
        tasks = [entry["task"] for entry in self.app.conf.beat_schedule.values()]
        expiring = self.Model.objects.filter(task__in=tasks, expire_seconds__in=EARLIER_EXPIRES)
        expiring.update(expire_seconds=None)
        super().setup_schedule()

    def update_from_dict(self, mapping: Mapping[str, Mapping[str, Any]]) -> None:
        entries = self.Model.objects
        missing = {
            name: entry
            for name, entry in mapping.items()
            if not entries.filter(Q(name=name) | Q(task=entry["task"])).exists()
        }
        super().update_from_dict(missing)

    def stop(self, number: int, frame: Any) -> None:
        """Handle a signal: stop before the next tick. A second signal stops at once."""
        if self.is_stopping:
            raise SystemExit
        self.is_stopping = True

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """Send what is due. Return the seconds until the next tick; SystemExit after a signal."""
        if self.is_stopping:
            raise SystemExit
        self.correct_last_runs()
        return min(float(super().tick(*args, **kwargs)), MAX_WAIT)

    def schedule_changed(self) -> bool:
        """Tell whether the schedule was edited; look every CELERY_BEAT_MAX_LOOP_INTERVAL.

        The base class asks the database several times in each tick.
        """
        now = time.monotonic()
        if now - self._looked_at < self.max_interval:
            return False
        self._looked_at = now
        return bool(super().schedule_changed())

    def correct_last_runs(self) -> None:
        """Set last runs that are in the future, after a clock change, to now. Celery would wait.

        An entry of the schedule has the last run that was read from the database, its model the one
        since. The heap has the times of the next runs, by the clock of then.
        """
        now = timezone.now()
        entries = list((self._schedule or {}).values())
        if all(entry.model.last_run_at <= now + TOLERANCE for entry in entries):
            return
        for entry in entries:
            entry.last_run_at = entry.model.last_run_at = min(entry.model.last_run_at, now)
        self._heap = None


@beat_init.connect
def handle_signals(sender: Any, **kwargs: Any) -> None:
    """Replace Celery's handler, which writes to the database and the broker.

    It deadlocks if the signal has interrupted a function that holds one of their locks. In a thread
    of a worker, the worker handles signals.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, sender.scheduler.stop)
