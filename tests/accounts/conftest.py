import os
from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest
from pytest_django import Settings
from redis import Redis
from rest_framework.test import APIClient

from api.throttling import Throttle
from loadtest.ports import free_port
from tests.accounts.mailserver import MailServer


@pytest.fixture(autouse=True)
def rates(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """No limits; a test that is about them sets its own."""
    monkeypatch.setattr(Throttle, "THROTTLE_RATES", NoLimits())

    def limit(**rates: str) -> None:
        # Its account may have the number that another test's had.
        monkeypatch.setattr(Throttle, "cache_format", f"{uuid4().hex}_%(scope)s_%(ident)s")
        monkeypatch.setattr(Throttle, "THROTTLE_RATES", NoLimits(rates))

    return limit


class NoLimits(dict[str, str | None]):
    def __missing__(self, scope: str) -> None:
        return None


@pytest.fixture
def api() -> APIClient:
    client = APIClient()
    client.default_format = "json"
    return client


@pytest.fixture
def by_mail(settings: Settings) -> Callable[[int], None]:
    """Has mails go to this port of this machine."""

    def by_mail(port: int) -> None:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port
        settings.EMAIL_TIMEOUT = 2

    return by_mail


@pytest.fixture
def mail_server(by_mail: Callable[[int], None]) -> Iterator[MailServer]:
    with MailServer() as server:
        by_mail(server.port)
        yield server


@pytest.fixture
def nobody_listens(by_mail: Callable[[int], None]) -> int:
    """A port, where mails are to go, but where there is no server yet."""
    port = free_port()
    by_mail(port)
    return port


@pytest.fixture
def redis() -> Iterator[Redis]:
    """The broker."""
    with Redis.from_url(os.environ["REDIS_URL"]) as client:
        yield client
