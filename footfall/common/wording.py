"""Numbers and durations as text, in the language of the reader."""

from django.utils.formats import number_format
from django.utils.translation import gettext as _


def number(value: float | None) -> str:
    """Return 1234567 as 1,234,567, and None as a question mark."""
    if value is None:
        return "?"
    decimals = 0 if value >= 10 or value == int(value) else 1
    return str(number_format(round(value, decimals), decimal_pos=decimals, force_grouping=True))


def duration(seconds: float | None) -> str:
    """Return a duration in its largest unit: 90 is "1 min". None is a dash."""
    if seconds is None:
        return "-"
    if seconds < 60:
        return _("%d s") % seconds
    if seconds < 3600:
        return _("%d min") % (seconds // 60)
    if seconds < 2 * 86_400:
        return _("%d h") % (seconds // 3600)
    return _("%d d") % (seconds // 86_400)


def percent(change: float) -> str:
    """Return 0.25 as "+25 %", and 20 as a factor of 21."""
    if change > 9:
        return f"\N{MULTIPLICATION SIGN}{number(round(change + 1))}"
    return f"{round(change * 100):+d} %"


def direction(change: float) -> str:
    """Return "up", "down", or "same" where `percent` says zero."""
    rounded = round(change * 100)
    return "up" if rounded > 0 else "down" if rounded else "same"


def share(part: float) -> str:
    """Return 0.25 as "25 %"; what is more than nothing is not 0 %."""
    return "< 1 %" if 0 < part < 0.01 else f"{round(part * 100)} %"
