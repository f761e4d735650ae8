"""The columns of the bench's tables. One more is one more line here.

Each is a figure of one load, kept in `results.json` under its key. The table has the median of the
repetitions and the spread around it, or where it is about errors, their sum.
"""

from collections.abc import Callable
from dataclasses import dataclass

from loadtest.figures import percentile
from loadtest.taken import Taken

SPEED, WRITTEN, CPU = "Requests", "What is written", "Processor seconds per 1,000 reads"
TABLES = (SPEED, WRITTEN, CPU)

PROJECTIONS = {
    "log": ("counters_partition", "counters_producerstate", "counters_batch", "counters_spilled"),
    "totals": ("pages_content", "pages_page"),
    "hourly": ("counters_rollup", "counters_hourtotal"),
}
"""By what is written for: the tables. A new projection is a new line."""
PROGRAMS = ("web", "redis", "postgres", "flusher")
"""Each has a column of its own; all others have one together."""


@dataclass(frozen=True)
class Column:
    key: str
    title: str
    table: str
    figure: Callable[[Taken], float | None]
    """Of one load; None where it is not told."""
    summed: bool = False
    """Over the repetitions: of a fault even one is told."""


def p99(seconds: list[float] | None) -> float | None:
    return percentile(seconds, 99) if seconds else None


def _projection(name: str, tables: tuple[str, ...]) -> list[Column]:
    return [
        Column(
            f"rows_{name}", f"rows: {name}", WRITTEN,
            lambda taken: taken.per_view(sum(taken.written.rows[table] for table in tables)),
        ),
        Column(
            f"wal_{name}", f"WAL B: {name}", WRITTEN,
            lambda taken: taken.per_view(sum(taken.written.wal[table] for table in tables)),
        ),
    ]  # fmt: skip


def _program(name: str) -> Column:
    return Column(f"cpu_{name}", name, CPU, lambda taken: taken.cpu_per_1000(name))


COLUMNS = (
    Column("rate", "requests/s", SPEED, lambda taken: taken.run.rate),
    Column("of_constant", "of constant", SPEED, lambda taken: taken.run.rate / taken.constant_rate),
    Column("p50_ms", "p50 ms", SPEED, lambda taken: percentile(taken.run.latencies, 50) * 1000),
    Column("p99_ms", "p99 ms", SPEED, lambda taken: percentile(taken.run.latencies, 99) * 1000),
    Column("freshness_p99_s", "fresh p99 s", SPEED, lambda taken: p99(taken.freshness)),
    Column("errors", "errors", SPEED, lambda taken: taken.run.failed, summed=True),
    Column("lost", "lost", SPEED, lambda taken: taken.counted("lost"), summed=True),
    Column("doubled", "doubled", SPEED, lambda taken: taken.counted("doubled"), summed=True),
    Column("rate_written", "requests/s", WRITTEN, lambda taken: taken.run.rate),
    Column("rows", "rows/view", WRITTEN, lambda taken: taken.per_view(taken.written.rows.total())),
    Column("wal", "WAL B/view", WRITTEN, lambda taken: taken.per_view(taken.written.wal.total())),
    *[column for name in PROJECTIONS for column in _projection(name, PROJECTIONS[name])],
    Column(
        "full_pages", "and full pages B", WRITTEN,
        lambda taken: taken.per_view(taken.written.full_pages),
    ),
    Column("redis_bytes", "Redis B/event", WRITTEN, lambda taken: taken.bytes_per_event),
    Column("cpu", "all", CPU, lambda taken: taken.cpu_per_1000(*taken.cpu)),
    *map(_program, PROGRAMS),
    Column("cpu_rest", "rest", CPU, lambda taken: taken.cpu_per_1000(*{*taken.cpu} - {*PROGRAMS})),
    Column("cpu_load", "(the load)", CPU, lambda taken: taken.load_cpu / taken.thousands),
)  # fmt: skip
