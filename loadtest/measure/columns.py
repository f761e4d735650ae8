"""The columns of the bench's tables. One more is one more line here.

Each is a figure of one load, kept in `results.json` under its key. The table has the median of the
repetitions and the spread around it, or where it is about errors, their sum.
"""

from collections.abc import Callable
from dataclasses import dataclass

from loadtest.common.figures import percentile
from loadtest.measure.observation import Observation

SPEED, WRITTEN, CPU = "Requests", "What is written", "Processor seconds per 1,000 reads"
TABLES = (SPEED, WRITTEN, CPU)

PROJECTIONS = {
    "ingest": (
        "counters_partition",
        "counters_producerstate",
        "counters_segment",
        "counters_storehead",
        "counters_spilled",
    ),
    "totals": ("pages_content", "pages_page", "counters_projection", "counters_carried"),
    "hourly": ("counters_rollup", "counters_hourtotal"),
    "visitors": ("counters_visitorsketch",),
}
"""By what is written for: the tables. A new projection is a new line."""
PROGRAMS = ("web", "redis", "postgres", "flusher")
"""Each has a column of its own; all others have one together."""


@dataclass(frozen=True)
class Column:
    key: str
    title: str
    table: str
    figure: Callable[[Observation], float | None]
    """Of one load; None where it is not told."""
    summed: bool = False
    """Over the repetitions: of a fault even one is told."""


def p99(seconds: list[float] | None) -> float | None:
    return percentile(seconds, 99) if seconds else None


def _projection(name: str, tables: tuple[str, ...]) -> list[Column]:
    return [
        Column(
            f"rows_{name}", f"rows: {name}", WRITTEN,
            lambda seen: seen.per_view(sum(seen.written.rows[table] for table in tables)),
        ),
        Column(
            f"wal_{name}", f"WAL B: {name}", WRITTEN,
            lambda seen: seen.per_view(sum(seen.written.wal[table] for table in tables)),
        ),
    ]  # fmt: skip


def _program(name: str) -> Column:
    return Column(f"cpu_{name}", name, CPU, lambda seen: seen.cpu_per_1000(name))


COLUMNS = (
    Column("rate", "requests/s", SPEED, lambda seen: seen.run.rate),
    Column("of_constant", "of constant", SPEED, lambda seen: seen.run.rate / seen.constant_rate),
    Column("p50_ms", "p50 ms", SPEED, lambda seen: percentile(seen.run.latencies, 50) * 1000),
    Column("p99_ms", "p99 ms", SPEED, lambda seen: percentile(seen.run.latencies, 99) * 1000),
    Column("freshness_p99_s", "fresh p99 s", SPEED, lambda seen: p99(seen.freshness)),
    Column("errors", "errors", SPEED, lambda seen: seen.run.failed, summed=True),
    Column("lost", "lost", SPEED, lambda seen: seen.counted("lost"), summed=True),
    Column("doubled", "doubled", SPEED, lambda seen: seen.counted("doubled"), summed=True),
    Column("rate_written", "requests/s", WRITTEN, lambda seen: seen.run.rate),
    Column("rows", "rows/view", WRITTEN, lambda seen: seen.per_view(seen.written.rows.total())),
    Column("wal", "WAL B/view", WRITTEN, lambda seen: seen.per_view(seen.written.wal.total())),
    *[column for name in PROJECTIONS for column in _projection(name, PROJECTIONS[name])],
    Column(
        "full_pages", "and full pages B", WRITTEN,
        lambda seen: seen.per_view(seen.written.full_pages),
    ),
    Column("redis_bytes", "Redis B/event", WRITTEN, lambda seen: seen.bytes_per_event),
    Column("cpu", "all", CPU, lambda seen: seen.cpu_per_1000(*seen.cpu)),
    *map(_program, PROGRAMS),
    Column("cpu_rest", "rest", CPU, lambda seen: seen.cpu_per_1000(*{*seen.cpu} - {*PROGRAMS})),
    Column("cpu_load", "(the load)", CPU, lambda seen: seen.load_cpu / seen.thousands),
)  # fmt: skip
