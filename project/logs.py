"""What the logs leave out."""

import logging

from celery.beat import SchedulingError
from kombu.exceptions import OperationalError


class BrokerAway(logging.Filter):
    """Says in one line that the broker is away: Celery adds a stack, once a second."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, OperationalError | SchedulingError):
            record.msg = record.getMessage().partition("\n")[0]
            record.args, record.exc_info, record.exc_text = (), None, None
        return True
