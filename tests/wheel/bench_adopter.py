"""Measure counting in a plain Django project: nothing, F() + 1, django-hitcount, its fork, ours.

    python -m tests.wheel.bench_adopter

Each way is a server of its own on the same stores: gunicorn with 2 workers of 2 threads. They take
turns, less than a second each, so that what else the machine does meets all of them. A page is an
article with its author and ten comments. `atomic` is ATOMIC_REQUESTS; with `work` another service
is asked for 5 ms, after `F() + 1` and hitcount have counted. Ratios are to not counting.
"""

import argparse
import http.client
import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from itertools import product
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

import psutil
import psycopg2

from loadtest.common.ports import free_port
from loadtest.common.stores import Postgres, Redis
from loadtest.common.waiting import wait_until
from loadtest.common.zipf import draw
from tests.wheel.matrix import UV, build, find_python

PROJECT = Path(__file__).parent / "bench_project"
COMMON = ("Django==5.2.*", "psycopg2-binary", "gunicorn")
PACKAGES = {
    "not counting": (),
    "F() + 1": (),
    "hitcount": ("django-hitcount", "django-model-utils~=5.0"),
    "dj-hitcount": ("dj-hitcount",),
    "ours": ("hiredis",),
}
BASE = "not counting"
THREADS = 4
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


class Case(NamedTuple):
    """A row of the table: how requests are, and which articles they read."""

    transaction: str
    request: str
    articles: str

    def __str__(self) -> str:
        return f"{self.transaction}, {self.request}, {self.articles}"

    def path(self, key: int) -> str:
        return f"/{self.transaction}/{self.request}/{key}/"


CASES = [Case(*one) for one in product(("auto", "atomic"), ("short", "work"), ("one", "Zipf"))]


class Slice(NamedTuple):
    """What was measured of one way in one turn."""

    requests: int
    seconds: float
    processor: float
    """Seconds of the web server's processes."""


class Server(NamedTuple):
    process: "subprocess.Popen[bytes]"
    port: int
    keys: list[int]

    def processor(self) -> float:
        parent = psutil.Process(self.process.pid)
        times = [one.cpu_times() for one in (parent, *parent.children())]
        return sum(one.user + one.system for one in times)


def read(server: Server, case: Case, seconds: float, seed: int) -> Slice:
    """Read from several threads for so long. Raises RuntimeError if an answer is no 200."""
    end, done, failed = time.monotonic() + seconds, [0] * THREADS, []
    keys = draw(server.keys, 5000, seed) if case.articles == "Zipf" else server.keys[:1] * 5000

    def run(number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        with closing(connection):
            for key in keys[number::THREADS] * 10:
                if time.monotonic() > end:
                    return
                connection.request("GET", case.path(key), headers={"User-Agent": BROWSER})
                with connection.getresponse() as response:
                    response.read()
                    if response.status != 200:
                        failed.append(response.status)
                        return
                done[number] += 1

    before, began = server.processor(), time.monotonic()
    threads = [threading.Thread(target=run, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise RuntimeError(f"{case}: answered {failed}")
    return Slice(sum(done), time.monotonic() - began, server.processor() - before)


class Bench:
    """The project once for each way, on the same stores."""

    def __init__(self, directory: Path, stack: ExitStack) -> None:
        self.directory, self.stack = directory, stack
        redis, postgres = Redis(directory / "redis"), Postgres(directory / "postgres")
        stack.enter_context(redis.served())
        stack.enter_context(postgres.served())
        host = unquote(urlsplit(postgres.url).netloc.partition("@")[2].partition(":")[0])
        self.stores = {"REDIS_URL": redis.url, "PGHOST": host, "PGUSER": "postgres"}
        self.wheel = build(directory / "dist")
        self.project = directory / "project"
        shutil.copytree(PROJECT, self.project)
        for path in self.project.rglob("*.py-"):
            path.rename(path.with_suffix(".py"))

    def serve(self, way: str, number: int) -> Server:
        """Install, migrate, fill and start the project with one way of counting."""
        venv, database = self.directory / f"venv-{number}", f"bench_{number}"
        wheel = (str(self.wheel),) if way == "ours" else ()
        python = str(venv / "bin" / "python")
        uv(*("venv", "--quiet", "--python", find_python("3.12"), str(venv)))
        packages = (*COMMON, *PACKAGES[way], *wheel)
        uv(*("pip", "install", "--quiet", "--python", python, *packages))
        where = f"host={self.stores['PGHOST']} user=postgres dbname=footfall"
        with closing(psycopg2.connect(where)) as connection:
            connection.autocommit = True
            connection.cursor().execute(f"CREATE DATABASE {database}")
        project = self.directory / f"project-{number}"
        shutil.copytree(self.project, project)
        environment = {"PATH": str(venv / "bin"), "WAY": way, "DATABASE": database, **self.stores}

        def manage(*arguments: str) -> str:
            command = [python, *arguments]
            return subprocess.run(
                command, cwd=project, env=environment, check=True, text=True,
                stdout=subprocess.PIPE,
            ).stdout  # fmt: skip

        manage("manage.py", "makemigrations", "news")
        manage("manage.py", "migrate", "--verbosity", "0")
        keys = json.loads(manage("seed.py"))
        port = free_port()
        options = f"--workers 2 --threads 2 --bind 127.0.0.1:{port} --log-level error".split()
        gunicorn = [python, "-m", "gunicorn", *options, "site_.wsgi"]
        process = self.stack.enter_context(running(gunicorn, project, environment))
        if way == "ours":
            count = [python, "manage.py", "counters", "run"]
            self.stack.enter_context(running(count, project, environment))
        server = Server(process, port, keys)
        wait_until(lambda: answers(server), 60, way)
        return server


def uv(*arguments: str) -> None:
    subprocess.run([str(UV), *arguments], check=True)


@contextmanager
def running(
    command: list[str], directory: Path, environment: dict[str, str]
) -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen(command, cwd=directory, env=environment)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)


def answers(server: Server) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    with closing(connection):
        try:
            connection.request("GET", CASES[0].path(server.keys[0]))
            return connection.getresponse().status == 200
        except OSError:
            return False


def measure(
    servers: dict[str, Server], rounds: int, seconds: float
) -> dict[Case, dict[str, list[Slice]]]:
    found: dict[Case, dict[str, list[Slice]]] = defaultdict(lambda: defaultdict(list))
    for turn in range(rounds):
        for case in CASES:
            ways = list(servers)
            for way in ways:  # in the order of the table
                found[case][way] = found[case].get(way, [])
            for way in ways if turn % 2 else reversed(ways):
                found[case][way].append(read(servers[way], case, seconds, turn))
    return found


def row(case: Case, slices: dict[str, list[Slice]]) -> str:
    """Return a row: what not counting has, then of each other way the two ratios to it."""
    base = total(slices[BASE])
    rate, cost = base.requests / base.seconds, base.processor / base.requests
    cells = [str(case), f"{rate:.0f}", f"{1e3 * cost:.2f}"]
    for way in slices:
        if way != BASE:
            all_turns = total(slices[way])
            rates = all_turns.requests / all_turns.seconds / rate
            cells.append(f"{rates:.2f}, {all_turns.processor / all_turns.requests / cost:.2f}")
    return "| " + " | ".join(cells) + " |"


def total(slices: list[Slice]) -> Slice:
    """Return all turns of one way as one: in a turn of a busy machine none may be answered."""
    return Slice(*(sum(column) for column in zip(*slices, strict=True)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=0.4, help="of each turn")
    parser.add_argument("--ways", nargs="*", default=list(PACKAGES))
    options = parser.parse_args()
    with ExitStack() as stack:
        made = stack.enter_context(tempfile.TemporaryDirectory(prefix="footfall-adopter-"))
        bench = Bench(Path(made), stack)
        servers = {way: bench.serve(way, number) for number, way in enumerate(options.ways)}
        found = measure(servers, options.rounds, options.seconds)
    others = [way for way in servers if way != BASE]
    heads = ["request", f"{BASE}: requests/s", "ms of a processor", *others]
    sys.stdout.write("| " + " | ".join(heads) + " |\n" + "| --- " * len(heads) + "|\n")
    for case in CASES:
        sys.stdout.write(f"{row(case, found[case])}\n")


if __name__ == "__main__":
    main()
