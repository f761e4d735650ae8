"""The figures of a run, as a table and as JSON."""

from collections import Counter
from collections.abc import Iterable, Sequence
from statistics import median, quantiles
from typing import Any

from loadtest.common.client import Run
from tests.faults.campaign import Outcome
from tests.faults.fault_plan import POSTGRES, REDIS
from tests.faults.intervals import (
    Interval,
    both,
    length,
    longest_pause,
    next_after,
    overlapping,
)


def figures(outcome: Outcome, seed: int) -> dict[str, Any]:
    """Return all figures of a run; times are in seconds."""
    run, gain = outcome.run, outcome.verdict.total()
    ledger, good = run.ledger, list(zip(run.moments, run.latencies, strict=True))
    away = both(outcome.away(REDIS), outcome.away(POSTGRES))
    moments = list(run.moments)
    paused = longest_pause(moments, outcome.span, away)
    attempts = ledger.attempted.total()
    return {
        "seed": seed,
        "seconds": round(outcome.span[1] - outcome.span[0], 1),
        "faults": dict(Counter(one.planned.name for one in outcome.happened)),
        "overlapping": overlapping((one.began, one.recovered) for one in outcome.happened),
        "reads": {
            "attempted": attempts,
            "answered": ledger.answered.total(),
            "statuses": statuses(run),
            "connections refused": run.refused,
            "not answered with 200": round(1 - ledger.answered.total() / max(1, attempts), 4),
        },
        "views": {
            "attempted": gain.attempted, "answered": gain.answered, "counted": gain.counted,
        },
        "kinds": {"lost": outcome.kinds.lost, "doubled": outcome.kinds.doubled},
        "notes": outcome.notes,
        "events by the log": outcome.by_log,
        "events by the spill": outcome.by_spill,
        "dropped": {reason: number for reason, number in outcome.dropped.items() if number},
        "told as lost": outcome.told,
        "dead letters": outcome.dead_letters,
        "Redis away": round(length(outcome.away(REDIS)), 1),
        "PostgreSQL away": round(length(outcome.away(POSTGRES)), 1),
        "both away": round(length(away), 1),
        "longest pause": round(paused[1] - paused[0], 2),
        "paused at": round(paused[0] - outcome.span[0], 1),
        "answered again": recoveries(outcome, moments),
        "stored again": recoveries(outcome, outcome.stored),
        "latency": latency(run.latencies),
        "latency while a store is away": latency(
            _during(good, outcome.away(REDIS) + outcome.away(POSTGRES))
        ),
        "latency during promotions": latency(_during(good, outcome.promotions)),
        "wrong": {
            name: gain._asdict()
            for verdict in (outcome.verdict, outcome.kinds)
            for name, gain in verdict.wrong().items()
        },
        "failures": outcome.failures,
        "lost": outcome.verdict.lost,
        "doubled": outcome.verdict.doubled,
    }  # fmt: skip


def statuses(run: Run) -> dict[str, int]:
    """Return how many answers had each status; "broken": the connection broke before its end."""
    found = Counter({"200": len(run.latencies)})
    for name, number in run.errors.items():
        found[name if name.isdigit() else "broken"] += number
    return dict(sorted(found.items()))


def recoveries(outcome: Outcome, moments: Sequence[float]) -> dict[str, float]:
    """Return the median and the longest time from the end of a fault to the next of `moments`."""
    after = [next_after(moments, one.ended) for one in outcome.happened]
    found = [seconds for seconds in after if seconds is not None]
    if not found:
        return {}
    return {"median": round(median(found), 2), "longest": round(max(found), 2)}


def latency(seconds: Iterable[float]) -> dict[str, float]:
    found = list(seconds)
    if len(found) < 2:
        return {}
    cut = quantiles(found, n=100, method="inclusive")
    return {"median": round(cut[49], 3), "p99": round(cut[98], 3), "longest": round(max(found), 2)}


def _during(good: Iterable[Interval], away: Sequence[Interval]) -> list[float]:
    """Return the seconds of the answers that came in one of the intervals."""
    return [took for at, took in good if any(start <= at <= end for start, end in away)]


def table(found: dict[str, Any]) -> str:
    """Return the figures as people read them; the last two lines are the verdict."""
    reads, views = found["reads"], found["views"]
    events = found["events by the log"] + found["events by the spill"]
    statuses = ", ".join(f"{name}: {number}" for name, number in reads["statuses"].items())
    rows = [
        ("seed", found["seed"]),
        ("time", f"{found['seconds']} s"),
        ("faults", f"{sum(found['faults'].values())}, of them {found['overlapping']} overlapping"),
        *((f"  {name}", number) for name, number in sorted(found["faults"].items())),
        ("reads attempted", reads["attempted"]),
        ("reads answered with 200", reads["answered"]),
        ("not answered with 200", f"{reads['not answered with 200']:.2%} ({statuses})"),
        ("connections refused", reads["connections refused"]),
        ("views attempted", views["attempted"]),
        ("views answered", views["answered"]),
        ("views counted", views["counted"]),
        ("people, robots, unknown by content", _words(found["kinds"])),
        ("events by way of the log", _share(found["events by the log"], events)),
        ("events by way of the spill", _share(found["events by the spill"], events)),
        ("dropped, as counted before", _words(found["dropped"])),
        ("told as lost in a store", f"{found['told as lost']} events"),
        ("dead letters", found["dead letters"]),
        ("Redis away", f"{found['Redis away']} s"),
        ("PostgreSQL away", f"{found['PostgreSQL away']} s"),
        ("both away", f"{found['both away']} s"),
        (
            "longest pause, a store being there",
            f"{found['longest pause']} s, at {found['paused at']} s",
        ),
        ("from a fault's end to an answer", _words(found["answered again"], " s")),
        ("from a fault's end to a stored event", _words(found["stored again"], " s")),
        ("an answer took", _words(found["latency"], " s")),
        ("  while a store was away", _words(found["latency while a store is away"], " s")),
    ]
    if during := found["latency during promotions"]:
        rows.append(("  during promotions", _words(during, " s")))
    rows += found["notes"].items()
    lines = [f"{name:<42} {value}" for name, value in rows]
    lines += [f"wrong: {name} {gain}" for name, gain in list(found["wrong"].items())[:20]]
    lines += [f"failed: {failure}" for failure in found["failures"]]
    return "\n".join([*lines, f"lost {found['lost']}", f"doubled {found['doubled']}"])


def _share(number: int, total: int) -> str:
    return f"{number} ({number / max(1, total):.1%})"


def _words(numbers: dict[str, Any], unit: str = "") -> str:
    return ", ".join(f"{name} {number}{unit}" for name, number in numbers.items()) or "none"
