"""How much a load needs: database rows, write-ahead log, Redis memory, processor cores.

`measure` reads a real Footfall at some rates and numbers of pages, and writes down what it took;
`fit` finds the model's constants on half of these points, and checks and plots it on the other
half; `ask` tells what a load would need.

The idea: all views of a flush's interval that name the same content become one row. So the
database's part grows with the number of *different* contents that are read within an interval,
which by Zipf's law grows slower than the views do.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from loadtest import zipf
from loadtest.figures import percentile, short
from loadtest.fitting import least_squares
from loadtest.plot import lines
from standalone.configuration import ROOT

MEGABYTE = 1024**2


@dataclass(frozen=True)
class Load:
    """What is asked of the service."""

    rate: float
    """Reads of pages per second."""
    pages: int = 10_000
    contents: int = 15
    """On each page."""
    exponent: float = 1.0
    """Zipf's. 0: every page is read as often as any other."""
    interval: float = 1.0
    """Seconds between two flushes."""

    @property
    def targets_per_flush(self) -> float:
        """Different contents and pages that a flush is expected to find."""
        pages = zipf.expected_distinct(self.pages, self.rate * self.interval, self.exponent)
        return pages * (self.contents + 1)

    @property
    def targets(self) -> float:
        """The same per second."""
        return self.targets_per_flush / self.interval


@dataclass(frozen=True)
class Needs:
    """What it takes, per second; memory in bytes."""

    rows: float
    wal_bytes: float
    cores: float
    flush_share: float
    """Of the time, that a single flusher is busy. Above 0.7 it wants company."""
    redis_bytes: float


@dataclass(frozen=True)
class Model:
    """Constants of one machine."""

    rows_per_target: float
    rows_per_flush: float
    wal_per_target: float
    wal_per_flush: float
    cpu_per_view: float
    """Seconds of the web servers and of Redis."""
    cpu_per_target: float
    """Seconds of the flusher and of PostgreSQL."""
    cpu_idle: float
    """Seconds per second that the processes take without any reader."""
    bytes_per_event: float = 67.0
    bytes_per_page: float = 6_500.0
    """A prepared page with its counters, in Redis."""
    drain_rate: float = 200_000.0
    """Events per second that a flusher reads and sums up."""
    retention_seconds: float = 600.0
    retention_bytes: float = 128 * MEGABYTE
    prepared_bytes: float = 256 * MEGABYTE

    def needs(self, load: Load) -> Needs:
        flushes = 1 / load.interval
        views, targets = load.rate, load.targets
        log = views * self.retention_seconds * self.bytes_per_event
        waiting = views * load.interval * self.bytes_per_event
        prepared = min(load.pages * self.bytes_per_page, self.prepared_bytes)
        return Needs(
            rows=self.rows_per_target * targets + self.rows_per_flush * flushes,
            wal_bytes=self.wal_per_target * targets + self.wal_per_flush * flushes,
            cores=self.cpu_per_view * views + self.cpu_per_target * targets + self.cpu_idle,
            flush_share=views / self.drain_rate + self.cpu_per_target * targets,
            redis_bytes=min(log, self.retention_bytes) + waiting + prepared,
        )


@dataclass(frozen=True)
class Point:
    """What was measured of one load, per second."""

    load: Load
    rows: float
    wal_bytes: float
    cores: float

    @classmethod
    def read(cls, found: dict[str, Any]) -> "Point":
        return cls(Load(**found["load"]), found["rows"], found["wal_bytes"], found["cores"])

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def fit(points: Sequence[Point], **known: float) -> Model:
    """Return the model whose constants fit best. `known` are those that were measured directly."""
    flushes = [1 / point.load.interval for point in points]
    targets = [point.load.targets for point in points]
    views = [point.load.rate for point in points]
    rows = least_squares([targets, flushes], [point.rows for point in points])
    wal = least_squares([targets, flushes], [point.wal_bytes for point in points])
    always = [1.0] * len(points)
    cpu = least_squares([views, targets, always], [point.cores for point in points])
    return Model(*rows, *wal, *cpu, **known)


def errors(model: Model, points: Sequence[Point]) -> dict[str, list[float]]:
    """Return for each quantity how far the model is off at each point, as a share."""
    found: dict[str, list[float]] = {"rows": [], "wal_bytes": [], "cores": []}
    for point in points:
        needs = model.needs(point.load)
        for name, shares in found.items():
            measured = getattr(point, name)
            shares.append(abs(getattr(needs, name) - measured) / measured)
    return found


def split(points: Sequence[Point]) -> tuple[list[Point], list[Point]]:
    """Return those to fit on, and those held out: every other number of pages."""
    numbers = sorted({point.load.pages for point in points})
    fitted = set(numbers[::2])
    return (
        [point for point in points if point.load.pages in fitted],
        [point for point in points if point.load.pages not in fitted],
    )


def say_fit(found: dict[str, Any], plot: Path) -> Model:
    """Fit, check, plot, and print what came of it."""
    points = [Point.read(point) for point in found["points"]]
    fitted, held_out = split(points)
    model = fit(fitted, **found.get("known", {}))
    for name, value in asdict(model).items():
        print(f"{name:20} {value:.6g}")
    for title, some in (("fitted on", fitted), ("held out", held_out)):
        for name, shares in errors(model, some).items():
            middle, worst = percentile(shares, 50), max(shares)
            print(f"{title} {len(some)} points, {name:9}: off by {middle:.0%}, at most {worst:.0%}")
    plot.write_text(picture(model, fitted, held_out))
    print(f"plotted: {plot}")
    return model


def picture(model: Model, fitted: Sequence[Point], held_out: Sequence[Point]) -> str:
    """Plot the database's rows per second over the reads per second."""
    curves: list[tuple[str, list[tuple[float, float]], bool]] = []
    rates = [10 * 10 ** (i / 10) for i in range(51)]
    for pages in (30, 1_000, 10_000, 1_000_000):
        needs = [(rate, model.needs(Load(rate, pages)).rows) for rate in rates]
        curves.append((f"{pages:,} pages", needs, True))
    curves.append(("fitted on", [(point.load.rate, point.rows) for point in fitted], False))
    curves.append(("held out", [(point.load.rate, point.rows) for point in held_out], False))
    axes = ("reads of pages per second", "rows written per second")
    return lines("Database rows by load (Zipf, 15 contents a page, a flush a second)", axes, curves)


def say_needs(model: Model, load: Load) -> None:
    needs = model.needs(load)
    print(
        f"{load.rate:,.0f} reads/s of {load.pages:,} pages of {load.contents}, "
        f"a flush every {load.interval:g} s: {needs.rows:,.0f} rows/s, "
        f"{short(needs.wal_bytes / MEGABYTE)} MB/s of log, {short(needs.cores)} cores, "
        f"flusher busy {needs.flush_share:.0%}, "
        f"Redis {needs.redis_bytes / MEGABYTE:,.0f} MB"
    )


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m loadtest.capacity", description=__doc__)
    parser.add_argument("what", choices=("measure", "fit", "ask"))
    parser.add_argument("--directory", type=Path, default=ROOT / ".data" / "bench")
    parser.add_argument("--rate", type=float, default=1_000.0)
    parser.add_argument("--pages", type=int, default=10_000)
    parser.add_argument("--contents", type=int, default=15)
    parser.add_argument("--exponent", type=float, default=1.0)
    parser.add_argument("--interval", type=float, default=1.0)
    return parser.parse_args()


def main() -> int:
    wanted = arguments()
    file = wanted.directory / "capacity.json"
    if wanted.what == "measure":
        from loadtest.sweep import sweep  # starts servers: the rest needs none of it

        wanted.directory.mkdir(parents=True, exist_ok=True)
        found = sweep(wanted.directory.resolve())
        file.write_text(json.dumps(found, indent=1) + "\n")
    if not file.exists():
        print(f"There is no {file} yet: python -m loadtest.capacity measure", file=sys.stderr)
        return 1
    found = json.loads(file.read_text())
    if wanted.what == "ask":
        fitted, _ = split([Point.read(point) for point in found["points"]])
        load = Load(wanted.rate, wanted.pages, wanted.contents, wanted.exponent, wanted.interval)
        say_needs(fit(fitted, **found.get("known", {})), load)
    else:
        say_fit(found, wanted.directory / "capacity.svg")
    return 0


if __name__ == "__main__":
    sys.exit(main())
