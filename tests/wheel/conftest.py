"""The wheel, built once, and a Python that runs it."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

from tests.wheel.forked import Python


@pytest.fixture(scope="package")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel"]
    subprocess.run([*build, "--directory", directory], cwd=settings.BASE_DIR / "wheel", check=True)
    (wheel,) = directory.glob("footfall_counters-*.whl")
    return wheel


@pytest.fixture(scope="package")
def python() -> Iterator[Python]:
    with Python() as python:
        yield python
