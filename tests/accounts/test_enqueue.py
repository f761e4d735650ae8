"""The task of the welcome e-mail is sent after the commit, without waiting for the broker."""

from threading import Barrier
from typing import cast

import pytest
from kombu.exceptions import OperationalError
from redis import Redis
from rest_framework.test import APIClient

from accounts import tasks
from accounts.models import Welcome
from footfall.common import celery
from footfall.common.breaker import CircuitBreaker
from loadtest.common.waiting import wait_until
from tests.accounts.people import ADA, USERS
from tests.support.schedule import scheduled

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def breaker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not open because of another test."""
    monkeypatch.setattr(celery, "_breaker", CircuitBreaker())


def test_beat_knows_the_sweep() -> None:
    assert scheduled("accounts.welcome_due").queue is None  # the ordinary one


@pytest.mark.django_db(transaction=True)
def test_registering_asks_a_worker_after_the_commit(api: APIClient, redis: Redis) -> None:
    pk = api.post(USERS, ADA).json()["id"]

    def asked() -> list[bytes]:
        waiting = cast(list[bytes], redis.lrange("celery", 0, -1))
        return [one for one in waiting if b"accounts.welcome" in one and b'"(%d,)"' % pk in one]

    wait_until(asked)
    assert api.post(USERS, ADA).status_code == 400  # which asks for nothing
    assert len(asked()) == 1
    redis.lrem("celery", 1, asked()[0].decode())


@pytest.mark.django_db(transaction=True)
def test_registration_does_not_wait_for_the_broker(
    api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broker does not answer before the registration has."""
    asked, answered = Barrier(2), Barrier(2)

    def hang(*args: object, **options: object) -> None:
        asked.wait(10)
        answered.wait(10)
        raise OperationalError("away")

    monkeypatch.setattr(tasks.welcome, "apply_async", hang)

    assert api.post(USERS, ADA).status_code == 201
    asked.wait(10)  # by now it has been asked, and hangs
    assert str(Welcome.objects.get()) == "waiting"
    answered.wait(10)
