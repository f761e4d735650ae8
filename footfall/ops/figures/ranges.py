"""Pure: the range of time that the dashboard shows, as the query of its address says it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta

from django.utils.translation import gettext as _

from footfall.projections.series import DAY, Interval

DEFAULT = "24h"
OWN = "own"
LENGTHS = {"24h": (Interval.HOUR, 24), "7d": (Interval.DAY, 7), "30d": (Interval.DAY, 30),
           "12m": (Interval.DAY, 365)}  # fmt: skip
MAX_DAYS = 1_830
"""Of a range of one's own: five years."""
MAX_HOURLY, MAX_DAILY = 3, 100
"""Days that are shown by the hour, and by the day; more are shown by the week."""


@dataclass(frozen=True)
class Range:
    """Whole hours or days, UTC. `before` is as long, and ends where it begins."""

    name: str
    """A key of LENGTHS, or OWN."""
    since: datetime
    until: datetime
    interval: Interval
    error: str = ""
    """Why it is not the one that was asked for."""

    @property
    def before(self) -> datetime:
        return self.since - (self.until - self.since)

    @property
    def is_weekly(self) -> bool:
        return (self.until - self.since).days > MAX_DAILY

    @property
    def last_day(self) -> date:
        return (self.until - timedelta(microseconds=1)).date()

    @property
    def query(self) -> dict[str, str]:
        """What an address says to show it."""
        if self.name != OWN:
            return {"range": self.name}
        return {"from": self.since.date().isoformat(), "to": self.last_day.isoformat()}

    def change(self, views: float, before: float, now: datetime) -> float | None:
        """Compare with the period before, per hour, as long as the range has not ended yet.

        0.25: a quarter more. None: nothing to compare.
        """
        elapsed = (min(now, self.until) - self.since) / (self.until - self.since)
        if not before or elapsed <= 0:
            return None
        return views / elapsed / before - 1


def chosen(query: Mapping[str, str], now: datetime) -> Range:
    """Return the range of a query: `range`, or `from` and `to`. A wrong one has an `error`."""
    if query.get("from") or query.get("to"):
        try:
            return _own(query.get("from", ""), query.get("to", ""), now)
        except ValueError as reason:
            return replace(_latest(DEFAULT, now), error=str(reason))
    name = query.get("range") or DEFAULT
    if name not in LENGTHS:
        names = ", ".join(LENGTHS)
        error = _("There is no such range; these are: %(names)s.") % {"names": names}
        return replace(_latest(DEFAULT, now), error=error)
    return _latest(name, now)


def _latest(name: str, now: datetime) -> Range:
    interval, count = LENGTHS[name]
    return Range(name, *interval.latest(count, now), interval)


def _own(first: str, last: str, now: datetime) -> Range:
    """Return the range from one day to another, both included. Raises ValueError."""
    today = now.astimezone(UTC).date()
    until = _date(last) if last else today
    since = _date(first) if first else until
    if since > until:
        raise ValueError(_("The first day is after the last one."))
    if since > today:
        raise ValueError(_("The first day is in the future."))
    until = min(until, today)
    days = (until - since).days + 1
    if days > MAX_DAYS:
        raise ValueError(_("A range has at most %(days)d days.") % {"days": MAX_DAYS})
    start, end = (datetime.combine(day, time(), UTC) for day in (since, until))
    return Range(OWN, start, end + DAY, Interval.HOUR if days <= MAX_HOURLY else Interval.DAY)


def _date(text: str) -> date:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        found = date.min
    if found.year < 2000:  # no event is earlier
        raise ValueError(_("Not a day like 2025-11-21: %(text)s") % {"text": text[:40]})
    return found
