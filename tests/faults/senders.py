"""`python -m tests.faults.senders`, for `make senders`: how long files wait among hostile ones.

One service as `make run` starts it, and five senders at once, each with an address of its own: two
send files that take long or break, two send many honest files, one sends a text now and then. The
worker is killed meanwhile. For each honest file it says how long it waited, and ends with 1 if one
failed, or waited for longer than its sender's share of the machine explains.
"""

import argparse
import csv
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import psycopg2
import requests

from loadtest.common.figures import percentile
from loadtest.common.launcher import Copy
from loadtest.common.ports import free_port
from loadtest.common.waiting import wait_until
from standalone import addresses
from tests.support import sent_files

SENDERS = 5
HOSTILE = 2
SHORT_SECONDS = 3.0
TURN = SHORT_SECONDS + 0.5
"""Seconds that a sender of slow files may hold up another: an attempt, its start and its end."""
LEASE_SECONDS = 15.0
KILL_EVERY = 60.0
SLACK = 1.5
KILL_COSTS = LEASE_SECONDS + 10
"""Seconds: until another worker is there, and what was in work is due again."""
ENVIRONMENT = {
    "TRUSTED_PROXIES": "1",
    "THROTTLE_UPLOAD": "1000000/min",
    "UPLOADS_LEASE_SECONDS": str(LEASE_SECONDS),
    "UPLOADS_SHORT_SECONDS": str(SHORT_SECONDS),
}
SPENT = """
    SELECT spent FROM uploads_sender
    WHERE key = (SELECT sender FROM uploads_file WHERE id = %s)
"""
ROWS = """
    SELECT id, status, error, extract(epoch FROM uploaded_at), extract(epoch FROM processed_at)
    FROM uploads_file ORDER BY id
"""


class Sender(NamedTuple):
    """One sender of files."""

    name: str
    address: str
    files: int
    clients: int
    pause: float
    """Seconds between two files of a client."""
    is_honest: bool


class Load(NamedTuple):
    """What the service did during the run."""

    each: float
    """Seconds of processing that an honest file took."""
    places: float
    """Files that it had in work at a time, on average, kills and pauses included."""
    spent: dict[str, float]
    """Seconds of processing, by sender."""


class Waited(NamedTuple):
    """What became of an honest file."""

    sender: str
    file: int
    seconds: float
    """From the response to its result; -1 if it has none."""
    fair: float
    """Seconds that it may wait."""
    error: str


class Run:
    """Senders, and a service whose worker is killed."""

    def __init__(self, service: Copy) -> None:
        self.service = service
        self.sent: dict[str, list[int]] = {}
        self.kills: list[float] = []
        self.stopped = threading.Event()

    def send(self, sender: Sender) -> None:
        """Upload all files of a sender; each is answered."""
        made = sent_files.honest() if sender.is_honest else sent_files.hostile()
        bodies = cycle(made.items())
        lock = threading.Lock()
        ids = self.sent.setdefault(sender.name, [])

        def upload(_number: int) -> None:
            with lock:
                name, body = next(bodies)
            if pk := self.upload(sender.address, name, body):
                ids.append(pk)
            self.stopped.wait(sender.pause)

        with ThreadPoolExecutor(sender.clients) as clients:
            list(clients.map(upload, range(sender.files)))

    def upload(self, address: str, name: str, body: bytes) -> int | None:
        """Upload until it is answered; None if the run is over before."""
        url = f"http://127.0.0.1:{self.service.port}/api/v1/upload/"
        headers = {"X-Forwarded-For": address}
        while not self.stopped.is_set():
            try:
                answer = requests.post(
                    url, files={"file": (name, body)}, headers=headers, timeout=60
                )
            except requests.RequestException:
                time.sleep(0.5)
                continue
            if answer.status_code == 201:
                return int(answer.json()["id"])
            time.sleep(0.5)
        return None

    def kill_workers(self) -> None:
        while not self.stopped.wait(KILL_EVERY):
            self.kills.append(time.time())
            self.service.kill("worker")

    def rows(self) -> dict[int, tuple[str, str, float, float | None]]:
        return {
            pk: (status, error, float(began), None if ended is None else float(ended))
            for pk, status, error, began, ended in self.ask(ROWS)
        }

    def ask(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        url = addresses.read(self.service.data_dir, addresses.DATABASE_URL)
        with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
            cursor.execute(query, parameters)
            return cursor.fetchall()

    def waiting(self, honest: list[Sender]) -> int:
        """Return how many honest files have no result yet."""
        return sum(sender.files for sender in honest) - self.count(honest)[1]

    def count(self, senders: Iterable[Sender]) -> tuple[int, int]:
        """Return how many files they have sent, and how many of those have a result."""
        ids = [pk for sender in senders for pk in list(self.sent.get(sender.name, ()))]
        rows = self.rows()
        return len(ids), sum(rows[pk][0] in ("processed", "failed") for pk in ids)


def waits(run: Run, honest: list[Sender], load: Load) -> Iterator[Waited]:
    """Yield what became of each honest file.

    Fair is what start-time fair queuing promises: one turn of each other sender that takes long,
    which is a short attempt, and the time of the sender's own files before it, for which it has a
    fifth of what the service did. A kill costs what a lease and a start take.
    """
    rows = run.rows()
    for sender in honest:
        times = sorted((rows[pk][2], pk) for pk in run.sent[sender.name])
        for began, pk in times:
            status, error, _, ended = rows[pk]
            before = sum(
                1
                for earlier, other in times
                if earlier < began and ((end := rows[other][3]) is None or end > began)
            )
            seconds = -1.0 if status != "processed" or ended is None else ended - began
            kills = sum(began - 10 < kill < began + max(seconds, 0) for kill in run.kills)
            own = (before + 1) * load.each * SENDERS / load.places
            fair = HOSTILE * TURN + own * SLACK + kills * KILL_COSTS
            yield Waited(sender.name, pk, seconds, fair, error)


def measure(run: Run, everybody: list[Sender], before: float, seconds: float) -> Load:
    """Return what the service did. before: `spent` of all senders when the run began.

    A sender that comes back after a pause begins at the level of the others, so its `spent` is
    more than what it had: it is taken to have had the average for each file.
    """
    spent = {}
    for sender in everybody:
        first = run.sent[sender.name][:1]
        rows = run.ask(SPENT, *first) if first else []  # none if it had no turn yet
        spent[sender.name] = float(rows[0][0]) - before if rows else 0.0
    honest = [sender for sender in everybody if sender.is_honest]
    done = {sender.name: run.count([sender])[1] for sender in honest}
    busy = [sender.name for sender in honest if not sender.pause]
    each = sum(spent[name] for name in busy) / max(sum(done[name] for name in busy), 1)
    spent |= {sender.name: done[sender.name] * each for sender in honest if sender.pause}
    return Load(each, sum(spent.values()) / seconds, spent)


def measure_one(run: Run) -> float:
    """Return how many seconds an honest file takes, on average, while nothing else is there."""
    files = sent_files.honest()
    ids = [run.upload("192.0.2.250", name, body) for name, body in files.items()]
    began = time.monotonic()

    def are_done() -> bool:
        rows = run.rows()
        return all(pk is not None and rows[pk][3] is not None for pk in ids)

    wait_until(are_done, 120)
    return (time.monotonic() - began) / len(ids)


def report(found: list[Waited], load: Load, kills: int, out: Callable[[str], None]) -> bool:
    """Print a line for each sender; return whether every file was processed in its fair time."""
    out(f"an honest file takes {load.each:.2f} s under load; the worker was killed {kills} times")
    out(", ".join(f"{name} had {seconds:.0f} s" for name, seconds in load.spent.items()))
    out(f"{'sender':12}{'files':>7}{'median':>9}{'95 %':>9}{'longest':>9}{'late':>7}{'failed':>8}")
    is_fair = True
    for name in sorted({one.sender for one in found}):
        own = [one for one in found if one.sender == name]
        seconds = sorted(one.seconds for one in own if one.seconds >= 0)
        late = sum(one.seconds > one.fair for one in own)
        failed = sum(one.seconds < 0 for one in own)
        is_fair = is_fair and not late and not failed
        figures = [percentile(seconds, share) for share in (50, 95, 100)] if seconds else [0.0] * 3
        columns = "".join(f"{figure:8.1f}s" for figure in figures)
        out(f"{name:12}{len(own):7}{columns}{late:7}{failed:8}")
    return is_fair


def senders(hostile: int, honest: int) -> list[Sender]:
    many = (honest * 23) // 50
    return [
        Sender("hostile 1", "192.0.2.1", hostile // 2, 4, 0.0, False),
        Sender("hostile 2", "192.0.2.2", hostile - hostile // 2, 4, 0.0, False),
        Sender("many 1", "192.0.2.3", many, 2, 0.0, True),
        Sender("many 2", "192.0.2.4", many, 2, 0.0, True),
        Sender("now and then", "192.0.2.5", honest - 2 * many, 1, 3.0, True),
    ]


def run_all(service: Copy, everybody: list[Sender], seconds: float) -> tuple[Run, Load]:
    """Send everything, kill workers meanwhile, and return when all honest files have a result."""
    run = Run(service)
    sent_files.hostile()  # takes seconds: nobody shall be ahead of the others
    sys.stdout.write(f"an honest file alone takes {measure_one(run):.2f} s\n")
    level = run.ask("SELECT max(started) FROM uploads_sender")[0][0]
    honest = [sender for sender in everybody if sender.is_honest]
    with ThreadPoolExecutor(len(everybody) + 1) as threads:
        sending = [threads.submit(run.send, sender) for sender in everybody]
        killing = threads.submit(run.kill_workers)
        began = time.monotonic()
        try:
            while run.waiting(honest) and time.monotonic() < began + seconds:
                time.sleep(2)
        finally:
            run.stopped.set()
        for job in (*sending, killing):
            job.result()
    return run, measure(run, everybody, level, time.monotonic() - began)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--hostile", type=int, default=1000, help="files of the two who harm")
    parser.add_argument("--honest", type=int, default=1000, help="files of the other three")
    parser.add_argument("--seconds", type=float, default=480.0, help="at most")
    parser.add_argument("--csv", type=Path, help="where to write the wait of each honest file")
    arguments = parser.parse_args()
    everybody = senders(arguments.hostile, arguments.honest)
    with ExitStack() as stack:
        directory = Path(stack.enter_context(TemporaryDirectory(prefix="footfall-senders-")))
        service = Copy(directory, free_port(), **ENVIRONMENT)
        stack.callback(service.end)
        service.wait_ready()
        run, load = run_all(service, everybody, arguments.seconds)
        honest = [sender for sender in everybody if sender.is_honest]
        found = list(waits(run, honest, load))
        if arguments.csv:
            with arguments.csv.open("w", newline="") as file:
                csv.writer(file).writerows([Waited._fields, *found])
        sent, done = run.count(sender for sender in everybody if not sender.is_honest)
        sys.stdout.write(f"of {sent} hostile files {done} have a result\n")
        is_fair = report(found, load, len(run.kills), print)
        sys.stdout.flush()
        service.stop()
    return 0 if is_fair else 1


if __name__ == "__main__":
    sys.exit(main())
