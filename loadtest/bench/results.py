"""Looks up figures in the results of a bench."""

from typing import Any

from loadtest.common.figures import Median

Results = dict[str, Any]
"""What `results.json` has."""


def rows(found: Results, approach: str, load: str) -> list[Results]:
    return [row for row in found["figures"] if row["approach"] == approach and row["load"] == load]


def by_repetition(found: Results, approach: str, load: str, key: str) -> dict[int, float]:
    return {row["repetition"]: row[key] for row in rows(found, approach, load)}


def spread(found: Results, approach: str, load: str, key: str) -> Median:
    told = [row[key] for row in rows(found, approach, load)]
    return Median.of([figure for figure in told if figure is not None])


def median(found: Results, approach: str, load: str, key: str) -> float:
    return spread(found, approach, load, key).value
