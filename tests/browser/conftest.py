"""A real browser on a live server with real stores."""

import os
import shutil
from collections.abc import Iterator

import pytest
from django.conf import settings
from django.db import connections
from django.test import Client
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    WebError,
    expect,
    sync_playwright,
)
from pytest_django.live_server_helper import LiveServer

from tests.support.stores import memory_has_room

ARGUMENTS = (
    "--no-sandbox",  # containers run as root
    # All tabs in one process: to start one takes longer than what most tests do in it.
    "--process-per-site",
    "--renderer-process-limit=1",
)
PATIENCE = 30_000  # milliseconds that the browser gets for each step
expect.set_options(timeout=PATIENCE)


@pytest.fixture(autouse=True)
def own_log(own_log: None) -> None:
    """Every test here gets it."""


def chromium() -> str | None:
    """Return the path of a Chromium: FOOTFALL_CHROMIUM, or the first one on the PATH."""
    names = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
    found = (path for name in names if (path := shutil.which(name)))
    return os.environ.get("FOOTFALL_CHROMIUM") or next(found, None)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """One for all tests here, and for no others: Playwright keeps an event loop in this thread."""
    if (path := chromium()) is None:
        pytest.skip("There is no Chromium: none on the PATH, and FOOTFALL_CHROMIUM names none.")
    with pytest.MonkeyPatch.context() as patch:
        # Beside a running event loop Django would refuse all queries.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=path,
                args=ARGUMENTS,
                # Playwright's, for containers, which have little shared memory.
                ignore_default_args=["--disable-dev-shm-usage"] if memory_has_room() else None,
            )
            yield browser
            browser.close()
            # Beside that loop Django has connections of their own, which nothing else would close.
            connections.close_all()


@pytest.fixture(scope="package")
def window(browser: Browser, live_server: LiveServer) -> Iterator[BrowserContext]:
    """One for all tabs: what one has loaded and compiled, the next one has, too."""
    with browser.new_context(base_url=live_server.url) as window:
        window.set_default_timeout(PATIENCE)
        # The process ends with the last tab. A file, since no test may use the database yet.
        window.new_page().goto(f"{settings.STATIC_URL}admin/css/base.css")
        yield window


@pytest.fixture
def tab(window: BrowserContext, live_server: LiveServer, admin_client: Client) -> Iterator[Page]:
    """A tab in which an administrator is signed in. The console has no error in the end."""
    errors: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            errors.append(f"{message.text} ({message.location})")

    def note_error(error: WebError) -> None:
        errors.append(str(error.error))

    tab = window.new_page()
    # Cookies, and what scripts have stored; not the cache.
    kept = {"origin": live_server.url, "storageTypes": "all"}
    window.new_cdp_session(tab).send("Storage.clearDataForOrigin", kept)
    name = settings.SESSION_COOKIE_NAME
    session = admin_client.cookies[name].value
    window.add_cookies([{"name": name, "value": session, "url": live_server.url}])
    window.on("console", note)
    window.on("weberror", note_error)
    yield tab
    for page in window.pages[1:]:
        page.close()
    window.remove_listener("console", note)
    window.remove_listener("weberror", note_error)
    assert errors == []
