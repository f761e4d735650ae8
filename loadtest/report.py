"""The bench's table, its aims, and what is plotted of it. Takes what `results.json` has."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import repeat
from typing import Any

from loadtest.approaches import APPROACHES, BY_NAME
from loadtest.figures import Median, ratio, short
from loadtest.measure import HOT, LOADS, ZIPF

Found = dict[str, Any]
TITLES = {HOT: "One hot page", ZIPF: "Zipf over 10,000 pages"}


def rows(found: Found, approach: str, load: str) -> list[Found]:
    return [row for row in found["figures"] if row["approach"] == approach and row["load"] == load]


def rates(found: Found, approach: str, load: str) -> dict[int, float]:
    return {row["repetition"]: row["rate"] for row in rows(found, approach, load)}


def median(found: Found, approach: str, load: str, name: str) -> float:
    figures = [row[name] for row in rows(found, approach, load) if row[name] is not None]
    return Median.of(figures).value


def exact(found: Found) -> bool:
    """Tell whether Footfall has counted every view once, in every run and in every drain."""
    checked = [row for row in found["figures"] if row["approach"] == "footfall"]
    return not any(row["lost"] or row["doubled"] for row in [*checked, *found["drain"].values()])


COLUMNS = (
    "", "requests/s", "of Footfall", "p50 ms", "p99 ms", "errors", "lost", "doubled", "fresh p99 s",
    "rows/view", "WAL B/view", "full pages", "Redis B/event", "CPU s/1,000",
)  # fmt: skip


def line(found: Found, approach: str, load: str) -> list[str]:
    """Return a row of the table, for Markdown."""
    some = rows(found, approach, load)

    def figure(name: str) -> str:
        return short(median(found, approach, load, name))

    counting = BY_NAME[approach].counting
    against = ratio(rates(found, approach, load), rates(found, "footfall", load))
    total = {name: sum(row[name] for row in some) for name in ("lost", "doubled")}
    return [
        BY_NAME[approach].title,
        figure("rate"),
        "1" if approach == "footfall" else str(against),
        figure("p50_ms"),
        figure("p99_ms"),
        str(sum(sum(row["errors"].values()) for row in some)),
        str(total["lost"]) if counting else "-",
        str(total["doubled"]) if counting else "-",
        figure("freshness_p99_s"),
        figure("rows_per_view"),
        figure("wal_bytes_per_view"),
        figure("full_page_bytes_per_view"),
        figure("redis_bytes_per_event"),
        figure("cpu_seconds_per_1000"),
    ]


def table(found: Found, load: str) -> str:
    lines = [line(found, a.name, load) for a in APPROACHES if rows(found, a.name, load)]
    rule = ["---"] + ["---:"] * (len(COLUMNS) - 1)
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [list(COLUMNS), rule, *lines])


@dataclass(frozen=True)
class Aim:
    """Something that the figures should say, and what they do say."""

    text: str
    reached: bool | None
    """None when a row that it needs was not measured."""
    measured: str

    def __str__(self) -> str:
        mark = {True: "reached", False: "MISSED", None: "not measured"}[self.reached]
        return f"{mark:12}  {self.text}: {self.measured}"


LEAST = {  # times the other's requests per second: on the hot page, on Zipf
    "uncounted": (0.9, 0.75),
    "constant": (0.35, 0.35),
    "increment": (10, 10),
    "task": (10, 10),
    "hits": (100, 100),
}
FASTER_THAN = ("increment", "task", "buffer", "batches", "hits")


def aims(found: Found) -> Iterator[Aim]:
    for other, least in LEAST.items():
        yield from (at_least(found, *pair) for pair in zip(LOADS, repeat(other), least))
    for other in FASTER_THAN:
        yield from (below_their_median(found, load, other) for load in LOADS)
    yield from (drained(found, load) for load in LOADS)
    yield from (fresh(found, load) for load in LOADS)


def fresh(found: Found, load: str) -> Aim:
    value = median(found, "footfall", load, "freshness_p99_s")
    text = f"{load}: freshness p99 <= 2 s at half of the saturating load"
    return compare(text, value, lambda seconds: seconds <= 2.0, f"{short(value)} s")


def at_least(found: Found, load: str, other: str, least: float) -> Aim:
    against = ratio(rates(found, "footfall", load), rates(found, other, load))
    text = f"{load}: Footfall >= {least:g} x {BY_NAME[other].title}"
    return compare(text, against.value, lambda value: value >= least, str(against))


def below_their_median(found: Found, load: str, other: str) -> Aim:
    ours, theirs = (
        median(found, "footfall", load, "p99_ms"),
        median(found, other, load, "p50_ms"),
    )
    text = f"{load}: Footfall's p99 below the p50 of {BY_NAME[other].title}"
    measured = f"{short(ours)} ms, {short(theirs)} ms"
    return compare(text, ours - theirs, lambda difference: difference < 0, measured)


def drained(found: Found, load: str) -> Aim:
    figures = found["drain"].get(load, {})
    batched, single = figures.get("batched", 0), figures.get("one_by_one", 0)
    value = batched / single if single else float("nan")
    text = f"{load}: drain >= 100 x one UPDATE per event"
    measured = f"{short(value)} ({batched:,.0f} and {single:,.0f} events/s)"
    return compare(text, value, lambda times: times >= 100, measured)


def compare(text: str, value: float, holds: Callable[[float], bool], measured: str) -> Aim:
    if math.isnan(value):
        return Aim(text, None, measured)
    return Aim(text, holds(value), measured)


def text(found: Found) -> str:
    """Return everything that is printed."""
    machine = found["machine"]
    repetitions = 1 + max((row["repetition"] for row in found["figures"]), default=-1)
    parts = [
        f"{machine['cores']} cores, shared by servers, stores and load; Python {found['python']}; "
        f"medians of up to {repetitions} repetitions; in brackets the spread of a ratio."
    ]
    for load in LOADS:
        parts += [f"{TITLES[load]}, 16 keep-alive connections", table(found, load)]
    parts += ["\n".join(map(str, aims(found)))]
    parts += [f"FAILED {name}: {why}" for name, why in found["failed"].items()]
    if not exact(found):
        parts.append("FOOTFALL HAS LOST OR DOUBLED VIEWS")
    return "\n\n".join(parts)


def to_plot(found: Found) -> tuple[str, list[tuple[str, list[float]]], list[str]]:
    """Return the title, the bars of each row, and what the bars of a row are."""
    plotted = [
        (approach.title, [median(found, approach.name, load, "rate") for load in LOADS])
        for approach in APPROACHES
        if rows(found, approach.name, HOT)
    ]
    return "Requests per second", plotted, [TITLES[load] for load in LOADS]
