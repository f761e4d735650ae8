"""The settings of the counting, and what each of them is unless a project says otherwise."""

from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

MIB = 1024**2


class Conf:
    """Reads `settings.NAME`, and the default below where a project has no such setting."""

    EVENTLOG_URL: str
    """Of the Redis server that keeps the log: the one setting without a default."""
    EVENTLOG_PREFIX: str = "footfall"
    """What the names of all keys begin with."""
    EVENTLOG_PARTITIONS: int = 8
    EVENTLOG_MAX_BYTES: int = 512 * MIB
    """Of the log, all partitions together; what does not fit is kept in the database."""
    EVENTLOG_RETENTION_SECONDS: int = 600
    """How long an event stays in the log after it was counted, for a restored database."""
    EVENTLOG_RETENTION_BYTES: int = 128 * MIB
    EVENTLOG_TIMEOUT_SECONDS: float = 1.0
    PREPARED_SECONDS: float = 300.0
    """How long a prepared answer lives: that bounds memory, and what a crash may leave stale."""
    PREPARED_MAX_BYTES: int = 256 * MIB
    COUNTERS_BATCH_BYTES: int = 64 * MIB
    COUNTERS_BATCH_EVENTS: int = 50_000
    COUNTERS_HOURLY_DAYS: int = 400
    """How long views are kept by the hour; then by the day. The dashboard shows 30 days."""

    def __getattribute__(self, name: str) -> Any:
        try:
            return getattr(settings, name)
        except AttributeError:
            if name not in Conf.__annotations__:
                raise
        try:
            return getattr(Conf, name)
        except AttributeError:
            raise ImproperlyConfigured(f"The setting {name} is missing.") from None


conf = Conf()
