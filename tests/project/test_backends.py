"""Log, cache, throttles and broker at a Redis with a private certificate, and behind sentinels."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from typing import Any

import pytest
import redis
from celery import Celery
from django.core.cache.backends.redis import RedisCache
from kombu.exceptions import OperationalError
from limits import parse
from pytest_django import Settings
from redis.sentinel import Sentinel

from api import rate_limits
from footfall.eventlog import RedisLog, Refused
from footfall.eventlog.sentinel import master
from loadtest.common.waiting import wait_until
from project import backends
from tests.support.redis_sentinel import NAME, Node, RedisSentinel
from tests.support.stores import temporary_directory
from tests.support.tls import Authority, Encrypted

BACKEND = "django.core.cache.backends.redis.RedisCache"
Use = Callable[[str, str], None]
"""Writes something that has this name to the Redis at this address."""


def use_log(url: str, name: str) -> None:
    log = RedisLog(url, prefix=name)
    try:
        log.append(0, b"a", 0)
    finally:
        log.close()


def use_cache(url: str, name: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CACHE_URL", url)
        config = backends.cache({"socket_timeout": 1, "socket_connect_timeout": 1, "retry": None})
    cache = RedisCache(config["LOCATION"], {"OPTIONS": config["OPTIONS"], "KEY_PREFIX": name})
    cache.set("a", "1")
    assert cache.get("a") == "1"
    cache._cache.get_client().connection_pool.disconnect()


def use_broker(url: str, name: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CELERY_BROKER_URL", url)
        broker = backends.broker()
    app = Celery(broker=broker.url, set_as_current=False)
    app.conf.broker_use_ssl = broker.ssl
    app.conf.broker_transport_options = {
        "socket_timeout": 1, "socket_connect_timeout": 1, "max_retries": 1, **broker.options,
    }  # fmt: skip
    with app.connection_for_write() as connection:
        app.send_task("a", queue=name, connection=connection, ignore_result=True, retry=False)
        assert connection.SimpleQueue(name).get(timeout=5).headers["task"] == "a"
        app.send_task("a", queue=name, connection=connection, ignore_result=True, retry=False)


USES = [use_log, use_cache, use_broker]


@pytest.fixture(scope="module")
def authorities() -> Iterator[list[Authority]]:
    with ExitStack() as stack:
        directory = temporary_directory(stack)
        yield [Authority(directory / name) for name in ("known", "other")]


@pytest.fixture
def encrypted(authorities: list[Authority]) -> Iterator[int]:
    """The port of the Redis, with TLS."""
    with Encrypted(os.environ["REDIS_URL"], authorities[0]) as found:
        yield found.port


@pytest.mark.parametrize("use", USES)
def test_a_private_authority_is_named_in_the_address(
    use: Use, encrypted: int, authorities: list[Authority], prefix: str, server: redis.Redis
) -> None:
    use(f"rediss://127.0.0.1:{encrypted}/0?ssl_ca_certs={authorities[0].ca}", prefix)

    assert [*server.scan_iter(f"*{prefix}*")]


@pytest.mark.parametrize("use", USES)
def test_a_certificate_of_an_unknown_authority_is_refused(
    use: Use, encrypted: int, authorities: list[Authority], prefix: str, server: redis.Redis
) -> None:
    other = f"?ssl_ca_certs={authorities[1].ca}" if use is use_cache else ""

    with pytest.raises((Refused, redis.ConnectionError, OperationalError), match="CERTIFICATE"):
        use(f"rediss://127.0.0.1:{encrypted}/0{other}", prefix)

    assert not [*server.scan_iter(f"*{prefix}*")]


@pytest.fixture
def behind(sentinel: RedisSentinel) -> Iterator[RedisSentinel]:
    master.cache_clear()
    yield sentinel
    sentinel.mend()


def keys(node: Node, name: str) -> list[bytes]:
    with redis.Redis(port=node.port) as client:
        return [*client.scan_iter(f"*{name}*")]


@pytest.mark.parametrize("use", USES)
def test_sentinels_and_master_are_asked_with_tls(
    use: Use, behind: RedisSentinel, authorities: list[Authority], prefix: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """The sentinels name a server without TLS; what stands before it has the other port."""
    node, known = behind.master(), f"ssl_ca_certs={authorities[0].ca}"
    plain: Any = Sentinel.discover_master
    with ExitStack() as stack:
        one, server = (
            stack.enter_context(Encrypted(f"redis://127.0.0.1:{port}", authorities[0]))
            for port in (behind.sentinels[0].port, node.port)
        )
        monkeypatch.setattr(Sentinel, "discover_master", lambda *of: (plain(*of)[0], server.port))
        use(f"rediss+sentinel://127.0.0.1:{one.port}/0?service_name={NAME}&{known}", prefix)

    assert keys(node, prefix)


def test_a_promotion_takes_all_to_the_new_master(behind: RedisSentinel, prefix: str) -> None:
    for use in USES:
        use(behind.url, f"{prefix}:{use.__name__}")
    old = behind.master()
    old.kill()
    new = behind.wait_promoted(old)

    for use in USES:
        name = f"{prefix}:{use.__name__}"
        for key in keys(new, name):
            new.ask("DEL", key)
        wait_until(partial(is_used, use, behind.url, name), 20)
        assert keys(new, name)


def is_used(use: Use, url: str, name: str) -> bool:
    try:
        use(url, name)
    except (Refused, redis.RedisError, OperationalError):
        return False
    return True


def test_throttles_count_behind_sentinels(
    behind: RedisSentinel, settings: Settings, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CACHE_URL", behind.url)
    config = backends.cache({"socket_timeout": 1, "socket_connect_timeout": 1, "retry": None})
    settings.CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", **config}
    }
    rate_limits.breaker.succeeded()

    assert rate_limits.hit(parse("1/minute"), prefix) == 0.0
    assert rate_limits.hit(parse("1/minute"), prefix) > 0.0
    assert keys(behind.master(), prefix)
    rate_limits.shared_limiter.cache_clear()
