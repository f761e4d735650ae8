"""A model of how much a load needs: rows, write-ahead log, Redis memory, processor cores.

All views of a flush's interval that name the same content become one row, and all of ten seconds
one rollup. So the database's part grows with the number of *different* contents that are read
within an interval, which by Zipf's law grows slower than the views do.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from loadtest.capacity.fitting import least_squares
from loadtest.common import zipf
from loadtest.common.plot import lines

MEGABYTE = 1024**2


@dataclass(frozen=True)
class Load:
    """A load on the service."""

    rate: float
    """Reads of pages per second."""
    pages: int = 10_000
    contents: int = 15
    """On each page."""
    exponent: float = 1.0
    """Zipf's. 0: every page is read as often as any other."""
    interval: float = 1.0
    """Seconds between two flushes."""
    rollup_interval: float = 10.0
    """Seconds between two times that rollups by the hour are written."""

    @property
    def targets(self) -> float:
        """Rows per second of different contents and pages, in counters and in rollups."""
        rollups = max(self.interval, self.rollup_interval)
        return self.distinct(self.interval) + self.distinct(rollups)

    def distinct(self, seconds: float) -> float:
        """Return how many different contents and pages are expected in so long, per second."""
        pages = zipf.expected_distinct(self.pages, self.rate * seconds, self.exponent)
        return pages * (self.contents + 1) / seconds


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
    """A cached page with its counters, in Redis."""
    drain_rate: float = 200_000.0
    """Events per second that a flusher reads and sums up."""
    retention_seconds: float = 600.0
    retention_bytes: float = 128 * MEGABYTE
    cache_bytes: float = 256 * MEGABYTE

    def needs(self, load: Load) -> Needs:
        flushes = 1 / load.interval
        views, targets = load.rate, load.targets
        log = views * self.retention_seconds * self.bytes_per_event
        waiting = views * load.interval * self.bytes_per_event
        cached = min(load.pages * self.bytes_per_page, self.cache_bytes)
        return Needs(
            rows=self.rows_per_target * targets + self.rows_per_flush * flushes,
            wal_bytes=self.wal_per_target * targets + self.wal_per_flush * flushes,
            cores=self.cpu_per_view * views + self.cpu_per_target * targets + self.cpu_idle,
            flush_share=views / self.drain_rate + self.cpu_per_target * targets,
            redis_bytes=min(log, self.retention_bytes) + waiting + cached,
        )


@dataclass(frozen=True)
class Point:
    """The measurements of one load, per second."""

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
