"""The fast path answers plain reads of cached pages, and leaves the rest to Django."""

from collections.abc import Iterable
from typing import Any

import pytest
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.test import RequestFactory
from pytest_django import Settings

from catalog.pages.fast_path import FastPath
from catalog.pages.models import Page
from footfall.flush import flush_all
from tests.catalog.pages.reading import Reader
from tests.support.pages import make_contents, make_page

pytestmark = pytest.mark.django_db


class Django:
    """The application behind the fast path; counts its requests."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.handler = WSGIHandler()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        self.asked.append(environ["PATH_INFO"])
        response: Any = self.handler.get_response(WSGIRequest(environ))
        start_response(f"{response.status_code} {response.reason_phrase}", list(response.items()))
        return [response.content]


class Asking:
    """Sends requests like a web server, and knows whether Django was needed."""

    def __init__(self) -> None:
        self.django = Django()
        self.fast_path = FastPath(self.django)

    def get(
        self, path: str, method: str = "GET", query: str = "", **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        made = RequestFactory().generic(method, path, headers=named, QUERY_STRING=query)
        environ = {**made.environ, "PATH_INFO": made.path_info.encode().decode("latin-1")}
        heads: list[Any] = []
        body = b"".join(self.fast_path(environ, lambda *head: heads.append(head)))
        ((status, fields, *_),) = heads
        return int(status[:3]), dict(fields), body

    def needed_django(self) -> bool:
        """Return whether Django was called since the last call of this."""
        needed, self.django.asked = bool(self.django.asked), []
        return needed


@pytest.fixture
def page() -> Page:
    """Return a page that is cached by one read."""
    page = make_page(*make_contents(2))
    assert Reader().get(address(page)).status_code == 200
    return page


@pytest.fixture
def asking(page: Page) -> Asking:
    return Asking()


def address(page: Page) -> str:
    return f"/api/v1/pages/{page.pk}/"


def test_prepared_page_needs_no_django(asking: Asking, page: Page) -> None:
    status, headers, body = asking.get(address(page))

    assert (status, asking.needed_django()) == (200, False)
    assert headers == {
        "Cache-Control": "no-store",
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "X-Frame-Options": "DENY",
    }
    assert flush_all() == 2


def test_headers_are_those_of_the_long_way(asking: Asking, page: Page) -> None:
    _, short, _ = asking.get(address(page))
    _, long, _ = asking.get(address(page), method="HEAD")
    assert asking.needed_django()
    assert short.items() <= long.items()


def test_scripts_of_an_allowed_origin_may_read_it(
    asking: Asking, page: Page, settings: Settings
) -> None:
    settings.CORS_ALLOWED_ORIGINS = ["https://www.example.com"]
    asking = Asking()
    found = {}
    for origin in ("https://www.example.com", "https://evil.example", "https://www.example.com"):
        _, short, _ = asking.get(address(page), origin=origin)
        assert not asking.needed_django()
        _, long, _ = asking.get(address(page), method="HEAD", origin=origin)
        assert asking.needed_django()
        assert {name for name in short if name.startswith("access-control")} == {
            name for name in long if name.startswith("access-control")
        }
        assert short.pop("Vary") == "origin"
        assert short.items() <= long.items()
        found[origin] = short.get("access-control-allow-origin")

    assert found == {
        "https://www.example.com": "https://www.example.com",
        "https://evil.example": None,
    }


def test_page_that_is_not_prepared_needs_django_once(asking: Asking) -> None:
    page = make_page(*make_contents(1))
    _, _, first = asking.get(address(page))
    assert asking.needed_django()
    assert asking.get(address(page))[2] == first
    assert not asking.needed_django()


def test_url_has_the_host_that_was_asked(asking: Asking, page: Page) -> None:
    for host in ("localhost", "127.0.0.1:8000", "[::1]", "localhost"):
        _, _, body = asking.get(address(page), host=host)
        assert f'"url":"http://{host}{address(page)}"'.encode() in body
    assert not asking.needed_django()


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost:8000:80", "localhost/x", 'localhost"', "local host", ""]
)
def test_host_that_is_not_allowed_is_refused_by_django(
    asking: Asking, page: Page, host: str
) -> None:
    for _ in range(2):
        status, _, body = asking.get(address(page), host=host)
        assert status == 400
        assert b'"url"' not in body
    assert asking.needed_django()
    assert flush_all() == 1


def test_hosts_that_proxies_claim_are_not_believed(asking: Asking, page: Page) -> None:
    _, _, body = asking.get(
        address(page), host="localhost", x_forwarded_host="evil.example", x_forwarded_proto="https"
    )
    assert f'"url":"http://localhost{address(page)}"'.encode() in body


def test_plain_http_is_sent_to_https(asking: Asking, page: Page, settings: Settings) -> None:
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_HSTS_SECONDS = 60
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    asking = Asking()

    status, headers, _ = asking.get(address(page))
    assert (status, headers["Location"]) == (301, f"https://testserver{address(page)}")
    assert asking.needed_django()

    status, headers, body = asking.get(address(page), host="localhost", x_forwarded_proto="https")
    assert (status, headers["Strict-Transport-Security"]) == (200, "max-age=60")
    assert b'"url":"https://localhost/' in body
    assert not asking.needed_django()
    assert flush_all() == 2


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "POST", "PUT", "DELETE"])
def test_other_methods_are_djangos(asking: Asking, page: Page, method: str) -> None:
    asking.get(address(page), method=method)
    assert asking.needed_django()
    assert flush_all() == 1


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/pages/{}",
        "/api/v1/pages/{}//",
        "/api/v1/pages/0{}/",
        "/api/v1/pages/+{}/",
        "/api/v1/pages/{}%0A/",
        "/api/v1/pages/{}/%0D%0ASet-Cookie:x=1/",
        "//api/v1/pages/{}/",
        "/api/v1/pages/999999999999999999999999{}/",
    ],
)
def test_other_addresses_are_djangos(asking: Asking, page: Page, path: str) -> None:
    _, headers, _ = asking.get(path.format(page.pk))
    assert asking.needed_django()
    assert "Set-Cookie" not in headers


def test_digits_of_other_scripts_are_djangos(asking: Asking, page: Page) -> None:
    asking.get("/api/v1/pages/%D9%A1/")
    assert asking.needed_django()


def test_query_that_means_nothing_changes_nothing(asking: Asking, page: Page) -> None:
    _, _, plain = asking.get(address(page))
    assert asking.get(address(page), query="utm=1&x=%0D%0A")[2] == plain
    assert not asking.needed_django()


@pytest.mark.parametrize(
    ("accept", "status", "short"),
    [
        ("*/*", 200, True),
        ("application/json", 200, True),
        ("text/html,*/*;q=0.8", 200, False),
        ("application/json; indent=2", 200, False),
        ("text/csv", 406, False),
    ],
)
def test_form_that_is_asked_for(
    asking: Asking, page: Page, accept: str, status: int, short: bool
) -> None:
    found, _, _ = asking.get(address(page), accept=accept)
    assert (found, not asking.needed_django()) == (status, short)


def test_missing_page_is_json(asking: Asking) -> None:
    status, headers, _ = asking.get("/api/v1/pages/987654321/")
    assert (status, headers["Content-Type"]) == (404, "application/json")
    assert flush_all() == 1
