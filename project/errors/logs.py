"""Log output: short records for unavailable services, and no line breaks from clients."""

import logging
import unicodedata

import django.db
import kombu.exceptions
from celery.beat import SchedulingError

UNAVAILABLE = (
    django.db.InterfaceError,
    django.db.OperationalError,
    kombu.exceptions.OperationalError,
    SchedulingError,
)


class UnavailableFilter(logging.Filter):
    """Logs an unavailable database or broker in one line, without a traceback every second."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, UNAVAILABLE):
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
        return "\n    ".join(escape_line(line) for line in super().format(record).split("\n"))

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # of the base class
        return super().formatMessage(record).replace("\n", "\\n")


def escape_line(line: str) -> str:
    """Return `line` with its control characters and Unicode line breaks escaped."""
    if line.isprintable():
        return line
    return "".join(map(escape, line))


def escape(character: str) -> str:
    # Control, format (which changes the direction of text), surrogate, line and paragraph breaks.
    if unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"}:
        return character.encode("unicode_escape").decode()
    return character
