"""Every request has an id: in its answer, in what it logs, and in the tasks that it asks for."""

import logging
import re
import secrets
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from typing import Any

from celery.signals import before_task_publish, task_postrun, task_prerun

HEADER = "X-Request-ID"
# What is longer or has other characters would get into the logs as a client wrote it.
well_formed = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII).fullmatch

request_id: ContextVar[str] = ContextVar("request_id", default="")


class Identified:
    """A WSGI application that gives each request of `application` its id."""

    def __init__(self, application: Callable[..., Iterable[bytes]]) -> None:
        self.application = application

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        given = environ.get("HTTP_X_REQUEST_ID", "")
        name = given if well_formed(given) else secrets.token_hex(8)
        request_id.set(name)  # the thread's next request sets its own

        def start(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
            return start_response(status, [*headers, (HEADER, name)], *error)

        return self.application(environ, start)


class OfRequest(logging.Filter):
    """Puts the id on each record."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = request_id.get()
        return True


@before_task_publish.connect
def send(headers: dict[str, Any], **kwargs: Any) -> None:
    if name := request_id.get():
        headers["request_id"] = name


@task_prerun.connect
def take(task: Any, **kwargs: Any) -> None:
    request_id.set(task.request.get("request_id") or "")


@task_postrun.connect
def put_back(**kwargs: Any) -> None:
    request_id.set("")
