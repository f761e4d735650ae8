"""The program of the workers, as `make run` starts it."""

import subprocess
import sys

from tests.support.environments import PRODUCTION


def test_it_knows_our_options_and_loads_no_other_command_and_no_views() -> None:
    command = [sys.executable, "-X", "importtime", "-m", "project.celery_worker", "--help"]
    environment = PRODUCTION

    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr[-2_000:]
    assert "--with-beat" in done.stdout
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert {"celery.bin.worker", "footfall.tasks"} <= loaded
    assert loaded.isdisjoint({"celery.bin.celery", "click_repl", "flower.app"})
    assert loaded.isdisjoint({"project.urls", "rest_framework.serializers"})
