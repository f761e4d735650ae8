"""Filters of the dashboard's templates."""

from datetime import datetime

from django import template
from django.utils import timezone
from django.utils.translation import gettext as _

from footfall.common import wording

register = template.Library()


@register.filter
def number(value: float | None) -> str:
    """Format 1234567 as 1,234,567, and None as a question mark."""
    return "?" if value is None else wording.number(value)


@register.filter
def duration(seconds: float | None) -> str:
    return "-" if seconds is None else wording.duration(seconds)


@register.filter
def ago(at: datetime | None) -> str:
    """Return how long ago it was, in the largest unit."""
    if at is None:
        return _("never")
    seconds = max(0.0, (timezone.now() - at).total_seconds())
    return _("%s ago") % wording.duration(seconds)


@register.filter
def percent(change: float | None) -> str:
    return "" if change is None else wording.percent(change)
