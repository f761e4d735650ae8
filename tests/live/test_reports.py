"""10,000 reported views of which half are repeated, in any order, while every part is killed.

Each is sent until it is answered, as a client does that knows that it may: so what a killed part
took and did not answer is sent again, and all the same each view is counted once.
"""

import http.client
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from typing import Any
from uuid import UUID

import pytest

from loadtest.common.launcher import Copy
from loadtest.common.waiting import wait_until
from tests.live.fixtures import Manage, kill
from tests.support.concurrency import meanwhile

Counters = Callable[[], list[int]]
CLIENTS, REPORTS = 16, 10_000
PAUSE = 0.3
"""Seconds between two reports of a client: then all of them take longer than a round of kills."""
DYING = ("flusher", "redis", "flusher", "web", "postgres")


@pytest.mark.long
def test_each_of_10_000_counts_once(service: Copy, counters: Counters, manage: Manage) -> None:
    chance = random.Random(1)
    views = [{"page": 1, "id": str(UUID(int=chance.getrandbits(128)))} for _ in range(REPORTS // 2)]
    sent = 2 * views
    chance.shuffle(sent)
    parts = [sent[start : start + 10] for start in range(0, len(sent), 10)]
    assert manage("counters", "flush").returncode == 0
    before = counters()
    ended = threading.Event()
    killed: Counter[str] = Counter()

    def kill_them() -> None:
        for name in cycle(DYING):
            if ended.wait(2):
                return
            kill(service, name)
            killed[name] += 1

    with meanwhile(kill_them), ThreadPoolExecutor(CLIENTS) as clients:
        shares = [parts[number::CLIENTS] for number in range(CLIENTS)]
        answers = sum(clients.map(lambda share: report(service.port, share), shares), Counter())
        ended.set()
    wait_until(lambda: service.get("/readyz")[0] == 200, 60)
    assert manage("counters", "flush").returncode == 0

    assert {now - then for now, then in zip(counters(), before, strict=True)} == {len(views)}
    assert answers[202] == len(parts)
    assert set(killed) == set(DYING)
    audit = manage("counters", "audit")
    assert audit.returncode == 0, audit.stdout


def report(port: int, parts: Sequence[Sequence[Any]]) -> "Counter[int]":
    """Send them one after another, each until it is answered; return the answers by status.

    0 is a connection that broke before the answer.
    """
    answers: Counter[int] = Counter()
    for views in parts:
        body = json.dumps({"views": views})
        while (status := post(port, body)) != 202:
            assert status in (0, 503)
            answers[status] += 1
            time.sleep(0.1)
        answers[202] += 1
        time.sleep(PAUSE)
    return answers


def post(port: int, body: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("POST", "/api/v1/views/", body, {"Content-Type": "text/plain"})
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()
