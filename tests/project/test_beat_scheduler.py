"""Celery beat: its entries are the operators', and any number of beats may run."""

import signal
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from types import SimpleNamespace
from unittest import mock

import pytest
from celery import Task
from celery.beat import event_t
from django.apps import apps
from django.conf import settings
from django.core import mail
from django.utils import timezone
from django_celery_beat import schedulers
from django_celery_beat.models import IntervalSchedule, PeriodicTask
from pytest_django import DjangoAssertNumQueries

from accounts.models import User, Welcome
from catalog.pages.models import Content, Page, Text
from footfall import worker
from footfall.flush import project
from footfall.ops.facts import read_beat
from footfall.ops.workers import Workers
from footfall.record import record
from footfall.viewers.counts import count_agents
from loadtest.common.waiting import wait_until
from project.beat_scheduler import Entry, Scheduler, handle_signals
from project.celery import app

pytestmark = pytest.mark.django_db

TASKS = {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}


@pytest.fixture
def beat(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Scheduler]]:
    """Starts a beat."""
    # It would close the connection that the test's transaction is on.
    monkeypatch.setattr(schedulers, "close_old_connections", lambda: None)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    beats: list[Scheduler] = []

    def start() -> Scheduler:
        scheduler = Scheduler(app=app)
        beats.append(scheduler)
        handle_signals(SimpleNamespace(scheduler=scheduler))
        return scheduler

    app.loader.import_default_modules()
    yield start
    for scheduler in beats:
        scheduler._finalize.cancel()  # it would write at the end of the process
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the tasks that were sent. Each is run at once, here."""
    names: list[str] = []

    def run(task: "Task[..., object]", *args: object, **options: object) -> None:
        names.append(task.name)
        task()

    monkeypatch.setattr(Task, "apply_async", run)
    return names


def tick_until_idle(scheduler: Scheduler) -> None:
    while not scheduler.tick():
        pass


def test_a_new_database_gets_every_entry_once(beat: Callable[[], Scheduler]) -> None:
    beat()
    beat()

    entries = PeriodicTask.objects.exclude(task="celery.backend_cleanup")
    assert sorted(entry.task for entry in entries) == sorted(TASKS)
    assert set(app.tasks) >= TASKS
    assert not [entry.task for entry in entries if entry.expire_seconds or entry.expires]


def test_what_an_operator_has_changed_survives_a_restart(beat: Callable[[], Scheduler]) -> None:
    beat()
    slow = IntervalSchedule.objects.create(every=5, period="seconds")
    PeriodicTask.objects.filter(task="counters.flush").update(interval=slow, name="Flush")
    PeriodicTask.objects.filter(task="counters.rank").update(enabled=False)

    scheduler = beat()

    assert PeriodicTask.objects.get(task="counters.flush").interval == slow
    assert not PeriodicTask.objects.get(task="counters.rank").enabled
    assert "counters.rank" not in {entry.task for entry in scheduler.schedule.values()}


def rows() -> dict[str, list[dict[str, object]]]:
    """Return the database, without beat's own tables and the times that move with the clock."""
    models = [model for model in apps.get_models() if model._meta.app_label != "django_celery_beat"]
    found = {one._meta.label: list(one._base_manager.order_by("pk").values()) for one in models}
    for partition in (*found["counters.Partition"], *found["counters.Dashboard"]):
        del partition["states_since"]
    for ranking in found["counters.Ranking"]:  # computed again once it is five seconds old
        del ranking["computed_at"], ranking["seconds"]
    for count in found["counters.AgentCount"]:
        del count["counted_at"]
    return found


@pytest.mark.usefixtures("own_log")
def test_of_two_beats_the_ticks_of_the_second_change_nothing(
    beat: Callable[[], Scheduler], sent: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # In this thread: another one does not see the transaction of the test.
    monkeypatch.setattr(worker, "wake_projections", lambda is_quiet: project())
    monkeypatch.setattr(worker._ticks, "seconds", 0)
    text = Text.objects.create(title="A text", text="...")
    page = Page.objects.create(title="A page")
    Welcome.objects.create(user=User.objects.create_user("ada", "ada@example.com"))
    beat()
    PeriodicTask.objects.update(last_run_at=timezone.now() - timedelta(days=2))
    first, second = beat(), beat()
    for _ in range(3):
        record(page, [text])

    tick_until_idle(first)
    count_agents()  # ticks have no order: its own may have come before the flush
    once = rows()
    tick_until_idle(second)

    assert {task for task in TASKS if sent.count(task) < 2} == set()
    assert rows() == once
    assert Page.objects.get(pk=page.pk).counter == Content.objects.get(pk=text.pk).counter == 3
    assert [message.to for message in mail.outbox] == [["ada@example.com"]]


def test_a_clock_that_was_set_back_stops_nothing(beat: Callable[[], Scheduler]) -> None:
    beat()
    entry = PeriodicTask.objects.filter(task="counters.rank")
    entry.update(last_run_at=timezone.now() + timedelta(hours=1))
    scheduler = beat()

    scheduler.correct_last_runs()

    assert scheduler.schedule[entry.get().name].last_run_at <= timezone.now()


def test_a_running_beat_goes_on_when_its_clock_is_set_back(
    beat: Callable[[], Scheduler], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has run an hour ahead, and would wait for the next second of then."""
    sent: list[str] = []
    monkeypatch.setattr(Task, "apply_async", lambda task, *args, **options: sent.append(task.name))
    scheduler = beat()
    tick_until_idle(scheduler)
    entry = next(one for one in scheduler.schedule.values() if one.task == "counters.flush")
    ahead = timezone.now() + timedelta(hours=1)
    with mock.patch.object(Entry, "_default_now", return_value=ahead):
        following = scheduler.reserve(entry)
        heap = [event_t(scheduler._when(following, 1), 5, following)]
    monkeypatch.setattr(scheduler, "_heap", heap)
    sent.clear()

    wait_until(lambda: scheduler.tick() and "counters.flush" in sent, 10, "a tick")


def test_ticks_of_an_earlier_version_expire_no_more(beat: Callable[[], Scheduler]) -> None:
    """A worker compares the time with its own clock: 60 s ahead, it dropped every one of them."""
    beat()
    rank, prune = (
        PeriodicTask.objects.filter(task=f"counters.{name}") for name in ("rank", "prune")
    )
    rank.update(expire_seconds=10)
    prune.update(expire_seconds=1800)  # as an operator has decided

    scheduler = beat()

    expiring = {entry.task for entry in scheduler.schedule.values() if "expires" in entry.options}
    assert expiring & TASKS == {"counters.prune"}
    assert (rank.get().expire_seconds, prune.get().expire_seconds) == (None, 1800)


@pytest.mark.parametrize("seconds", [-60, 60])
def test_a_beat_whose_clock_is_wrong_is_seen_to_run(
    seconds: int, beat: Callable[[], Scheduler]
) -> None:
    beat()
    entry = Entry(PeriodicTask.objects.get(task="counters.flush"), app=app)
    wrong = timezone.now() + timedelta(seconds=seconds)
    entry.model.last_run_at = wrong

    with mock.patch("project.beat_scheduler.timezone.now", return_value=wrong):
        entry.save()

    assert not read_beat(Workers()).is_late(timezone.now())
    assert entry.model.last_run_at == wrong


def test_a_signal_ends_it_between_two_ticks_and_a_second_one_at_once(
    beat: Callable[[], Scheduler],
) -> None:
    scheduler = beat()
    PeriodicTask.objects.update(enabled=False)
    scheduler.tick()
    signal.raise_signal(signal.SIGTERM)  # nothing is written while something else may be

    with pytest.raises(SystemExit):
        scheduler.tick()
    with pytest.raises(SystemExit):
        signal.raise_signal(signal.SIGTERM)


def test_an_edited_schedule_is_noticed_within_five_seconds(beat: Callable[[], Scheduler]) -> None:
    scheduler = beat()
    tick_until_idle(scheduler)
    PeriodicTask.objects.get(task="accounts.clear_sessions").save()

    with mock.patch("project.beat_scheduler.time.monotonic", return_value=time.monotonic() + 5):
        assert scheduler.schedule_changed()


def test_a_calm_beat_asks_the_database_once_in_five_seconds(
    beat: Callable[[], Scheduler], django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    scheduler = beat()
    tick_until_idle(scheduler)

    with django_assert_num_queries(0):
        scheduler.tick()
