"""Agents for the tests of kinds: their rows, what operators decide, and what is counted of them."""

from collections import Counter

from django.db.models import Sum

from footfall.events import decode, decode_meta
from footfall.models import (
    COLUMNS,
    KIND_COLUMNS,
    VIEWS,
    Agent,
    AgentRule,
    Base,
    HourTotal,
    Kind,
    Rollup,
)
from footfall.models.viewers import How, signed, unsigned
from footfall.viewers.agents import Told, hash_of
from footfall.viewers.classify import classify
from tests.support.store import all_stored
from tests.support.views import HOUR

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


def assert_rolled_up(label: str = "pages.content") -> None:
    """Rollups and totals are what the stored events say, by hour, target and kind of agent.

    An audit says so, too, and asks the database dozens of questions.
    """
    kinds = {unsigned(pk): kind for pk, kind in Agent.objects.values_list("hash", "kind")}
    expected: Counter[tuple[int, int, str]] = Counter()
    for one in all_stored():
        kind = kinds.get(decode_meta(one.meta).agent, Kind.UNKNOWN)
        columns = [VIEWS, KIND_COLUMNS[Kind(kind)]] if kind else [VIEWS]
        for target in decode(one.body).get(label, ()):
            expected.update((one.at // HOUR, target, name) for name in columns)

    found: Counter[tuple[int, int, str]] = Counter()
    app, model = label.split(".")
    ours = {"content_type__app_label": app, "content_type__model": model}
    for hour, target, *numbers in Rollup.objects.filter(**ours).values_list(
        "hour", "target_id", *COLUMNS
    ):
        for name, number in zip(COLUMNS, numbers, strict=True):
            found[int(hour.timestamp() * 1000) // HOUR, target, name] += number
    assert +found == expected

    sums: Counter[tuple[int, str]] = Counter()
    for (at, _target, name), number in expected.items():
        sums[at, name] += number
    totals: Counter[tuple[int, str]] = Counter()
    for hour, *numbers in HourTotal.objects.filter(**ours).values_list("hour", *COLUMNS):
        for name, number in zip(COLUMNS, numbers, strict=True):
            totals[int(hour.timestamp() * 1000) // HOUR, name] += number
    assert +totals == sums
