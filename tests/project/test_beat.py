"""Two beats: one acts, the other takes over when it is gone."""

import signal
from collections.abc import Callable, Iterator
from datetime import timedelta
from uuid import uuid4

import pytest
from django.core.cache import cache
from django.utils import timezone
from django_celery_beat import schedulers
from django_celery_beat.models import PeriodicTask
from pytest_django import Settings

from loadtest.common.waiting import wait_until
from project import beat
from project.beat import OneOfMany
from project.celery import app

pytestmark = pytest.mark.django_db

Beat = Callable[[], OneOfMany]


@pytest.fixture
def new_beat(monkeypatch: pytest.MonkeyPatch) -> Iterator[Beat]:
    """Makes beats that share a lease of their own, and send nothing."""
    monkeypatch.setattr(beat, "KEY", f"beat-{uuid4().hex}")
    # It would close the connection on which the test's transaction is.
    monkeypatch.setattr(schedulers, "close_old_connections", lambda: None)
    PeriodicTask.objects.update(enabled=False)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield lambda: OneOfMany(app=app)
    for number, handler in handlers.items():
        signal.signal(number, handler)
    cache.delete(beat.KEY)


def test_one_of_two_beats_acts(new_beat: Beat) -> None:
    one, other = new_beat(), new_beat()
    for _ in range(3):
        one.tick()
        other.tick()

    assert (one.acts, other.acts) == (True, False)


def test_the_other_takes_over_from_one_that_ends(new_beat: Beat) -> None:
    one, other = new_beat(), new_beat()
    one.tick()
    one.close()
    other.tick()
    one.tick()

    assert (one.acts, other.acts) == (False, True)


def test_the_other_takes_over_from_one_that_is_stopped(
    new_beat: Beat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(beat, "LEASE", 0.2)
    one, other = new_beat(), new_beat()
    one.tick()

    def taken_over() -> bool:
        other.tick()
        return other.acts

    wait_until(taken_over, 5)


def test_the_end_of_a_standby_takes_the_lease_from_nobody(new_beat: Beat) -> None:
    one, other = new_beat(), new_beat()
    one.tick()
    other.tick()
    other.close()

    assert cache.get(beat.KEY) == one.name


def test_both_act_while_the_cache_is_away(new_beat: Beat, settings: Settings) -> None:
    one, other = new_beat(), new_beat()
    away = {**settings.CACHES["default"], "LOCATION": "redis://127.0.0.1:1"}
    settings.CACHES = {**settings.CACHES, "default": away}
    one.tick()
    other.tick()
    other.close()

    assert (one.acts, other.acts) == (True, True)


def test_a_new_one_knows_what_the_last_one_ran(new_beat: Beat) -> None:
    entry = PeriodicTask.objects.filter(task="counters.rank")
    entry.update(enabled=True, last_run_at=timezone.now() - timedelta(days=1))
    standby = new_beat()
    assert standby.schedule
    just_now = timezone.now()
    entry.update(last_run_at=just_now)

    standby.take_over()

    assert standby.schedule[entry.get().name].last_run_at == just_now


def test_a_clock_that_was_set_back_stops_nothing(new_beat: Beat) -> None:
    entry = PeriodicTask.objects.filter(task="counters.rank")
    entry.update(enabled=True, last_run_at=timezone.now() + timedelta(hours=1))
    one = new_beat()

    one.mend_clock()

    assert one.schedule[entry.get().name].last_run_at <= timezone.now()


def test_a_signal_ends_it_between_two_ticks_and_a_second_one_at_once(new_beat: Beat) -> None:
    one = new_beat()
    one.tick()
    signal.raise_signal(signal.SIGTERM)  # nothing is written while something else may be

    assert cache.get(beat.KEY) == one.name
    with pytest.raises(SystemExit):
        one.tick()
    with pytest.raises(SystemExit):
        signal.raise_signal(signal.SIGTERM)
