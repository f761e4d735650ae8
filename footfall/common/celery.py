"""Sending Celery tasks while the broker may be away."""

import logging
import threading
from typing import Any

from kombu.exceptions import OperationalError

from footfall.common.breaker import CircuitBreaker

logger = logging.getLogger(__name__)

MAX_THREADS = 4

_breaker = CircuitBreaker(reset_after=5.0)
_sending: set[tuple[Any, ...]] = set()
_lock = threading.Lock()


def enqueue(task: Any, *arguments: Any, **options: Any) -> bool:
    """Send a task; return False if the broker is away.

    That is known at once if the broker refuses the connection, and after `socket_timeout` of
    CELERY_BROKER_TRANSPORT_OPTIONS if it does not answer.

    task: a task, or a `signature` of its name. options: of `Task.apply_async`.
    """
    try:
        task.apply_async(arguments, retry=False, **options)
    except (OperationalError, OSError) as error:
        logger.warning("the task %s was not sent: %s", task.name, error)
        return False
    return True


def enqueue_in_background(task: Any, *arguments: Any, **options: Any) -> None:
    """Send a task in a thread, so that the caller does not wait for the broker.

    The task is dropped if the same one is being sent, if `MAX_THREADS` others are, and for 5 s
    after the broker was away. So something else, like a periodic task, must make up for it.
    """
    key = (task.name, *arguments)
    with _lock:
        if key in _sending or len(_sending) >= MAX_THREADS or not _breaker.allows():
            return
        _sending.add(key)

    def send() -> None:
        try:
            was_sent = enqueue(task, *arguments, **options)
            (_breaker.succeeded if was_sent else _breaker.failed)()
        finally:
            _sending.discard(key)

    threading.Thread(target=send, daemon=True).start()
