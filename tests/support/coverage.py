"""The pytest plugin that measures coverage (`-p tests.support.coverage`), where make asks for it.

It does what SlipCover's own does, for less: nothing in the main process, which runs no test. And it
keeps the probes in lines that have run. SlipCover takes them out after 50 hits, and looks through
every module for them each time: that took longer than the probes take.
"""

import json
import os
import tomllib
from pathlib import Path

import slipcover

ASKED = "FOOTFALL_TESTS_COVERAGE"
ROOT = Path(__file__).parents[2]
HITS = 100_000

worker = os.environ.get("PYTEST_XDIST_WORKER", "")


class Folders:
    """Matches what lies in some folders. SlipCover's own asks the system about each module."""

    def __init__(self, names: list[str]) -> None:
        self._beginnings = tuple(f"{ROOT / name}{os.sep}" for name in names)

    def matches(self, filename: str) -> bool:
        return filename.startswith(self._beginnings)


def start() -> slipcover.Slipcover:
    """Measure what is imported from now on."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["slipcover"]
    cover = slipcover.Slipcover(
        branch=settings["branch"],
        # What was never imported is in the figures of the first one alone.
        source=settings["source"] if worker == "gw0" else None,
        exclude_also=settings["exclude-also"],
        d_miss_threshold=HITS,
    )
    slipcover.ImportManager(cover, Folders(settings["source"])).__enter__()
    return cover


cover = start() if worker and os.environ.get(ASKED) else None


def pytest_sessionfinish() -> None:
    if cover:
        (ROOT / f".coverage.{worker}.json").write_text(json.dumps(cover.get_coverage()))
