"""Verdicts: of what kind the agents of events are, as projections count them.

A visitor that an operator has left out is a robot, with whatever agent.

Verdicts have a version. It changes in the transaction that changes verdicts, and in no other; so
they are cached for one version, and who counts with them checks it: see `Projection.verdicts`.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from django.db.models import QuerySet

from footfall.common.chunks import chunks
from footfall.common.compiled import Compiled
from footfall.events import AGENT_PLACES, agents_of, places_of
from footfall.models import (
    Agent,
    KeptKind,
    Kind,
    LeftOut,
    Reclassification,
    Segment,
    StoreHead,
    StorePosition,
)

Steps = list[tuple[int | None, int]]
"""Kinds of one agent by the time of its events, earliest first: (before which hour since 1970,
kind). The last has None: the kind from then on."""

MAX_CACHED = 200_000  # agents that a process remembers
PER_QUERY = 5_000
HOUR = 3_600_000  # milliseconds


LEFT_OUT: Steps = [(None, Kind.ROBOT)]
"""The kinds of a visitor that is left out."""

VISITOR_PLACES = places_of("visitor")

VERSION = Compiled(lambda: Reclassification.objects.order_by("-pk").values_list("version")[:1])


class Kinds(NamedTuple):
    """The kinds of some events."""

    of_meta: list[int]
    """Of the agent of each distinct metadata, for events of now."""
    kept: Mapping[int, Steps]
    """By index, those that have another kind for earlier events: mostly none."""

    def of_events(self, meta: Sequence[int], at: Sequence[int]) -> bytes:
        """Return the kind of each event, by index of its metadata and its time in ms since 1970."""
        if not self.kept:
            return bytes(map(self.of_meta.__getitem__, meta))
        return bytes(
            kind_at(self.kept[index], one // HOUR) if index in self.kept else self.of_meta[index]
            for index, one in zip(meta, at, strict=True)
        )


class Known(NamedTuple):
    """What was looked up. The threads of projections share it, so it is replaced and never changed,
    and each look goes on with the one that it has begun with.
    """

    kinds: Mapping[bytes, int] = {b"": Kind.UNKNOWN}
    """By agent; b"": of an event without one."""
    kept: Mapping[bytes, Steps] = {}
    end: StorePosition = StorePosition(0, 0, 0)
    """Of the store, when it was looked up."""


class Verdicts:
    """The verdicts of one version, read as they are asked for."""

    def __init__(self, version: int) -> None:
        self.version = version
        self._known = Known()
        self._left_out: frozenset[bytes] | None = None

    def is_restored(self) -> bool:
        """Tell whether the store does not end segments as it did when agents were looked up: their
        rows may be others since then. A compaction, too, may change that.
        """
        number, key, _ = self._known.end
        return bool(number) and not Segment.objects.filter(number=number, key=key).exists()

    def of(self, metas: Sequence[bytes]) -> Kinds | None:
        """Return the kinds for distinct metadata; None if all are unknown, now and before.

        An agent that is not in the table is unknown, and is asked for again the next time.
        """
        left_out = self._look_up_left_out()
        agents = agents_of(metas)
        kinds, kept, _end = self._known
        try:
            of_meta = list(map(kinds.__getitem__, agents))
        except KeyError:
            kinds, kept, _end = self._look_up({*agents})
            of_meta = [kinds.get(agent, 0) for agent in agents]
        earlier = {i: kept[one] for i, one in enumerate(agents) if one in kept} if kept else {}
        if left_out:
            for i in (i for i, meta in enumerate(metas) if visitor_of(meta) in left_out):
                of_meta[i] = int(Kind.ROBOT)
                earlier.pop(i, None)
        return Kinds(of_meta, earlier) if earlier or any(of_meta) else None

    def steps(self, agent: bytes) -> Steps:
        """Return the kinds of one agent, by the time of its events."""
        kinds, kept, _end = self._look_up({agent})
        return kept.get(agent) or [(None, kinds.get(agent, Kind.UNKNOWN))]

    def _look_up_left_out(self) -> frozenset[bytes]:
        found = self._left_out
        if found is None:
            found = left_out()
            if present_version() == self.version:
                self._left_out = found
        return found

    def _look_up(self, agents: set[bytes]) -> Known:
        known = self._known
        if not (missing := agents - known.kinds.keys()):
            return known
        found, kept = _read(missing)
        end = (StoreHead.objects.order_by("pk").first() or StoreHead()).position
        known = Known({**known.kinds, **found}, {**known.kept, **kept}, end)
        # With the next version, or with an older database since a failover, other kinds belong to
        # what is remembered here. A count with them will notice, or `current` does.
        if present_version() == self.version and not self.is_restored():
            self._known = known if len(known.kinds) <= MAX_CACHED else Known()
        return known


def _read(agents: Iterable[bytes]) -> tuple[dict[bytes, int], dict[bytes, Steps]]:
    """Return the kinds of agents, and of those with other kinds before, the steps.

    Raises ValueError for a kind of a later version.
    """
    hashes = {_hash(agent): agent for agent in agents}
    kinds: dict[bytes, int] = {}
    kept: dict[bytes, Steps] = {}
    for some in chunks(list(hashes), PER_QUERY):
        rows = Agent.objects.filter(hash__in=some).values_list("hash", "kind")
        kinds |= {hashes[key]: int(Kind(kind)) for key, kind in rows}
        for key, steps in steps_of(some).items():
            kept[hashes[key]] = [*steps, (None, kinds.get(hashes[key], Kind.UNKNOWN))]
    return kinds, kept


def agent_of(meta: bytes) -> bytes:
    """Return the 8 bytes of the agent in metadata; b"" if there is none."""
    return meta[AGENT_PLACES[meta[0]]] if meta else b""


def visitor_of(meta: bytes) -> bytes:
    """Return the 8 bytes of the visitor in metadata; b"" if there is none."""
    return meta[VISITOR_PLACES[meta[0]]] if meta else b""


def left_out() -> frozenset[bytes]:
    """Return the visitors that are left out at present, as metadata have them."""
    found = LeftOut.objects.filter(is_out=True).values_list("visitor", flat=True)
    return frozenset(visitor.to_bytes(8, "big", signed=True) for visitor in found)


def kinds_of(metas: Sequence[bytes]) -> list[int]:
    """Return the kind of the agent of each distinct metadata, for events of now."""
    kinds = current().of(metas)
    return kinds.of_meta if kinds else [Kind.UNKNOWN] * len(metas)


_current = Verdicts(0)


def current() -> Verdicts:
    """Return the verdicts of the present version."""
    global _current
    version = present_version()
    if _current.version != version or _current.is_restored():
        _current = Verdicts(version)
    return _current


def present_version() -> int:
    """Return the version of the verdicts: that of the last reclassification, or 0."""
    found = VERSION.first()
    return found[0] if found else 0


def version_after(reclassifications: QuerySet[Reclassification]) -> int:
    """Return the version of the last one of these, or 0."""
    versions = reclassifications.order_by("-pk").values_list("version", flat=True)
    return versions.first() or 0


def steps_of(hashes: Sequence[int]) -> dict[int, Steps]:
    """Return the kinds that agents keep for earlier events, by hash, without the present one."""
    steps: dict[int, Steps] = {}
    rows = KeptKind.objects.filter(agent__in=hashes).order_by("agent", "before")
    for agent, before, kind in rows.values_list("agent", "before", "kind"):
        steps.setdefault(agent, []).append((before, kind))
    return steps


def kind_at(steps: Steps, hour: int) -> int:
    """Return the kind of events that happened in an hour since 1970."""
    return next(kind for before, kind in steps if before is None or hour < before)


def _hash(agent: bytes) -> int:
    """Return the key of `Agent`."""
    return int.from_bytes(agent, "big", signed=True)
