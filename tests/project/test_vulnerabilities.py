"""`make vulnerabilities`, with a service on this machine in place of the real one."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from loadtest.common import ports

ROOT = Path(__file__).parents[2]
SCRIPT = "requirements/vulnerabilities.py"
KNOWN = {
    "id": "PYSEC-0000-1",
    "summary": "Anybody may do anything.",
    "affected": [
        {
            "package": {"name": "django", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "99.1"}]}],
        }
    ],
}


class Service(ThreadingHTTPServer):
    """Responds like OSV: `{}` for packages without known vulnerabilities."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.known: dict[str, Any] = {}
        self.status = 200
        self.asked: set[tuple[str, str]] = set()


class Answer(BaseHTTPRequestHandler):
    server: Service
    protocol_version = "HTTP/1.1"  # connections are kept

    def do_POST(self) -> None:
        query = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        name = query["package"]["name"]
        self.server.asked.add((name, query["version"]))
        found = self.server.known.get(name)
        body = json.dumps({"vulns": [found]} if found else {}).encode()
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@pytest.fixture
def service() -> Iterator[Service]:
    with Service() as service:
        Thread(target=service.serve_forever, daemon=True).start()
        yield service
        service.shutdown()


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A project of three packages: to ask about two hundred takes long."""
    hashed = f"--hash=sha256:{'0' * 64}"
    files = {
        "requirements/base.txt": f"django==5.2.1 {hashed}\nredis==8.1.0 {hashed}\n",
        "loadtest/peers/requirements.txt": f"flask==3.1.0 {hashed}\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(text)
    shutil.copy(ROOT / SCRIPT, tmp_path / SCRIPT)
    return tmp_path


def look(port: int, root: Path = ROOT) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(root / SCRIPT), "--osv-url", f"http://127.0.0.1:{port}"]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)


@pytest.mark.long
def test_everything_that_is_pinned_is_asked_about(service: Service) -> None:
    done = look(service.server_port)

    assert done.returncode == 0, done.stdout
    assert done.stdout.startswith("0 known vulnerabilities in ")
    pinned = (ROOT / "requirements/base.txt").read_text()
    pins = set(re.findall(r"^([a-z0-9.-]+)(?:\[\S+\])?==([^\s;]+) \\\\?$", pinned, re.M))
    assert len(pins) > 30
    assert pins <= service.asked


def test_a_known_vulnerability_is_listed_with_its_remedy(service: Service, small: Path) -> None:
    service.known["django"] = KNOWN

    done = look(service.server_port, small)

    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "django 5.2.1: PYSEC-0000-1, mended in 99.1",
        "1 known vulnerabilities in 3 packages.",
    ]


@pytest.mark.long
def test_what_could_not_be_looked_at_is_not_called_safe(service: Service, small: Path) -> None:
    service.status = 503
    for port in (service.server_port, ports.free_port()):
        done = look(port, small)

        assert done.returncode == 3
        assert done.stdout.startswith("Not looked: ")
        assert "is not known" in done.stdout
        assert "0 known" not in done.stdout
