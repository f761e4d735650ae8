"""Agents for the tests of kinds: their rows, what operators decide, and what is counted of them."""

from collections import Counter

from django.db.models import Sum

from footfall.models import COLUMNS, Agent, AgentRule, Base, HourTotal, Kind, Rollup
from footfall.models.viewers import How, signed
from footfall.viewers.agents import Told, hash_of
from footfall.viewers.classify import classify

BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
ROBOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
LIBRARY = "python-requests/2.32"
HIDDEN = "Mozilla/5.0 (Windows NT 10.0; rv:139.0) Gecko/20100101 Firefox/139.0"
"""Looks like a browser."""


def seen(string: str, kind: Kind | None = None) -> int:
    """Make the row of an agent, as ingest does; return the 64 bits by which events name it."""
    agent = hash_of(Told(How.PLAIN, string).encode())
    kind = classify(string) if kind is None else kind
    Agent.objects.get_or_create(hash=signed(agent), defaults={"string": string, "kind": kind})
    return agent


def decide(string: str, kind: Kind) -> None:
    """Have an operator say what an agent is."""
    AgentRule.objects.create(match=AgentRule.Match.EXACT, value=string, kind=kind)


def by_kind(table: type[Rollup] | type[HourTotal] | type[Base] = Rollup) -> dict[str, int]:
    """Return the sum of each column that has one: {"views": 5, "person": 3}."""
    sums = table._default_manager.aggregate(**{f"{name}_sum": Sum(name) for name in COLUMNS})
    return {name: sums[f"{name}_sum"] for name in COLUMNS if sums[f"{name}_sum"]}


def rollups() -> Counter[tuple[int, str]]:
    """Return the views by target and column."""
    found: Counter[tuple[int, str]] = Counter()
    for target, *numbers in Rollup.objects.values_list("target_id", *COLUMNS):
        for name, number in zip(COLUMNS, numbers, strict=True):
            found[target, name] += number
    return +found
