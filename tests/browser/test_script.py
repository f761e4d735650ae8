"""The script that counts views of a page that this service did not answer, on another site."""

import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import Page as Tab
from playwright.sync_api import Request
from pytest_django.live_server_helper import LiveServer

from catalog.pages.models import Page
from footfall.flush import flush_all
from loadtest.common.waiting import wait_until
from tests.support.pages import make_page, make_text

Open = Callable[[str], None]

HIDDEN = """
    let hidden = true;
    Object.defineProperty(document, "hidden", { get: () => hidden });
    window.appear = () => {
        hidden = false;
        document.dispatchEvent(new Event("visibilitychange"));
    };
"""
PRERENDERED = """
    let prerendering = true;
    Object.defineProperty(document, "prerendering", { get: () => prerendering });
    window.appear = () => {
        document.dispatchEvent(new Event("visibilitychange"));
        prerendering = false;
        document.dispatchEvent(new Event("prerenderingchange"));
    };
"""


@pytest.fixture
def page(transactional_db: None) -> Page:
    return make_page(make_text())


@pytest.fixture
def open_cached(tab: Tab, live_server: LiveServer, page: Page) -> Iterator[Open]:
    """Opens a page of another origin, as a cache answers it; first a script runs there."""
    html = f"""<!doctype html><html lang="en"><title>A page</title><link rel="icon" href="data:,">
        <script src="{live_server.url}/static/footfall.js" data-page="{page.pk}" defer></script>"""

    class Cache(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(html.encode())

        def log_message(self, *arguments: object) -> None:
            """Log nothing."""

    def open_cached(first: str = "") -> None:
        if first:
            tab.add_init_script(first)
        tab.goto(f"http://127.0.0.1:{cache.server_port}/")

    with ThreadingHTTPServer(("127.0.0.1", 0), Cache) as cache:
        threading.Thread(target=cache.serve_forever, daemon=True).start()
        yield open_cached
        cache.shutdown()


def is_report(request: Request) -> bool:
    return request.url.endswith("/api/v1/views/")


def counted(page: Page) -> int:
    flush_all()
    return Page.objects.get(pk=page.pk).counter


def is_counted(page: Page, times: int) -> bool:
    return counted(page) == times


@pytest.mark.parametrize(
    "first",
    ["", "navigator.sendBeacon = () => false", "delete Navigator.prototype.sendBeacon"],
    ids=["beacon", "refused", "missing"],
)
def test_each_load_counts_once(tab: Tab, open_cached: Open, page: Page, first: str) -> None:
    """Without a preflight, from any origin."""
    methods: list[str] = []
    tab.on("request", lambda request: methods.append(request.method))
    for loads in (1, 2):
        with tab.expect_request(is_report):
            open_cached(first)
        wait_until(partial(is_counted, page, loads))
        tab.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    tab.wait_for_load_state("networkidle")

    assert counted(page) == 2
    assert methods.count("POST") == 2
    assert "OPTIONS" not in methods


@pytest.mark.parametrize("first", [HIDDEN, PRERENDERED], ids=["background", "prerendered"])
def test_a_page_counts_once_it_is_seen(tab: Tab, open_cached: Open, page: Page, first: str) -> None:
    open_cached(first)
    tab.wait_for_load_state("networkidle")
    assert counted(page) == 0

    with tab.expect_request(is_report):
        tab.evaluate("appear()")
    wait_until(partial(is_counted, page, 1))
    tab.evaluate("appear()")
    tab.wait_for_load_state("networkidle")

    assert counted(page) == 1
