"""What it costs a hot read to say who viewed: `pytest -s tests/footfall/bench_read.py`.

Not a test: pytest does not collect it by itself. Reads of one cached page through the fast path,
with visitor and agent and without, by turns; processor time of this process.
"""

import random
import time
from statistics import median
from typing import Any

import pytest

from catalog.pages.fast_path import FastPath
from catalog.pages.models import Page
from footfall.cache import cached_pages
from footfall.viewers.memory import memory
from footfall.viewers.request import viewer_of
from tests.catalog.pages.reading import Reader

pytestmark = pytest.mark.django_db
READS, TURNS = 1_000, 11
BROWSER = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/{}.0.0.0 Safari/537.36"
)


def environ_of(page: Page, client: int) -> dict[str, Any]:
    """Return a new environ, as the server makes one: no string of it was hashed before."""
    return {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": f"/api/v1/pages/{page.pk}/",
        "QUERY_STRING": "",
        "SERVER_NAME": "testserver",
        "SERVER_PORT": "80",
        "HTTP_HOST": "".join(["test", "server"]),
        "HTTP_ACCEPT": "application/json",
        "HTTP_ACCEPT_ENCODING": "gzip, deflate, br",
        "HTTP_ACCEPT_LANGUAGE": "en",
        "HTTP_USER_AGENT": BROWSER.format(client % 1_000),
        "REMOTE_ADDR": f"10.{client >> 16 & 255}.{client >> 8 & 255}.{client & 255}",
        "wsgi.url_scheme": "http",
    }


@pytest.mark.parametrize("is_new", [False, True], ids=["seen before", "new"])
@pytest.mark.parametrize("clients", [1, 1_000, 30_000])
def test_read(page: Page, clients: int, is_new: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Reader().get(f"/api/v1/pages/{page.pk}/").status_code == 200
    known = memory()
    application = FastPath(lambda environ, start: pytest.fail("not cached"))

    def seconds(viewer: Any) -> float:
        monkeypatch.setattr(cached_pages, "viewer_of", viewer)
        environs = [environ_of(page, random.randrange(clients)) for _ in range(READS)]
        if is_new:
            known.metas.clear()
        began = time.process_time()
        for environ in environs:
            application(environ, lambda *head: None)
        return (time.process_time() - began) / READS * 1e6

    def without(source: object) -> bytes:
        return b""

    monkeypatch.setattr("footfall.viewers.memory.TELL_SECONDS", 0.0)  # as after 5 s
    if not is_new:
        for client in range(clients):
            viewer_of(environ_of(page, client))
    seconds(viewer_of), seconds(without)
    turns = [(seconds(viewer_of), seconds(without)) for _ in range(TURNS)]
    with_it, before = (median(column) for column in zip(*turns, strict=True))
    more = median(one - other for one, other in turns)
    title = f"{clients:,} {'new' if is_new else 'known'} clients"
    print(f"{title}: {with_it:.1f} us with visitor and agent, {before:.1f} without:"  # noqa: T201
          f" {more:+.1f} us, {more / before:+.1%}")  # fmt: skip
