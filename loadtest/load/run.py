"""`make load`: a load run without a browser, against a service that runs, or one of its own."""

import argparse
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from loadtest.common.launcher import Copy, NotReady
from loadtest.common.service import Service, Unusable
from standalone.configuration import ROOT

OWN_PAGES = 1_000
START_SECONDS = 180.0
STORES = ("DATABASE_URL", "REDIS_URL", "POSTGRES_HOST", "CELERY_BROKER_URL", "CACHE_URL")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m loadtest.load", description=__doc__)
    parser.add_argument("--users", type=int, default=50)
    parser.add_argument("--time", default="1m", help="30s, 5m, 1h30m")
    parser.add_argument("--host", default="http://127.0.0.1:8000")
    parser.add_argument("--directory", type=Path, default=ROOT / ".data" / "load")
    parser.add_argument("--only-readers", action="store_true", help="no users but readers of pages")
    wanted = parser.parse_args()
    if wanted.users < 1 or not re.fullmatch(r"(\d+h)?(\d+m)?(\d+s?)?", wanted.time or "-"):
        parser.error("USERS is a number from 1, TIME something like 30s, 5m or 1h")
    return wanted


@contextmanager
def service_at(host: str, directory: Path) -> Iterator[None]:
    """Use the service at `host`; if there is none, run one there for the time of the context."""
    service = Service(host)
    if service.is_up():
        yield
        return
    print(f"Nothing is ready at {host}: starting the service, with its data in {directory}.")
    with running(directory, service.address[1]) as copy:
        populate(service, copy)
        yield


@contextmanager
def running(directory: Path, port: int) -> Iterator[Copy]:
    """Run the service with stores of its own until the end of the context; raise NotReady."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "output").unlink(missing_ok=True)  # an earlier run's says "ready", too
    own = {name: value for name, value in os.environ.items() if name not in STORES}
    copy = Copy(directory, port, **{**own, "DATA_DIR": str(directory), "PORT": str(port)})
    try:
        copy.wait_ready(START_SECONDS)
        yield copy
    finally:
        if copy.process.poll() is None:
            with suppress(subprocess.TimeoutExpired):
                copy.stop()
        copy.end()


def populate(service: Service, copy: Copy) -> None:
    """Make pages, unless an earlier run has; raise Unusable."""
    missing = OWN_PAGES - int(service.get("/api/v1/pages/?page_size=1")["count"])
    if missing > 0:
        done = copy.manage("populate", "--pages", str(missing), timeout=START_SECONDS)
        if done.returncode:
            raise Unusable(f"populate failed:\n{done.stdout}{done.stderr}")


def locust(wanted: argparse.Namespace) -> int:
    """Run Locust and return its exit code: 0 only when all went well and every counter is right."""
    report = wanted.directory / "report.html"
    report.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "locust", "--locustfile", "loadtest/load/locustfile.py",
               "--headless", "--only-summary", "--users", str(wanted.users),
               "--spawn-rate", str(max(1, wanted.users // 5)), "--run-time", wanted.time,
               "--stop-timeout", "30", "--host", wanted.host, "--html", str(report)]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    if wanted.only_readers:
        command.append("Reader")
    status = subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode
    print(f"The report: {report}")
    return status


def main() -> int:
    wanted = arguments()
    wanted.directory = wanted.directory.resolve()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # and so out of every context
    try:
        with service_at(wanted.host, wanted.directory):
            return locust(wanted)
    except (NotReady, Unusable) as error:
        print(f"make load: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
