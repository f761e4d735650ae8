"""The salts of visitors: made for the present window and the next, shared, and deleted.

A window is a day in UTC, or `COUNTERS_VISITOR_DAYS` of them. Two days after a day began, or one
after a window ended, nothing is left that could say who a visitor was. Only the database's clock
counts. If it jumps, visitors of that day are counted twice, and no view is lost.
"""

import secrets
from datetime import UTC, date, datetime, time, timedelta

from django.db.models import Q

from footfall.conf import conf
from footfall.identity import database_now
from footfall.models import Salt

DAY = timedelta(days=1)
BEGINNING = date(1970, 1, 1)


def window_of(now: datetime) -> tuple[date, date]:
    """Return the first days of the present window and of the next."""
    days = conf.COUNTERS_VISITOR_DAYS
    today = now.astimezone(UTC).date()
    first = today - (today - BEGINNING).days % days * DAY
    return first, first + days * DAY


def midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def make_salts(now: datetime) -> list[tuple[datetime, bytes]]:
    """Return when the present window and the next begin, and their salts; make what is missing.

    All processes get the same ones, however many make them at once.
    """
    days = window_of(now)
    rows = Salt.objects.filter(day__in=days).order_by("day")
    found = list(rows.all())
    if len(found) < len(days):
        new = [Salt(day=day, value=secrets.token_bytes(Salt.BYTES)) for day in days]
        Salt.objects.bulk_create(new, ignore_conflicts=True)
        found = list(rows.all())
    return [(midnight(row.day), bytes(row.value)) for row in found]


def keep_salts() -> None:
    """Make the salts of this window and the next, and delete old ones. Call it every hour.

    One for a day that is far ahead was made while the clock was wrong.
    """
    now = database_now()
    if conf.COUNTERS_VISITORS:
        make_salts(now)
    before = now.astimezone(UTC).date() - conf.COUNTERS_VISITOR_DAYS * DAY
    Salt.objects.filter(Q(day__lt=before) | Q(day__gt=window_of(now)[1])).delete()
