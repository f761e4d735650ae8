import os
from collections.abc import Iterator
from uuid import uuid4

import pytest
import redis
from django.test import Client
from pytest_django import Settings

from tests.catalog.pages.reading import Reader


@pytest.fixture
def client() -> Client:
    """Reads as through the web server."""
    return Reader()


@pytest.fixture(autouse=True)
def own_log(settings: Settings) -> Iterator[None]:
    """Views go to a log of the test's own."""
    settings.EVENTLOG_PREFIX = f"test-{uuid4().hex}"
    yield
    with redis.Redis.from_url(os.environ["REDIS_URL"]) as server:
        for key in server.scan_iter(f"{settings.EVENTLOG_PREFIX}:*"):
            server.delete(key)
