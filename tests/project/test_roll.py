"""`compose/roll` upgrades a running service: in which order, and when it stops."""

import os
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
SCALED = yaml.safe_load((ROOT / "compose/scale.yml").read_text())["services"]
ROLLED = {name for name, one in SCALED.items() if "DATABASE_POOLED" in one.get("environment", {})}
# Stands in for both programs: a container is a line in the file of its service.
ENGINE = """#!/bin/bash
[ "$1" != -f ] || shift 4
last=${@: -1} name=${last%%-*}
case $1 in
    ps) cat "$last" ;;
    run) echo "migrate" >> calls; [ ! -e migrations-fail ] ;;
    up) scale=${@: -2:1}; n=${scale#*=}
        while [ "$(wc -l < "$last")" -lt "$n" ]; do echo "$last-new-$RANDOM" >> "$last"; done ;;
    stop) echo "stop $last, $(($(wc -l < "$name") - 1)) run on" >> calls ;;
    rm) sed -i "/^$last$/d" "$name" ;;
    inspect) if [[ -e broken && $last = *-new-* ]]; then echo unhealthy; else echo healthy; fi ;;
    exec) [[ ! ( -e broken && $2 = *-new-* ) ]] ;;
    *) echo "unexpected: $*" >&2; exit 1 ;;
esac
"""


class Engine:
    """An engine that runs two containers of each service."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for program in ("docker", "docker-compose"):
            file = folder / program
            file.write_text(ENGINE)
            file.chmod(0o755)
        for name in ROLLED:
            self.run(name, 2)
        # It goes to the folder that it is in: that of the stand-ins.
        (folder / "compose").mkdir()
        script = (ROOT / "compose/roll").read_text()
        (folder / "compose/roll").write_text(script)

    def run(self, name: str, containers: int) -> None:
        lines = [f"{name}-old-{i}\n" for i in range(containers)]
        (self.folder / name).write_text("".join(lines))

    def running(self, name: str) -> list[str]:
        return (self.folder / name).read_text().split()

    def roll(self, *services: str) -> subprocess.CompletedProcess[str]:
        path = f"{self.folder}:{os.environ['PATH']}"
        return subprocess.run(
            ["/usr/bin/env", "bash", "compose/roll", *services],
            cwd=self.folder,
            env={**os.environ, "PATH": path, "ROLL_SECONDS": "0"},
            capture_output=True,
            text=True,
            check=False,
        )

    @property
    def calls(self) -> list[str]:
        file = self.folder / "calls"
        return file.read_text().splitlines() if file.exists() else []


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return Engine(tmp_path)


def test_everything_is_replaced_one_by_one_after_the_migrations(engine: Engine) -> None:
    assert engine.roll().returncode == 0

    migrated, *stopped = engine.calls
    assert migrated == "migrate"
    assert len(stopped) == 2 * len(ROLLED)
    assert all(call.endswith(", 1 run on") for call in stopped)
    for name in ROLLED:
        assert not [one for one in engine.running(name) if "-old-" in one]


def test_who_reads_what_others_write_is_replaced_before_them(engine: Engine) -> None:
    engine.roll()

    order = list(dict.fromkeys(call.split()[1].split("-")[0] for call in engine.calls[1:]))
    assert order[0] == "flusher"  # an earlier one may store nothing after the migrations
    assert order.index("web") < order.index("worker")  # rankings
    assert order[-1] == "beat"  # its tasks


def test_named_services_are_restarted_without_migrations(engine: Engine) -> None:
    assert engine.roll("web").returncode == 0

    assert engine.calls == ["stop web-old-0, 1 run on", "stop web-old-1, 1 run on"]


def test_nothing_is_replaced_if_the_migrations_fail(engine: Engine) -> None:
    (engine.folder / "migrations-fail").touch()

    assert engine.roll().returncode != 0

    assert engine.calls == ["migrate"]


@pytest.mark.parametrize("name", ["web", "flusher"])
def test_the_others_are_left_alone_if_a_new_one_is_not_ready(engine: Engine, name: str) -> None:
    (engine.folder / "broken").touch()

    ended = engine.roll(name)

    assert ended.returncode != 0
    assert "is not ready" in ended.stderr
    assert f"{name}-old-1" in engine.running(name)


def test_a_single_web_server_is_not_stopped(engine: Engine) -> None:
    engine.run("web", 1)

    assert engine.roll().returncode != 0

    assert not engine.calls
