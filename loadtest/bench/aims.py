"""What the bench's figures should say, and what they do say."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import repeat

from loadtest.bench.results import Results, by_repetition, median, rows, spread
from loadtest.common.figures import Median, ratio, short
from loadtest.measure.measurement import LOADS
from loadtest.systems.approaches import BY_NAME

FOOTFALL = "footfall"
LEAST = {  # times the other's requests per second: on the hot page, on Zipf
    "uncounted": (0.9, 0.75),
    "anonymous": (0.95, 0.85),
    "increment": (10, 10),
    "task": (10, 10),
    "hits": (100, 100),
}
OF_CONSTANT = 0.35
FASTER_THAN = ("increment", "task", "buffer", "batches", "hits")


@dataclass(frozen=True)
class Aim:
    text: str
    reached: bool | None
    """None when a row that it needs was not measured."""
    measured: str

    @property
    def mark(self) -> str:
        return {True: "reached", False: "**missed**", None: "not measured"}[self.reached]


def compare(text: str, value: float, holds: Callable[[float], bool], measured: str) -> Aim:
    return Aim(text, None if math.isnan(value) else holds(value), measured)


def aims(found: Results) -> Iterator[Aim]:
    yield from (bounded(found, load, "rate") for load in LOADS)
    yield from (bounded(found, load, "cpu") for load in LOADS)
    yield from (of_constant(found, load) for load in LOADS)
    for other, least in LEAST.items():
        yield from (at_least(found, *pair) for pair in zip(LOADS, repeat(other), least))
    for other in FASTER_THAN:
        yield from (below_their_median(found, load, other) for load in LOADS)
    yield from (drained(found, load) for load in LOADS)
    yield from (fresh(found, load) for load in LOADS)


def bounded(found: Results, load: str, key: str) -> Aim:
    """The same read without the append is no slower, and costs no more, in any repetition."""
    counted = by_repetition(found, FOOTFALL, load, key)
    against = ratio(by_repetition(found, "uncounted", load, key), counted)
    text = {
        "rate": f"{load}: counting off is as fast as counting or faster, each time",
        "cpu": f"{load}: counting off takes as much of the processor or less, each time",
    }[key]
    if key == "rate":
        return compare(text, against.least, lambda times: times >= 1, str(against))
    return compare(text, against.most, lambda times: times <= 1, str(against))


def of_constant(found: Results, load: str) -> Aim:
    against = spread(found, FOOTFALL, load, "of_constant")
    text = f"{load}: Footfall >= {OF_CONSTANT:g} x {BY_NAME['constant'].title}"
    return compare(text, against.value, lambda times: times >= OF_CONSTANT, str(against))


def at_least(found: Results, load: str, other: str, least: float) -> Aim:
    against = ratio(*(by_repetition(found, name, load, "rate") for name in (FOOTFALL, other)))
    text = f"{load}: Footfall >= {least:g} x {BY_NAME[other].title}"
    return compare(text, against.value, lambda value: value >= least, str(against))


def below_their_median(found: Results, load: str, other: str) -> Aim:
    ours, theirs = median(found, FOOTFALL, load, "p99_ms"), median(found, other, load, "p50_ms")
    text = f"{load}: Footfall's p99 below the p50 of {BY_NAME[other].title}"
    measured = f"{short(ours)} ms, {short(theirs)} ms"
    return compare(text, ours - theirs, lambda difference: difference < 0, measured)


def drained(found: Results, load: str) -> Aim:
    runs = found["drain"].get(load, [])
    against = Median.of([run["batched"] / run["one_by_one"] for run in runs if "one_by_one" in run])
    text = f"{load}: drain >= 100 x one UPDATE per event"
    return compare(text, against.value, lambda times: times >= 100, str(against))


def fresh(found: Results, load: str) -> Aim:
    value = spread(found, FOOTFALL, load, "freshness_p99_s")
    text = f"{load}: freshness p99 <= 2 s at half of the saturating load"
    return compare(text, value.value, lambda seconds: seconds <= 2.0, f"{value} s")


def exact(found: Results) -> bool:
    """Tell whether Footfall has counted every view once, in every run and in every drain."""
    checked = [row for load in LOADS for row in rows(found, FOOTFALL, load)]
    checked += [run for runs in found["drain"].values() for run in runs]
    return not any(row["lost"] or row["doubled"] for row in checked)
