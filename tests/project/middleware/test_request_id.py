"""The id of a request is in its response, its log records and its tasks."""

import io
import json
import logging
import logging.config
from collections.abc import Iterable
from typing import Any

import pytest
from celery.signals import before_task_publish, task_postrun, task_prerun
from django.conf import settings

from project.celery import app
from project.middleware.request_id import RequestIdMiddleware, request_id


def ask(given: str | None = None) -> tuple[str, str]:
    """Return the ids in the response and in the application."""
    seen: list[str] = []
    answered: list[tuple[str, str]] = []

    def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        seen.append(request_id.get())
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b""]

    environ = {} if given is None else {"HTTP_X_REQUEST_ID": given}
    RequestIdMiddleware(application)(environ, lambda status, headers: answered.extend(headers))
    return dict(answered)["X-Request-ID"], seen[0]


def test_a_request_without_an_id_gets_one() -> None:
    one, other = ask(), ask()

    assert one[0] == one[1] != other[0]
    assert len(one[0]) == 16


def test_an_id_that_came_with_it_is_kept() -> None:
    assert ask("from-the-proxy_1.2") == ("from-the-proxy_1.2", "from-the-proxy_1.2")


@pytest.mark.parametrize("given", ["", "two words", "a\nb", "a" * 65, "é", '"'])
def test_an_id_that_is_not_well_formed_is_not(given: str) -> None:
    assert ask(given)[0] != given


def test_json_logs_have_one_object_a_line_with_the_id() -> None:
    configured: Any = settings.LOGGING
    made = logging.config.DictConfigurator(configured)
    formatter = made.configure_formatter(dict(configured["formatters"]["json"]))
    id_filter = made.configure_filter(dict(configured["filters"]["request_id"]))
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(formatter)
    handler.addFilter(id_filter)
    logger = logging.Logger("tried")  # used by no other test
    logger.addHandler(handler)
    ask("from-the-proxy")

    logger.warning("name: %s", 'evil\n{"level": "made up"}')

    (line,) = out.getvalue().splitlines()
    found = json.loads(line)
    assert found["request_id"] == "from-the-proxy"
    assert (found["level"], found["logger"]) == ("WARNING", "tried")
    assert found["message"].endswith('evil\n{"level": "made up"}')


def test_a_task_has_the_id_of_who_asked_for_it() -> None:
    task = app.tasks["counters.prune"]
    headers: dict[str, Any] = {}
    ask("from-the-proxy")
    before_task_publish.send(sender=task.name, headers=headers)
    request_id.set("")

    task.push_request(**headers)  # as a worker does with the headers of a message
    task_prerun.send(sender=task, task=task)
    during = request_id.get()
    task_postrun.send(sender=task, task=task)
    task.pop_request()

    assert during == "from-the-proxy"
    assert request_id.get() == ""
