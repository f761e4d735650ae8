"""The views between two positions of the event store."""

from collections import Counter
from collections.abc import Iterator
from typing import TypeVar

from django.db.models import Q

from footfall.common.compiled import Compiled
from footfall.models import KIND_COLUMNS, VIEWS, Kind, Projection, Segment, StorePosition
from footfall.projections.rows import HOURLY, TOTALS, name_of
from footfall.registry import countable_models, limits, policy_of
from footfall.sql.batch import Row
from footfall.store.read import PositionLost, load, segments_after
from footfall.store.views import views_of
from footfall.store.visits import Visits, count_beside
from footfall.verdicts import Verdicts, current

Key = TypeVar("Key")

READ_EVENTS = 100_000  # events between two positions that are listed at a time
MAX_EVENTS = 2_000_000  # with more between the positions, nothing is compared
PAIR = Compiled(lambda totals, hourly: Projection.objects.filter(Q(name=totals) | Q(name=hourly)))


class Incomparable(Exception):
    """A model cannot be compared; the message says why."""


class Gap:
    """Views of one model that are at one position and not yet at another, by (id, hour since 1970).

    Negative if the other one is ahead. It follows the positions: however often they are compared,
    each segment is read at most once for either.
    """

    def __init__(self, label: str, *, by_hour: bool = False) -> None:
        self.label = label
        self.column = VIEWS if by_hour else policy_of(countable_models()[label]).column
        """Of `ByKind`: these views alone. If it is not `by_hour`, those that counters have."""
        self.views: Counter[tuple[int, int]] = Counter()
        """The hour is 0 unless the gap is `by_hour`."""
        self.kinds: Counter[tuple[int, int, int]] = Counter()
        """Those of known kinds of agents, by (id, hour, kind), if the gap is `by_hour`."""
        self.others: set[int] = set()
        """Ids that have views of kinds that are not counted."""
        self._limit = None if by_hour else limits().get(label)
        self._visits = self._no_visits()
        """Of the events between the positions, if the model counts by visitor."""
        self.verdicts = Verdicts(0)
        """What tells kinds."""
        self.unread: set[int] = set()
        """Numbers of segments that could not be read, or are missing."""
        self._by_hour = by_hour
        self._tells_kinds = by_hour or self.column != VIEWS
        self._followed: tuple[StorePosition, ...] = ()
        """The positions that `views` is right for."""

    def follow(self, position: StorePosition, other: StorePosition) -> None:
        """Follow the positions, as this transaction sees them. Raises Incomparable."""
        if self._tells_kinds and self.verdicts.version != (verdicts := current()).version:
            self.verdicts, self._followed = verdicts, ()
        if self._followed and self._move(position, other):
            self._count_visits()
            return
        # The first time; or the last position is gone, since compaction has passed it meanwhile.
        if (events := abs(position.events - other.events)) > MAX_EVENTS:
            raise Incomparable(
                f"{self.label}: not compared, two positions are {events} events apart"
            )
        lower = min(position, other)
        self.views, self.kinds, self._followed = Counter(), Counter(), (lower, lower)
        self._visits = self._no_visits()
        if not self._move(position, other):
            raise Incomparable(f"{self.label}: not compared, a position is not in the store")
        self._count_visits()

    def _no_visits(self) -> Visits:
        return Visits({self.label: self._limit} if self._limit else {})

    def _count_visits(self) -> None:
        """Tell how many of the visits count, beside those that were recounted."""
        if self._limit:
            visits = self._visits.of.get(self.label, {})
            views = count_beside(countable_models()[self.label], visits, self._limit.most)
            self.views = Counter({(target, 0): n for target, n in views.items() if n})
            self.others.update(views)

    def of_ids(self, after: int, last: int) -> Iterator[tuple[int, int, int]]:
        """Yield (id, hour, views) of the ids from `after` + 1 to `last`."""
        for (target, hour), views in self.views.items():
            if after < target <= last:
                yield target, hour, views

    def rows_of_ids(self, after: int, last: int) -> Iterator[Row]:
        """Yield what there is of the ids from `after` + 1 to `last`, by hour and kind."""
        for target, hour in {*self.views, *(key[:2] for key in self.kinds)}:
            if after < target <= last:
                kinds = (self.kinds[target, hour, kind] for kind in KIND_COLUMNS)
                yield hour, target, [self.views[target, hour], *kinds]

    def _move(self, *positions: StorePosition) -> bool:
        """Add what is new up to these positions; return False if one is lost."""
        try:
            for followed, end, sign in zip(self._followed, positions, (1, -1), strict=True):
                self._add(followed, end, sign)
        except PositionLost:
            return False
        self._followed = positions
        return True

    def _add(self, position: StorePosition, end: StorePosition, sign: int) -> None:
        """Add the views after `position`, up to `end`. Raises PositionLost."""
        while position.number < end.number and (new := segments_after(position, READ_EVENTS)):
            for segment in new:
                if position.number < end.number:
                    self.unread.update(range(position.number + 1, segment.first))
                    self._add_segment(segment, sign)
                    events = position.events + segment.events
                    position = StorePosition(segment.number, segment.key, events)
        if position[:2] != end[:2]:
            raise PositionLost(f"the store has no segment {end.number} with this key")

    def _add_segment(self, segment: Segment, sign: int) -> None:
        events = load(segment)
        if len(events) != segment.events:
            self.unread.add(segment.number)
        if self._limit:
            self._visits.add(events, sign)
            return
        kinds = self.verdicts.of(events.metas) if self._tells_kinds else None
        for viewed in views_of(events, kinds):
            if self.column not in (VIEWS, KIND_COLUMNS.get(Kind(viewed.kind))):
                self.others.update(viewed.targets.get(self.label, ()))
                continue
            hour, times = viewed.hour if self._by_hour else 0, sign * viewed.times
            for target in viewed.targets.get(self.label, ()):
                _add(self.views, (target, hour), times)
                if self._by_hour and viewed.kind:
                    _add(self.kinds, (target, hour, viewed.kind), times)


def positions(label: str) -> dict[str, StorePosition]:
    """Return the positions of counters ("totals") and rollups ("hourly"), unless there are none.

    Raises Incomparable if only one of them is there.
    """
    names = (name_of(kind, label) for kind in (TOTALS, HOURLY))
    found = {one.kind: one.position for one in PAIR.all(*names)}
    if len(found) == 1:
        raise Incomparable(f"{label}: not compared, its only projection is {min(found)}")
    return found


def _add(counter: Counter[Key], key: Key, times: int) -> None:
    """Add without keeping zeros."""
    counter[key] += times
    if not counter[key]:
        del counter[key]
