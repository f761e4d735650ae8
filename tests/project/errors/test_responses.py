"""Errors of the API are JSON."""

import logging
import os

import psycopg2
import pytest
from celery.beat import SchedulingError
from django.db import DatabaseError, ProgrammingError, connection
from django.test import Client, RequestFactory
from pytest_django import Settings

from catalog.pages.models import Page
from footfall.models import Spilled
from project.errors import responses
from project.errors.logs import UnavailableFilter
from tests.support import databases
from tests.support.proxy import Proxy


def test_an_address_that_leads_nowhere_is_json(client: Client) -> None:
    answer = client.get("/api/v1/nothing/")

    assert answer.status_code == 404
    assert answer.json() == {"detail": "There is nothing at this address."}


def test_what_django_refuses_is_json(client: Client) -> None:
    elsewhere = client.get("/api/v1/books/", headers={"Host": "evil.example"})
    fields = {f"field{number}": "x" for number in range(1_001)}
    overloaded = client.post("/api/v1/auth/token/login/", fields)

    for answer in (elsewhere, overloaded):
        assert answer.status_code == 400
        assert answer.json() == {"detail": "Malformed request."}


def test_what_is_nested_too_deeply_is_no_error_of_ours(client: Client) -> None:
    answer = client.post("/api/v1/auth/token/login/", "[" * 100_000, "application/json")

    assert answer.status_code == 400
    assert answer.json() == {"detail": "It is nested too deeply."}


def test_the_page_of_the_docs_has_no_options(client: Client) -> None:
    assert client.options("/api/v1/docs/").status_code == 405


def test_elsewhere_it_is_a_page(client: Client) -> None:
    answer = client.get("/nothing/")

    assert answer.status_code == 404
    assert answer["Content-Type"].startswith("text/html")


def test_an_unforeseen_error_is_json() -> None:
    answer = responses.server_error(RequestFactory().get("/api/v1/pages/"))
    page = responses.server_error(RequestFactory().get("/admin/"))

    assert answer.status_code == page.status_code == 500
    assert answer["Content-Type"] == "application/json"
    assert page["Content-Type"].startswith("text/html")


def test_a_database_that_ends_in_mid_statement_is_503() -> None:
    """For that psycopg2 has no class of its own."""
    ended = DatabaseError("server closed the connection unexpectedly\n\tThis probably means")
    ended.__cause__ = psycopg2.DatabaseError()
    request = RequestFactory().get("/api/v1/pages/")
    answer = responses.exception_handler(ended, {})
    try:
        raise ended
    except DatabaseError:
        outside = responses.server_error(request)

    assert answer
    assert (answer.status_code, outside.status_code) == (503, 503)
    assert answer["Retry-After"] == outside["Retry-After"] == "1"
    assert responses.exception_handler(ProgrammingError("no such table"), {}) is None
    assert responses.exception_handler(DatabaseError("no row was updated"), {}) is None


@pytest.mark.django_db
def test_without_redis_pages_are_answered_and_spilled(client: Client, settings: Settings) -> None:
    page = Page.objects.create(title="A page")
    with Proxy(os.environ["REDIS_URL"]) as proxy:
        settings.COUNTERS_LOG_URL = proxy.url

    answers = [client.get(f"/api/v1/pages/{page.pk}/") for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200] * 3
    assert Spilled.objects.count() == 3


@pytest.mark.django_db(transaction=True)
def test_without_the_database_the_answer_is_503(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = Page.objects.create(title="A page")
    databases.take_away(monkeypatch)

    answer = client.get(f"/api/v1/pages/{page.pk}/")

    monkeypatch.undo()
    connection.close()
    assert answer.status_code == 503
    assert answer["Retry-After"] == "1"
    assert answer.json() == {"detail": "Temporarily unavailable. Try again in a moment."}


@pytest.mark.django_db(transaction=True)
def test_without_the_database_the_admin_says_so(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.raise_request_exception = False
    client.cookies["sessionid"] = "x" * 32
    databases.take_away(monkeypatch)

    answer = client.get("/admin/")

    monkeypatch.undo()
    connection.close()
    assert (answer.status_code, answer["Retry-After"]) == (503, "1")
    assert answer.content == b"Temporarily unavailable. Try again in a moment."


def test_a_store_that_is_away_is_one_line() -> None:
    error = SchedulingError("refused")
    info = (SchedulingError, error, None)
    record = logging.LogRecord("celery", 40, "", 1, "Message Error: %s\n%s", ("x", "stack"), info)

    assert UnavailableFilter().filter(record)

    assert record.getMessage() == "Message Error: x: refused"
    assert record.exc_info is None


def test_an_answer_of_503_is_not_logged_twice() -> None:
    record = logging.LogRecord("django.request", 40, "", 1, "Service Unavailable", (), None)
    record.status_code = 503

    assert not UnavailableFilter().filter(record)
