"""What the logs leave out."""

import logging

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
    """Says in one line that a store is away: a stack every second tells nobody more."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, AWAY):
            line = record.getMessage().partition("\n")[0]
            cause = str(error).strip().partition("\n")[0]
            record.msg = line if cause in line else f"{line}: {cause}"
            record.args, record.exc_info, record.exc_text = (), None, None
        # The error handler of the API has said so, and why.
        return getattr(record, "status_code", None) != 503
