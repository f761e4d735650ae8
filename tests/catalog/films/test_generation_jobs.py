"""generate/ and tasks/: many categories or films, each generated once."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError
from django.utils import timezone
from pytest_django import Settings
from rest_framework.test import APIClient

from accounts.models import User
from catalog.films import samples, tasks
from catalog.films.models import Category, Film, GenerationJob, Kind, State
from project.celery import app
from tests.support.concurrency import run_at_once
from tests.support.films import make_category
from tests.support.people import client_of, make_user
from tests.support.schedule import scheduled

pytestmark = pytest.mark.django_db

FILMS, CATEGORIES = "/api/v1/films/generate/", "/api/v1/categories/generate/"


@pytest.fixture
def owner() -> User:
    return make_user(is_staff=True, is_superuser=True)


@pytest.fixture
def staff(owner: User) -> APIClient:
    return client_of(owner)


@pytest.fixture(autouse=True)
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The jobs that were sent to a worker; there is no worker in these tests."""
    told: list[str] = []
    monkeypatch.setattr(
        tasks.generate, "apply_async", lambda arguments, **_: told.append(arguments[0])
    )
    return told


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "BATCH", 7)


@pytest.mark.parametrize(
    ("address", "model"), [(FILMS, Film), (CATEGORIES, Category)], ids=["films", "categories"]
)
def test_many_are_made_and_the_task_tells_how_far_it_is(
    staff: APIClient, owner: User, told: list[str], address: str, model: Any, small_batches: None
) -> None:
    answer = staff.post(address, {"count": 50})
    assert answer.status_code == 202
    task = answer.json()["task"]
    assert answer["Location"] == f"/api/v1/tasks/{task}/"
    assert told == [task]
    progress = staff.get(answer["Location"]).json()
    assert (progress["state"], progress["done"], progress["total"]) == ("waiting", 0, 50)

    assert tasks.make_batch(GenerationJob.objects.get().pk)
    progress = staff.get(answer["Location"]).json()
    assert (progress["state"], progress["done"], progress["total"]) == ("running", 7, 50)

    tasks.generate(task)
    progress = staff.get(answer["Location"]).json()
    assert (progress["state"], progress["done"], progress["total"]) == ("done", 50, 50)
    made = model.objects.filter(owner=owner)
    assert made.count() == 50


def test_films_stand_in_the_categories_there_are(staff: APIClient) -> None:
    category = make_category()
    tasks.generate(staff.post(FILMS, {"count": 20}).json()["task"])
    assert set(Film.objects.values_list("category", flat=True)) == {category.pk}
    assert len(set(Film.objects.values_list("title", flat=True))) > 10


def test_films_without_a_category_bring_some(staff: APIClient) -> None:
    tasks.generate(staff.post(FILMS, {"count": 20}).json()["task"])
    assert Film.objects.count() == 20
    assert Category.objects.count() == 12


def test_categories_are_a_tree(staff: APIClient) -> None:
    tasks.generate(staff.post(CATEGORIES, {"count": 20}).json()["task"])
    assert Category.objects.filter(parent=None).count() == 4
    assert Category.objects.filter(parent__parent=None).count() == 20


def test_task_that_is_delivered_again_makes_nothing(staff: APIClient) -> None:
    task = staff.post(FILMS, {"count": 20}).json()["task"]
    for _ in range(3):
        tasks.generate(task)
    assert Film.objects.count() == 20


def test_crash_makes_nothing_twice(
    staff: APIClient, small_batches: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = staff.post(FILMS, {"count": 20}).json()["task"]
    tasks.make_batch(GenerationJob.objects.get().pk)
    with monkeypatch.context() as patch:
        patch.setattr(GenerationJob, "save", broken(KeyboardInterrupt))  # after the insert
        with pytest.raises(KeyboardInterrupt):
            tasks.generate(task)
    assert Film.objects.count() == GenerationJob.objects.get().done == 7

    tasks.generate(task)
    assert Film.objects.count() == GenerationJob.objects.get().done == 20


@pytest.mark.django_db(transaction=True)
def test_two_workers_at_once_make_nothing_twice(staff: APIClient, small_batches: None) -> None:
    task = staff.post(FILMS, {"count": 100}).json()["task"]
    run_at_once([lambda: tasks.generate(task)] * 3)
    assert Film.objects.count() == 100
    assert GenerationJob.objects.get().state == State.DONE


def test_task_that_cannot_be_done_says_so(
    staff: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = staff.post(FILMS, {"count": 20}).json()["task"]
    monkeypatch.setitem(samples.MAKERS, Kind.FILMS, broken(RuntimeError("No film")))
    with pytest.raises(RuntimeError):
        tasks.generate(task)
    progress = staff.get(f"/api/v1/tasks/{task}/").json()
    assert (progress["state"], progress["error"]) == ("failed", "RuntimeError('No film')")


def test_what_stands_still_is_started_again(
    staff: APIClient, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    task = staff.post(FILMS, {"count": 20}).json()["task"]
    with monkeypatch.context() as patch:
        patch.setitem(samples.MAKERS, Kind.FILMS, broken(IntegrityError("category gone")))
        tasks.generate(task)
    tasks.sweep()
    assert told == [task]  # it has only just been asked for

    GenerationJob.objects.update(updated_at=timezone.now() - timedelta(minutes=1))
    tasks.sweep()
    assert told == [task, task]
    tasks.generate(task)
    tasks.sweep()
    assert told == [task, task]
    GenerationJob.objects.update(created_at=timezone.now() - timedelta(days=8))
    tasks.sweep()
    assert not GenerationJob.objects.exists()
    assert str(scheduled("films.sweep").interval) == "every 15 seconds"


def test_while_the_broker_is_away_the_task_waits(
    staff: APIClient,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    settings: Settings,
) -> None:
    monkeypatch.undo()
    away = type(app)(broker="redis://127.0.0.1:1/0", set_as_current=False)
    away.conf.broker_transport_options = settings.CELERY_BROKER_TRANSPORT_OPTIONS
    monkeypatch.setattr(tasks.generate.__class__, "_app", away)
    answer = staff.post(FILMS, {"count": 20})
    assert answer.status_code == 202
    assert "films.generate was not sent" in caplog.text
    assert staff.get(answer["Location"]).json()["state"] == "waiting"


@pytest.mark.parametrize("count", [0, -1, 10_001, 10**30, "many", None, 1.5, []])
def test_number_that_is_too_large_or_none_is_refused(staff: APIClient, count: object) -> None:
    for address in (FILMS, CATEGORIES):
        answer = staff.post(address, {"count": count})
        assert (answer.status_code, list(answer.json())) == (400, ["count"])
    assert not GenerationJob.objects.exists()


def test_task_is_for_who_started_it_and_for_staff(staff: APIClient, owner: User) -> None:
    address = staff.post(FILMS, {"count": 1})["Location"]
    assert client_of(make_user(is_staff=True, is_superuser=True)).get(address).status_code == 200
    assert client_of(make_user()).get(address).status_code == 404
    assert client_of(None).get(address).status_code == 401
    User.objects.filter(pk=owner.pk).update(is_staff=False, is_superuser=False)
    assert staff.get(address).status_code == 200
    assert staff.get("/api/v1/tasks/00000000-0000-0000-0000-000000000000/").status_code == 404
    assert staff.get("/api/v1/tasks/1/").status_code == 404


def broken(error: Any) -> Any:
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail
