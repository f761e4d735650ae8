"""The id of a request: in its response, its log records, and the tasks that it sends."""

import logging
import re
import secrets
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from typing import Any

from celery.signals import before_task_publish, task_postrun, task_prerun

HEADER = "X-Request-ID"
# Other ids of clients are replaced, because they would get into the logs as they are.
is_valid = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII).fullmatch

request_id: ContextVar[str] = ContextVar("request_id", default="")


class RequestIdMiddleware:
    """WSGI middleware that takes the id from the header, or makes one."""

    def __init__(self, application: Callable[..., Iterable[bytes]]) -> None:
        self.application = application

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        given = environ.get("HTTP_X_REQUEST_ID", "")
        own = given if is_valid(given) else secrets.token_hex(8)
        request_id.set(own)  # until the thread's next request sets its own

        def start(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
            return start_response(status, [*headers, (HEADER, own)], *error)

        return self.application(environ, start)


class RequestIdFilter(logging.Filter):
    """Adds the id to each log record."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = request_id.get()
        return True


@before_task_publish.connect
def add_to_task(headers: dict[str, Any], **kwargs: Any) -> None:
    if own := request_id.get():
        headers["request_id"] = own


@task_prerun.connect
def set_from_task(task: Any, **kwargs: Any) -> None:
    request_id.set(task.request.get("request_id") or "")


@task_postrun.connect
def clear(**kwargs: Any) -> None:
    request_id.set("")
