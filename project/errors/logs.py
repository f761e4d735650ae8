"""Log output: short records for unavailable services, and no line breaks from clients."""

import logging
import unicodedata

import kombu.exceptions
from celery.beat import SchedulingError

from footfall.common.unavailable import is_database_away

BROKER_AWAY = (kombu.exceptions.OperationalError, SchedulingError)


class UnavailableFilter(logging.Filter):
    """Logs an unavailable database or broker in one line, without a traceback every second."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, BROKER_AWAY) or is_database_away(error):
            line = record.getMessage().partition("\n")[0]
            cause = str(error).strip().partition("\n")[0]
            record.msg = line if cause in line else f"{line}: {cause}"
            record.args, record.exc_info, record.exc_text = (), None, None
        # The API's exception handler has logged the 503, with its reason.
        return getattr(record, "status_code", None) != 503


class SafeFormatter(logging.Formatter):
    """Formats each record so that only its first line starts at the left margin.

    Clients choose file names, paths and headers, so line breaks and other control characters are
    escaped. Tracebacks are indented.
    """

    def format(self, record: logging.LogRecord) -> str:
        lines = super().format(record).split("\n")
        return "\n    ".join(map(escape, lines))

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # of the base class
        return super().formatMessage(record).replace("\n", "\\n")


def escape(line: str) -> str:
    """Escape control, format (changes of direction), surrogate, line and paragraph breaks."""
    if line.isprintable():  # nearly all are
        return line
    return "".join(
        character.encode("unicode_escape").decode()
        if unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"}
        else character
        for character in line
    )
