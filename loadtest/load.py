"""`make load`: a load run without a browser, against a service that runs, or one of its own."""

import argparse
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from loadtest.service import Service, Unusable
from standalone.configuration import ROOT
from standalone.program import die_with_parent

OWN_PAGES = 1_000
START_SECONDS = 180.0
STORES = ("DATABASE_URL", "REDIS_URL", "POSTGRES_HOST", "CELERY_BROKER_URL", "CACHE_URL")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m loadtest.load", description=__doc__)
    parser.add_argument("--users", type=int, default=50)
    parser.add_argument("--time", default="1m", help="30s, 5m, 1h30m")
    parser.add_argument("--host", default="http://127.0.0.1:8000")
    parser.add_argument("--directory", type=Path, default=ROOT / ".data" / "load")
    parser.add_argument("--only-readers", action="store_true", help="nobody but readers of pages")
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
    with running(service, directory):
        populate(service, variables(service, directory))
        yield


def variables(service: Service, directory: Path) -> dict[str, str]:
    environment = {name: value for name, value in os.environ.items() if name not in STORES}
    return environment | {"PORT": str(service.address[1]), "DATA_DIR": str(directory)}


@contextmanager
def running(service: Service, directory: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Run `make run` at the address of `service` until the end of the context."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "service.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "standalone"], cwd=ROOT, env=variables(service, directory),
            stdout=log, stderr=log, start_new_session=True,
            preexec_fn=die_with_parent(signal.SIGTERM),
        )  # fmt: skip
    try:
        wait_ready(service, process, directory / "service.log")
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(60)
        if process.poll() is None:
            process.kill()
            process.wait()


def wait_ready(service: Service, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not service.is_up():
        if process.poll() is not None or time.monotonic() > deadline:
            raise Unusable(f"it did not start:\n{log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.5)


def populate(service: Service, environment: dict[str, str]) -> None:
    """Make pages, unless an earlier run has."""
    missing = OWN_PAGES - int(service.get("/api/v1/pages/?page_size=1")["count"])
    if missing > 0:
        command = [sys.executable, "manage.py", "populate", "--pages", str(missing)]
        subprocess.run(command, cwd=ROOT, env=environment, check=True)


def locust(wanted: argparse.Namespace) -> int:
    """Run Locust and return its exit code: 0 only when all went well and every counter is right."""
    report = wanted.directory / "report.html"
    report.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "locust", "--locustfile", "loadtest/locustfile.py",
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
    except Unusable as error:
        print(f"make load: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
