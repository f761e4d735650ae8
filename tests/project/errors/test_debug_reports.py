"""The debug page, which debug mode shows to any client."""

import html
import logging
from urllib.parse import quote, urlsplit

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path
from pytest_django import Settings

from project.urls import urlpatterns as ours

ODD = "p@ss w/rd<'\"\\&:1"
SETTINGS = ("mail", "cache", "database", "bucket", "day")
SENT = ("form", "query", "bearer", "nested", "raw", "typed", "session")


def of(word: str) -> str:
    """Return a secret that is not in the source lines that the debug page shows."""
    return f"{word}-5ecret"


class Connection:
    """Its `repr` has the password, like that of database clients."""

    def __init__(self, password: str) -> None:
        self.password = password

    def __repr__(self) -> str:
        return f"<Connection(host='db', password='{self.password}')>"


def fail(request: HttpRequest) -> HttpResponse:
    x = of("cache")
    parts = urlsplit(f"redis://:{x}@redis:6379/0")
    elsewhere = f"amqp://user:{of('typed')}@queue/0"
    dsn = f"host=db user=footfall password={of('typed')} dbname=footfall"
    nested = {"a": [{"password": of("nested")}, ("b", {"token": of("nested")})]}
    raw = {"password": of("raw").encode()}
    client = Connection(of("typed"))
    odd = [ODD]
    endless: list[object] = [{"password": of("nested")}]
    endless.append(endless)
    found = (x, parts, elsewhere, dsn, nested, raw, client, odd, endless)
    raise ValueError(f"no answer of redis://:{x}@redis:6379/0, {len(found)}, {ODD}")


urlpatterns = [path("fail/", fail), *ours]


@pytest.fixture
def client(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Client:
    settings.DEBUG = True
    settings.ROOT_URLCONF = __name__
    settings.EMAIL_HOST_PASSWORD = of("mail")
    settings.SOMEWHERE = {"LOCATION": f"redis://:{of('cache')}@redis:6379/0"}
    settings.OTHERS = [{"PASSWORD": of("database")}, {"PASSWORD": ODD}]
    monkeypatch.setenv("S3_SECRET_ACCESS_KEY", of("bucket"))
    monkeypatch.setenv("WORD_OF_THE_DAY_TOKEN", of("day"))
    client = Client(raise_request_exception=False)
    client.cookies["sessionid"] = of("session")
    return client


def page(client: Client, accept: str) -> str:
    environment = {  # which Django's runserver adds to every request
        "EMAIL_URL": f"smtp://someone:{of('mail')}@mail.example:587/",
        "BESIDE_URL": f"redis://:{quote(ODD, safe='')}@redis:6379/0",
        "TODAY": of("day"),
        "S3_SECRET_ACCESS_KEY": of("bucket"),
    }
    answer = client.post(
        f"/fail/?token={of('query')}",
        {"password": of("form"), "name": "Ada"},
        headers={"Accept": accept, "Authorization": f"Token {of('bearer')}"},
        **environment,  # type: ignore[arg-type]
    )
    assert answer.status_code == 500
    return answer.content.decode()


@pytest.mark.parametrize("accept", ["text/html", "text/plain"])
def test_the_page_of_an_error_shows_no_secret(client: Client, accept: str) -> None:
    shown = page(client, accept)

    # It is the page for developers, and is still of use to them.
    for text in ("ValueError", "redis://:***", "smtp://someone:***", "EMAIL_HOST_PASSWORD"):
        assert text in shown
    assert "Ada" in shown
    assert accept == "text/plain" or "endless" in shown
    leaked = [word for word in (*SETTINGS, *SENT) if of(word) in shown]
    assert leaked == []
    for form in (ODD, html.escape(ODD), html.escape(repr(ODD)[1:-1]), quote(ODD, safe="")):
        assert form not in shown


@pytest.mark.parametrize("address", ["/", "/api/v1/books/", "/admin/", "/nowhere", "/fail/"])
def test_a_host_that_is_not_allowed_gets_no_page(
    client: Client, address: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        answer = client.get(address, headers={"Host": "evil.example", "Accept": "text/html"})

    assert answer.status_code == 400
    assert len(answer.content) < 300
    assert "evil.example" not in answer.content.decode()
    assert "Invalid HTTP_HOST header: 'evil.example'" in caplog.text
