"""Nothing is measured before everything runs and is warm."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from loadtest.common.client import Ledger, Run
from loadtest.common.launcher import NotReady
from loadtest.common.verdict import Verdict
from loadtest.measure import measurement
from loadtest.measure.measurement import Measurement
from loadtest.measure.plan import Plan
from loadtest.systems.approaches import BY_NAME, side_by_side
from loadtest.systems.servers import Place, Server
from standalone.program import Program

PAGE = b'"counter":' * 15


class Log(list[str]):
    """What was done, in order; stands for the stores, the site, the place and the server."""

    approach = BY_NAME["footfall"]
    pages, hot, probe = [1, 2, 3], 2, 4

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.stores = self

    def redis_number(self, approach: Any) -> int:
        return 0

    def memory(self, number: int) -> int:
        return 0

    def broker_url(self, number: int) -> str:
        return "broker"

    @property
    def roots(self) -> dict[str, int]:
        return {}

    def web(self, approach: Any, port: int) -> str:
        return f"web of {approach.name}"

    def workers(self, approach: Any) -> list[str]:
        return ["flusher", "beat"]

    def start(self, *programs: str) -> None:
        self += [f"start {program}" for program in programs]

    def wait_read(self, address: Any, page: int) -> bytes:
        self.append("read a page")
        return PAGE

    def wait_workers(self, broker_url: str) -> None:
        self.append("workers answer")

    def wait(self, condition: Callable[[], bool], what: str) -> None:
        self.append(what)

    def settle(self) -> Verdict[int]:
        self.append("counted")
        return Verdict({})


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Log:
    log = Log()

    class Load:
        def __init__(self, address: Any, pages: list[int], seconds: float, **options: Any) -> None:
            self.pages = pages

        def run(self) -> Run:
            log.append(f"load of {len(set(self.pages))}")
            run = Run(Ledger(Counter(self.pages), Counter(self.pages)), seconds=1.0)
            run.latencies.extend([0.001] * len(self.pages))
            return run

    monkeypatch.setattr(measurement, "Load", Load)
    return log


def test_workers_beat_and_every_page_come_before_the_first_load(log: Log) -> None:
    rows = side_by_side(["footfall", "uncounted"])["footfall"]
    measurement = Measurement(cast(Place, log), rows, cast(Any, log), Plan())

    measurement.start(cast(Server, log))

    assert log == [
        "start web of uncounted", "start web of footfall", "read a page", "read a page",
        "load of 1",  # to weigh events that no flush takes out
        "start flusher", "start beat", "workers answer", "Celery beat to tick",
        "load of 3", "counted", "counted",
    ]  # fmt: skip


def test_a_program_that_ends_ends_the_wait_with_its_last_words(tmp_path: Path) -> None:
    words = ["sh", "-c", "echo no such module; exit 1"]
    with Server(tmp_path / "log") as server:
        server.start(Program("web", words, tmp_path, {"PATH": "/bin:/usr/bin"}))

        with pytest.raises(NotReady, match=r"waited for it;(.|\n)*no such module"):
            server.wait(lambda: False, "it")
