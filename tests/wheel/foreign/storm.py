"""Load with a known number of reads, and what is killed meanwhile."""

import http.client
import os
import random
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import psutil

from loadtest.common.stores import Redis
from loadtest.common.waiting import wait_until
from loadtest.common.zipf import weights

BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
THREADS = 4


@dataclass
class Tally:
    """What the readers have seen, by the key of the object."""

    answered: Counter[str] = field(default_factory=Counter)
    unanswered: Counter[str] = field(default_factory=Counter)
    """The connection broke, or the server has failed: the view may have been recorded."""

    def add(self, other: "Tally") -> None:
        self.answered.update(other.answered)
        self.unanswered.update(other.unanswered)


@dataclass
class Reader(threading.Thread):
    """Reads, the first object most often, until it is told to stop, and `reads` are answered."""

    port: int
    paths: Mapping[str, str]
    headers: Mapping[str, str]
    seed: int
    reads: int
    stop: threading.Event

    def __post_init__(self) -> None:
        super().__init__(daemon=True)
        self.tally = Tally()
        self.statuses: Counter[int] = Counter()

    __hash__ = threading.Thread.__hash__

    def run(self) -> None:
        chosen = random.Random(self.seed)
        keys, shares = list(self.paths), weights(len(self.paths))
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        while not self.stop.is_set() or self.tally.answered.total() < self.reads:
            (key,) = chosen.choices(keys, shares)
            try:
                connection.request("GET", self.paths[key], headers=self.headers)
                with connection.getresponse() as response:
                    response.read()
            except (OSError, http.client.HTTPException):
                connection.close()
                self.tally.unanswered[key] += 1
                time.sleep(0.05)
                continue
            self.statuses[response.status] += 1
            if response.status == 200:
                self.tally.answered[key] += 1
            else:
                self.tally.unanswered[key] += 1


class Process:
    """A command in the background that can be killed and started again."""

    def __init__(
        self, command: list[str], directory: Path, environment: Mapping[str, str], log: Path
    ) -> None:
        self.command, self.directory = command, directory
        self.environment, self.log = environment, log
        self.start()

    def start(self) -> None:
        with self.log.open("ab") as output:
            self.running = subprocess.Popen(
                self.command, cwd=self.directory, env=dict(self.environment),
                stdout=output, stderr=output,
            )  # fmt: skip

    def kill(self) -> None:
        self.running.kill()
        self.running.wait()

    def kill_a_worker(self) -> None:
        """Kill a child of it that answers requests; it starts another by itself."""
        children = psutil.Process(self.running.pid).children()
        workers = [one for one in children if "resource_tracker" not in " ".join(one.cmdline())]
        os.kill(random.choice(workers).pid, signal.SIGKILL)

    def stop(self) -> None:
        self.running.terminate()
        try:
            self.running.wait(30)
        except subprocess.TimeoutExpired:
            for child in psutil.Process(self.running.pid).children(recursive=True):
                with suppress(psutil.NoSuchProcess):
                    child.kill()
            self.kill()


@contextmanager
def started(
    command: list[str], directory: Path, environment: Mapping[str, str], log: Path
) -> Iterator[Process]:
    process = Process(command, directory, environment, log)
    try:
        yield process
    finally:
        process.stop()


def wait_for_answer(port: int, log: Path) -> None:
    """Return once the server answers anything, to a path that is nothing that could be counted."""

    def answers() -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        try:
            connection.request("GET", "/is-it-up")
            return connection.getresponse().status < 500
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    try:
        wait_until(answers, 180, "the server")
    except TimeoutError as error:
        raise TimeoutError(f"{error}:\n{log.read_text()[-3000:]}") from error


def restart(redis: Redis) -> None:
    """Kill Redis, leave it away for a second, and start it again."""
    redis.kill()
    time.sleep(1)
    redis.start()
    redis.wait_ready()


def read_each(port: int, paths: Mapping[str, str], headers: Mapping[str, str]) -> Tally:
    """Read each object once, so that what is made at a first read is there: small pictures, say.

    Raises ValueError if one is not answered with 200.
    """
    tally = Tally()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    for key, path in paths.items():
        connection.request("GET", path, headers=dict(headers))
        with connection.getresponse() as response:
            text = response.read()
        if response.status != 200:
            raise ValueError(f"{path} is answered with {response.status}: {text[:300]!r}")
        tally.answered[key] += 1
    connection.close()
    return tally


def storm(
    port: int,
    paths: Mapping[str, str],
    headers: Mapping[str, str],
    faults: list[Callable[[], None]],
    reads: int,
) -> tuple[Tally, Counter[int]]:
    """Read until `reads` are answered and everything was killed; return what was seen.

    The faults are spread over the reads, so that each meets a load, on any machine.
    """
    stop = threading.Event()
    sent = {"User-Agent": BROWSER, **headers}
    first = read_each(port, paths, sent)
    readers = [Reader(port, paths, sent, seed, reads // THREADS, stop) for seed in range(THREADS)]
    for reader in readers:
        reader.start()

    def answered() -> int:
        return sum(reader.tally.answered.total() for reader in readers)

    def reached(due: int) -> bool:
        return answered() >= due

    try:
        for fault in faults:
            due = answered() + reads // (len(faults) + 1)
            wait_until(partial(reached, due), 120, f"{due} reads")
            fault()
        wait_until(partial(reached, reads), 120, f"{reads} reads")
    finally:
        stop.set()
        for reader in readers:
            reader.reads = 0
            reader.join(60)
    tally, statuses = first, Counter[int]()
    for reader in readers:
        tally.add(reader.tally)
        statuses.update(reader.statuses)
    return tally, statuses


def lost_and_doubled(tally: Tally, counters: Mapping[str, int]) -> tuple[int, int]:
    """Hold counters against what was seen, object by object.

    An unanswered read may be counted or not: both are right.
    """
    lost = doubled = 0
    for key in tally.answered | tally.unanswered | Counter(dict.fromkeys(counters, 0)):
        least, most = tally.answered[key], tally.answered[key] + tally.unanswered[key]
        lost += max(0, least - counters.get(key, 0))
        doubled += max(0, counters.get(key, 0) - most)
    return lost, doubled
