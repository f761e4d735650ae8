"""What the logs leave out, and how lines of clients are kept out of them."""

import logging
import unicodedata

import django.db
import kombu.exceptions
from celery.beat import SchedulingError

AWAY = (
    django.db.InterfaceError,
    django.db.OperationalError,
    kombu.exceptions.OperationalError,
    SchedulingError,
)


class StoreAway(logging.Filter):
    """Says in one line that a store is away: a stack every second tells no more."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, AWAY):
            line = record.getMessage().partition("\n")[0]
            cause = str(error).strip().partition("\n")[0]
            record.msg = line if cause in line else f"{line}: {cause}"
            record.args, record.exc_info, record.exc_text = (), None, None
        # The error handler of the API has said so, and why.
        return getattr(record, "status_code", None) != 503


class Line(logging.Formatter):
    """Writes each record so that only its first line begins at the margin.

    Clients choose names of files, paths and headers: their line ends and other control characters
    are written as escapes. The stack of an error is indented.
    """

    def format(self, record: logging.LogRecord) -> str:
        return "\n    ".join(plain(line) for line in super().format(record).split("\n"))

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # of the base class
        return super().formatMessage(record).replace("\n", "\\n")


def plain(line: str) -> str:
    """Return `line` with its control characters, and all that ends a line, escaped."""
    if line.isprintable():
        return line
    return "".join(map(escaped, line))


def escaped(character: str) -> str:
    # Control, format (it turns the direction of writing), surrogates; line and paragraph ends.
    if unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"}:
        return character.encode("unicode_escape").decode()
    return character
