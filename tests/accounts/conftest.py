import os
from collections.abc import Callable, Iterator

import pytest
from pytest_django import Settings
from redis import Redis
from rest_framework.test import APIClient

from loadtest.common.ports import free_port
from tests.accounts.mailserver import MailServer


@pytest.fixture(autouse=True)
def no_throttles(no_throttles: None) -> None:
    """For every test here."""


@pytest.fixture
def api() -> APIClient:
    client = APIClient()
    client.default_format = "json"
    return client


@pytest.fixture
def by_mail(settings: Settings) -> Callable[[int], None]:
    """Sends mails to this port of this machine."""

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
def no_mail_server(by_mail: Callable[[int], None]) -> int:
    """The port for mails, on which no server listens yet."""
    port = free_port()
    by_mail(port)
    return port


@pytest.fixture
def redis() -> Iterator[Redis]:
    """The broker."""
    with Redis.from_url(os.environ["REDIS_URL"]) as client:
        yield client
