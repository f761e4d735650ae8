"""Celery, which a project may do without; and sending tasks while the broker may be away.

Nothing else of the product imports celery or kombu. Without them `is_installed` is False, a task is
a plain function that is never sent, and a step of a worker a plain class.
"""

import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from footfall.common.breaker import CircuitBreaker

if TYPE_CHECKING:
    from celery import Celery

try:
    from celery import bootsteps, shared_task
    from celery.app import app_or_default
    from kombu.exceptions import OperationalError
except ModuleNotFoundError as missing:
    if missing.name not in {"celery", "kombu"}:
        raise
    is_installed = False
    WorkerStep: type[Any] = object
    AWAY: tuple[type[Exception], ...] = (OSError,)
else:
    is_installed = True
    WorkerStep, AWAY = bootsteps.StartStopStep, (OperationalError, OSError)

logger = logging.getLogger(__name__)

Function = TypeVar("Function", bound=Callable[..., Any])

MAX_THREADS = 4

_breaker = CircuitBreaker(reset_after=5.0)
_sending: set[tuple[Any, ...]] = set()
_lock = threading.Lock()


def task(name: str, **options: Any) -> Callable[[Function], Any]:
    """Make a function a task of whichever app the project has, under this name.

    options: of a task of Celery.
    """

    def made(function: Function) -> Any:
        if not is_installed:
            return function
        decorate: Any = shared_task(name=name, **options)
        return decorate(function)

    return made


def current_app() -> "Celery | None":
    """Return the app of the project; None without Celery."""
    return app_or_default() if is_installed else None


def enqueue(task: Any, *arguments: Any, **options: Any) -> bool:
    """Send a task; return False if the broker is away, or Celery is not installed.

    That is known at once if the broker refuses the connection, and after `socket_timeout` of
    CELERY_BROKER_TRANSPORT_OPTIONS if it does not answer.

    task: a task, or a `signature` of its name. options: of `Task.apply_async`.
    """
    if not is_installed:
        return False
    try:
        task.apply_async(arguments, retry=False, **options)
    except AWAY as error:
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
