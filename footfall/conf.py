"""Every setting of the counting, declared once: type, default, minimum and old name."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic, Self, TypeVar, cast, overload

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed

T = TypeVar("T")
R = TypeVar("R")
MIB = 1024**2
MAX_PARTITIONS = 256
"""So many an ingest looks for, whatever its own setting."""


@dataclass
class Setting(Generic[T]):
    """A setting of Django. `conf.NAME` is read from it once, and again after it has changed."""

    kind: type[T]
    default: T | None  # None: the project has to set it
    minimum: float | None = None
    old_name: str = ""
    maximum: float | None = None
    name: str = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, conf: None, owner: type) -> Self: ...
    @overload
    def __get__(self, conf: "Conf", owner: type) -> T: ...
    def __get__(self, conf: "Conf | None", owner: type) -> Self | T:
        if conf is None:
            return self
        # An attribute of the instance hides this descriptor: the next read is a plain one.
        vars(conf)[self.name] = value = self.read()
        return value

    def read(self) -> T:
        """Return the value. Raises `ImproperlyConfigured` if it is missing or invalid."""
        value: Any = getattr(settings, self.name, getattr(settings, self.old_name, self.default))
        if value is None:
            raise ImproperlyConfigured(f"The setting {self.name} is missing.")
        wanted, kinds = self.kind.__name__, (int, float) if self.kind is float else self.kind
        is_valid = isinstance(value, kinds)
        if self.minimum is not None:
            wanted += f", at least {self.minimum}"
            is_valid = is_valid and value >= self.minimum
        if self.maximum is not None:
            wanted += f", at most {self.maximum}"
            is_valid = is_valid and value <= self.maximum
        if not is_valid:
            raise ImproperlyConfigured(f"The setting {self.name} must be {wanted}, not {value!r}.")
        return cast(T, value)


class Conf:
    """Raises `ImproperlyConfigured` where the setting is missing or invalid."""

    COUNTERS_LOG_URL = Setting(str, None, old_name="EVENTLOG_URL")
    """Address of the Redis server that keeps the log and the cached pages."""
    COUNTERS_TEST_LOG_URL = Setting(str, "memory://")
    """The log of tests, under Django's test runner and pytest-django: `memory://` keeps it in the
    process, so they need no Redis. "": that of COUNTERS_LOG_URL."""
    COUNTERS_LOG_PREFIX = Setting(str, "footfall", old_name="EVENTLOG_PREFIX")
    """Every key in Redis begins with it."""
    COUNTERS_MODELS = Setting(list, [])
    """Models without a `CounterField` whose views are counted: `["wagtailcore.Page"]`."""
    COUNTERS_PARTITIONS = Setting(int, 8, 1, "EVENTLOG_PARTITIONS", MAX_PARTITIONS)
    COUNTERS_LOG_MAX_BYTES = Setting(int, 512 * MIB, 1, "EVENTLOG_MAX_BYTES")
    """Limit of all partitions together. Events beyond it go to the database."""
    COUNTERS_LOG_RETENTION_SECONDS = Setting(int, 600, 0, "EVENTLOG_RETENTION_SECONDS")
    """How long a counted event stays in the log, for a database that is restored."""
    COUNTERS_LOG_RETENTION_BYTES = Setting(int, 128 * MIB, 1, "EVENTLOG_RETENTION_BYTES")
    COUNTERS_LOG_TIMEOUT_SECONDS = Setting(float, 1.0, 0.01, "EVENTLOG_TIMEOUT_SECONDS")
    COUNTERS_WAIT_REPLICAS = Setting(int, 0, 0, maximum=10)
    """Replicas of Redis that must have an event before it is acknowledged. One that they do not
    have in half of the log's time-out goes to the database, too, and is counted once."""
    COUNTERS_CACHE_SECONDS = Setting(float, 300.0, 1, "PREPARED_SECONDS")
    """How long a cached page lives, and so how long a crash may leave one stale."""
    COUNTERS_CACHE_MAX_BYTES = Setting(int, 256 * MIB, 1, "PREPARED_MAX_BYTES")
    COUNTERS_BATCH_BYTES = Setting(int, 64 * MIB, 1)
    COUNTERS_BATCH_EVENTS = Setting(int, 50_000, 1)
    COUNTERS_HOURLY_DAYS = Setting(int, 400, 31)
    """Days for which views are kept by the hour, then by the day."""

    COUNTERS_KEEP_DAYS = Setting(int, 400, 0)
    """Days, of 24 hours in which the service ran, for which events are kept; 0: for ever. What has
    left the event store stays counted, by target and hour."""
    COUNTERS_STORE_MAX_BYTES = Setting(int, 0, 0)
    """Most bytes of data in the event store; 0: any number."""

    COUNTERS_VISITORS = Setting(bool, True)
    """Whether events say which visitor it was: a hash with a salt that is deleted."""
    COUNTERS_VISITOR_DAYS = Setting(int, 1, 1, maximum=366)
    """Days that a salt is used, and so a visitor is the same one."""
    COUNTERS_VISITORS_INTERVAL_SECONDS = Setting(float, 300.0, 0)
    """How often visitors are counted: it writes the sketches of all that was viewed."""
    COUNTERS_HONOUR_DNT = Setting(bool, False)
    """Whether a client that sends `DNT: 1` or `Sec-GPC: 1` is no visitor; its views count."""
    COUNTERS_AGENTS_PER_DAY = Setting(int, 2_000, 0)
    """New user agents that are kept per day; events of further ones have none. 0: of all."""
    COUNTERS_PROXIES = Setting(int, 0, 0)
    """Proxies that append to `X-Forwarded-For`; 0: it is ignored."""


conf = Conf()
SETTINGS: list[Setting[Any]] = [one for one in vars(Conf).values() if isinstance(one, Setting)]

_names = {name for setting in SETTINGS for name in (setting.name, setting.old_name)}
_clear = [vars(conf).clear]


def cached_until_change(build: Callable[[], R]) -> Callable[[], R]:
    """Call `build` once, and again after one of the settings above has changed."""
    cached = cache(build)
    _clear.append(cached.cache_clear)
    return cached


def clear_cached() -> None:
    """Build again, at its next use, what `cached_until_change` has built."""
    for clear in _clear:
        clear()


def _on_change(*, setting: str, **kwargs: object) -> None:
    if setting in _names:
        clear_cached()


setting_changed.connect(_on_change, dispatch_uid="counters.conf")
