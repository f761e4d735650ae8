"""Clocks that are turned: the database's, or that of a worker."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from unittest import mock

from footfall import identity


@contextmanager
def database_clock(**by: float) -> Iterator[None]:
    """Turn the database's clock, as far as ingest and prune ask it for the time."""
    moment, now = identity.moment, identity.database_now

    def turned() -> identity.Moment:
        found = moment()
        return found._replace(now=found.now + timedelta(**by))

    def turned_now() -> datetime:
        return now() + timedelta(**by)

    with (
        mock.patch("footfall.identity.moment", turned),
        mock.patch("footfall.ops.retention.moment", turned),
        mock.patch("footfall.identity.database_now", turned_now),
    ):
        yield


@contextmanager
def worker_clock(**by: float) -> Iterator[None]:
    """Turn the clock of this process."""
    at = datetime.now().astimezone() + timedelta(**by)
    with (
        mock.patch("django.utils.timezone.now", return_value=at),
        mock.patch("time.time", return_value=at.timestamp()),
    ):
        yield
