"""`python -m tests.faults.loss`, for `make loss`: how many acknowledged events Redis loses.

For each way to run Redis: a new server, appends from several threads, SIGKILL in the middle of
them, and a count of the events that are left. A SIGKILL is no power cut: written data that is not
yet on the disk is in the kernel, and survives.
"""

import argparse
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import redis

from footfall.eventlog import LogError, RedisLog
from loadtest.common.ports import free_port
from loadtest.common.stores import Redis
from loadtest.common.waiting import wait_until

THREADS = 8
MOST_BYTES = 2**40
HEADER = f"{'Redis':44}{'acknowledged':>13}{'there':>9}{'lost':>9}{'window':>11}"

MODES: Mapping[str, Mapping[str, str]] = {
    "appendonly yes, appendfsync always": {"appendfsync": "always"},
    "appendonly yes, appendfsync everysec": {"appendfsync": "everysec"},
    "no append-only file, a snapshot each second": {"appendonly": "no", "save": "1 1"},
    "no append-only file, no snapshot": {"appendonly": "no"},
}
REPLICA = "always, and a replica that takes over"


@dataclass
class Load:
    """Appends without a pause, until one is not acknowledged."""

    url: str
    acknowledged: dict[bytes, float] = field(default_factory=dict)
    """When each event was, by its body."""

    def run(self, seconds: float, kill: Callable[[], None]) -> float:
        """Append for some seconds, then kill; return when that was."""
        log = RedisLog(self.url, max_bytes=MOST_BYTES)
        threads = [threading.Thread(target=self._append, args=(log, n)) for n in range(THREADS)]
        for thread in threads:
            thread.start()
        time.sleep(seconds)
        killed = time.monotonic()
        kill()
        for thread in threads:
            thread.join()
        log.close()
        return killed

    def _append(self, log: RedisLog, thread: int) -> None:
        count = 0
        while True:
            body = b"%d:%d" % (thread, count)
            try:
                log.append(thread, body, 0)
            except LogError:
                return
            self.acknowledged[body] = time.monotonic()
            count += 1


@dataclass(frozen=True)
class Loss:
    acknowledged: int
    lost: int
    window_ms: float
    """From the first acknowledgement that was lost to the kill."""


def measure(seconds: float, config: Mapping[str, str]) -> Loss:
    """Kill a Redis that is run with `config` under load, and start it again."""
    with running(config) as store:
        load = Load(store.url)
        killed = load.run(seconds, lambda: end(store))
        store.start()
        store.wait_ready()
        return compare(load, killed, store.url)


def measure_replica(seconds: float) -> Loss:
    """Kill the master under load, and promote its replica."""
    port = free_port()
    with running({"port": str(port)}) as master, running({}) as replica:
        with redis.Redis.from_url(replica.url) as client:
            client.replicaof("127.0.0.1", str(port))
            wait_until(lambda: client.info("replication")["master_link_status"] == "up", 30)
            load = Load(master.url)
            killed = load.run(seconds, lambda: end(master))
            client.replicaof("NO", "ONE")
        return compare(load, killed, replica.url)


def compare(load: Load, killed: float, url: str) -> Loss:
    """Compare the acknowledged events with those in the log."""
    log = RedisLog(url)
    there = {
        entry.body
        for partition in range(THREADS)
        for entry in log.read(partition, None, 10**9, MOST_BYTES).entries
    }
    log.close()
    lost = [at for body, at in load.acknowledged.items() if body not in there]
    window = (killed - min(lost)) * 1000 if lost else 0.0
    return Loss(len(load.acknowledged), len(lost), max(0.0, window))


@contextmanager
def running(config: Mapping[str, str]) -> Iterator[Redis]:
    with (
        TemporaryDirectory(prefix="footfall-loss-") as directory,
        Redis(Path(directory) / "redis", settings=config).served() as store,
    ):
        yield store


def end(store: Redis) -> None:
    assert store.process
    store.process.kill()
    store.process.wait()


def row(name: str, loss: Loss) -> str:
    there = loss.acknowledged - loss.lost
    window = f"{loss.window_ms:,.0f} ms"
    return f"{name:44}{loss.acknowledged:>13,}{there:>9,}{loss.lost:>9,}{window:>11}"


def main() -> int:
    """Return 1 if Redis lost events as `make run` and Compose run it."""
    parser = argparse.ArgumentParser(prog="make loss", description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0, help="of load, for each way")
    seconds: float = parser.parse_args().seconds
    sys.stdout.write(f"{HEADER}\n")
    first: Loss | None = None
    for name, config in MODES.items():
        loss = measure(seconds, config)
        first = first or loss
        sys.stdout.write(f"{row(name, loss)}\n")
    sys.stdout.write(f"{row(REPLICA, measure_replica(seconds))}\n")
    return int(first is None or first.lost > 0)


if __name__ == "__main__":
    sys.exit(main())
