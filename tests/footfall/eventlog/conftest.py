import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis

from footfall.eventlog import RedisLog


@pytest.fixture
def url() -> str:
    return os.environ["REDIS_URL"]


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
