import os
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
import redis

from eventlog import RedisLog
from tests.eventlog.proxy import Proxy


@pytest.fixture
def url() -> str:
    return os.environ["REDIS_URL"]


@pytest.fixture
def prefix() -> str:
    """A name of the test's own, so that tests share a Redis."""
    return f"test-{uuid4().hex}"


@pytest.fixture
def server(url: str, prefix: str) -> Iterator[redis.Redis]:
    """A client beside the log, to look at what is really there."""
    with redis.Redis.from_url(url) as client:
        yield client
        for key in client.scan_iter(f"{prefix}:*"):
            client.delete(key)


@pytest.fixture
def open_log(url: str, prefix: str, server: redis.Redis) -> Iterator[Callable[..., RedisLog]]:
    """Opens logs of the test's own prefix and closes them."""
    logs: list[RedisLog] = []

    def open_log(url: str = url, **options: Any) -> RedisLog:
        logs.append(RedisLog(url, prefix=prefix, **options))
        return logs[-1]

    yield open_log
    for log in logs:
        log.close()


@pytest.fixture
def log(open_log: Callable[..., RedisLog]) -> RedisLog:
    return open_log(retention_seconds=0)


@pytest.fixture
def proxy(url: str) -> Iterator[Proxy]:
    with Proxy(url) as proxy:
        yield proxy
