"""Visits: how often a visitor viewed a target in a window, for policies that limit that.

A counter has the sum of min(times, most) over all windows and visitors. So neither the order of
events nor how they are divided into batches matters. What has left the store is counted by itself:
see `left_uncounted`.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import NamedTuple

from django.db import models, transaction

from footfall.common.chunks import chunks
from footfall.events import places_of
from footfall.identity import epoch
from footfall.models import Projection, Uncounted, Visit, VisitWindow
from footfall.policies import Policy
from footfall.registry import content_type_of, countable_models, limits
from footfall.sql.visits import Place, Visited, add_visits, count_visits, parts
from footfall.store.read import scan
from footfall.store.segment import Events

HOUR = 3_600_000  # milliseconds
PLACES = places_of("visitor")
PER_QUERY = 1_000
MAX_ROWS = 300_000
"""About how many visits are in memory when windows are read again."""
UNUSED_AFTER = 72
"""Epochs after which a window is removed: late events are at most 24 hours late, mostly."""


class Viewed(NamedTuple):
    """Views of the same targets of a model in one window."""

    ids: Collection[int]
    times: Counter[int]
    """By visitor; 0: it is not known, and each view counts."""


Windows = Mapping[int, Mapping[bytes, Viewed]]
"""By window, then by the body of the events."""


def window_of(hour: int, hours: int) -> int:
    """Return the number of the window that has an hour since 1970: it tells its length, too."""
    return (hour - hour % hours) << 5 | hours


def span_of(window: int) -> tuple[int, int]:
    """Return the beginning and the end of a window, in ms since 1970."""
    first = window >> 5
    return first * HOUR, (first + (window & 31)) * HOUR


def visitors_of(metas: Iterable[bytes]) -> list[int]:
    """Return the visitor in each of these metadata as a signed number; 0 if there is none."""
    places = (meta[PLACES[meta[0]]] if meta else b"" for meta in metas)
    return [int.from_bytes(visitor, "big", signed=True) for visitor in places]


@dataclass
class Visits:
    """The visits in some events, of models whose policy limits them."""

    policies: Mapping[str, Policy] = field(default_factory=limits)
    """By label."""
    of: dict[str, dict[int, dict[bytes, Viewed]]] = field(default_factory=dict)
    """By label, then as in `Windows`."""
    rows: int = 0
    """About how many rows of the table they are."""

    def add(self, events: Events, sign: int = 1, windows: Collection[int] | None = None) -> None:
        """Add the visits in these events. windows: leave out others."""
        named = [
            [(label, ids) for label, ids in targets.items() if label in self.policies]
            for targets in (events.targets if self.policies else ())
        ]
        if not any(named):
            return
        visitors = visitors_of(events.metas)
        hours = (at // HOUR for at in events.at)
        counts = Counter(
            row for row in zip(events.body, hours, events.meta, strict=True) if named[row[0]]
        )
        found: dict[tuple[int, int], list[tuple[int, int]]] = defaultdict(list)
        for (body, hour, meta), times in counts.items():
            found[body, hour].append((visitors[meta], sign * times))
        for (body, hour), views in found.items():
            for label, ids in named[body]:
                window = window_of(hour, self.policies[label].hours)
                if windows is None or window in windows:
                    of_window = self.of.setdefault(label, {}).setdefault(window, {})
                    viewed = of_window.setdefault(events.bodies[body], Viewed(ids, Counter()))
                    self._add(viewed, views)

    def _add(self, viewed: Viewed, views: Iterable[tuple[int, int]]) -> None:
        before = len(viewed.times)
        for visitor, times in views:
            viewed.times[visitor] += times
        self.rows += len(viewed.ids) * (len(viewed.times) - before)


def alike(*sources: Iterable[Viewed]) -> Iterator[tuple[list[int], list[Counter[int]]]]:
    """Yield targets that have the same views in each of the sources, and these views: of each
    source by visitor. No target comes twice.
    """
    listed = [(place, viewed) for place, source in enumerate(sources) for viewed in source]
    named: dict[int, list[int]] = defaultdict(list)
    for number, (_, viewed) in enumerate(listed):
        for target in viewed.ids:
            named[target].append(number)
    together: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for target, numbers in named.items():
        together[tuple(numbers)].append(target)
    for same, ids in together.items():
        sums: list[Counter[int]] = [Counter() for _ in sources]
        for place, viewed in map(listed.__getitem__, same):
            sums[place].update(viewed.times)
        yield ids, sums


def take(row: Projection, policy: Policy, visits: Windows) -> Mapping[int, int]:
    """Add new visits of a model to those of their windows; return how many count, by target.

    Call it while `totals` is locked, before it moves.
    """
    model = countable_models()[row.label]
    known = {window for window, bodies in visits.items() if _has_visitors(bodies.values())}
    _load(row, known)
    views: Counter[int] = Counter()
    for window, bodies in visits.items():
        place = Place(model, window)
        for some in parts(_groups(bodies.values(), views)):
            views.update(count_visits(place, some, policy.most))
            add_visits(place, some)
    return +views


def add_all(model: type[models.Model], visits: Windows, *, beside: bool = False) -> None:
    """Add visits to the table. beside: to those of a recount."""
    for window, bodies in visits.items():
        for some in parts(_groups(bodies.values())):
            add_visits(Place(model, window, beside), some)


def count_beside(model: type[models.Model], visits: Windows, most: int) -> Counter[int]:
    """Return how many visits count if there are those of a recount: of every target, also 0."""
    views: Counter[int] = Counter()
    for window, bodies in visits.items():
        for some in parts(_groups(bodies.values(), views)):
            views.update(count_visits(Place(model, window, beside=True), some, most))
    return views


def _has_visitors(some: Iterable[Viewed]) -> bool:
    return any(any(viewed.times) for viewed in some)


def _groups(some: Iterable[Viewed], views: Counter[int] | None = None) -> Iterator[Visited]:
    """Yield the visits of known visitors. views: add to these those without one."""
    for ids, (times,) in alike(some):
        others = times.pop(0, 0)
        if views is not None:
            views.update(dict.fromkeys(ids, others))
        if times:
            visitors = sorted(times)
            yield Visited(sorted(ids), visitors, list(map(times.__getitem__, visitors)))


def _load(row: Projection, windows: Collection[int]) -> None:
    """Have all visits of these windows in the table, up to the position of the projection."""
    model, now = countable_models()[row.label], epoch()
    of_model = VisitWindow.objects.filter(content_type=content_type_of(model))
    there = dict(of_model.filter(window__in=windows).values_list("window", "epoch"))
    if old := [window for window in there if there[window] != now]:
        of_model.filter(window__in=old).update(epoch=now)
    missing = {*windows} - there.keys()
    if not missing:
        return
    kind = content_type_of(model)
    Visit.objects.filter(content_type=kind, beside=False, window__in=missing).delete()
    for found in stored(row.label, missing, 0, row.number, MAX_ROWS):
        add_all(model, found)
    VisitWindow.objects.bulk_create(
        VisitWindow(content_type=kind, window=window, epoch=now) for window in sorted(missing)
    )


def stored(
    label: str, windows: Collection[int], after: int, until: int, most: float = inf
) -> Iterator[Windows]:
    """Yield the visits in these windows that are in the segments after one, up to another: in
    parts of about `most` rows.
    """
    spans = list(map(span_of, windows))
    since = min((first for first, _ in spans), default=0)
    end = max((last for _, last in spans), default=0)
    policies = {label: limits()[label]}
    visits = Visits(policies)
    for segment, events in scan(since, end) if windows and after < until else ():
        if segment.number > until:
            break
        if segment.number > after:
            visits.add(events, windows={*windows})
        if visits.rows >= most:
            yield visits.of[label]
            visits = Visits(policies)
    yield visits.of.get(label, {})


def forget_windows(label: str, hours: int = 0) -> None:
    """Have the windows of a model read again when they are needed; those of `hours` are kept.

    Call it while `totals` is locked, or gone.
    """
    if model := countable_models().get(label):
        of_model = VisitWindow.objects.filter(content_type=content_type_of(model))
        gone = [one for one in of_model.values_list("window", flat=True) if one & 31 != hours]
        of_model.filter(window__in=gone).delete()


def left_uncounted(row: Projection, removed: Windows, last: int) -> None:
    """Note how many of the visits that leave the store do not count; `last`: their last segment.

    They are what counters have of them: so many as there are less without them. Call it while
    `totals` is locked.
    """
    model, most = countable_models()[row.label], limits()[row.label].most
    (rest,) = stored(row.label, removed, last, row.number)
    repeated: Counter[int] = Counter()
    for window, bodies in removed.items():
        kept = rest.get(window, {}).values()
        for ids, (gone, there) in alike(bodies.values(), kept):
            times = sum(
                _repeated(n, there[visitor], most) for visitor, n in gone.items() if visitor
            )
            repeated.update(dict.fromkeys(ids, times))
    kind = content_type_of(model)
    for some in chunks(sorted((+repeated).items()), PER_QUERY):
        rows = Uncounted.objects.filter(content_type=kind, target_id__in=[one for one, _ in some])
        before = dict(rows.values_list("target_id", "views"))
        rows.delete()
        Uncounted.objects.bulk_create(
            Uncounted(content_type=kind, target_id=one, views=before.get(one, 0) + times)
            for one, times in some
        )
    VisitWindow.objects.filter(content_type=kind, window__in=removed).delete()


def _repeated(times: int, others: int, most: int) -> int:
    """Return how many of the views of a visitor do not count, if there are others."""
    return times - (min(most, others + times) - min(most, others))


def remove_unused() -> None:
    """Remove the windows that are not used any more, and visits of no window."""
    oldest = epoch() - UNUSED_AFTER
    for label, model in countable_models().items():
        kind = content_type_of(model)
        with transaction.atomic():
            list(Projection.objects.select_for_update().filter(name=f"totals:{label}"))
            windows = VisitWindow.objects.filter(content_type=kind)
            windows.filter(epoch__lt=oldest).delete()
            visits = Visit.objects.filter(content_type=kind, beside=False)
            there = {*windows.values_list("window", flat=True)}
            for window in {*visits.order_by().values_list("window", flat=True).distinct()} - there:
                visits.filter(window=window).delete()
