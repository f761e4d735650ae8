"""Visits: how often a visitor viewed a target in a window, for policies that limit that.

A counter has the sum of min(times, most) over all windows and visitors. So neither the order of
events nor how they are divided into batches matters. What has left the store is counted by itself:
see `left_uncounted`.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from django.db import models, transaction

from footfall.common.chunks import chunks
from footfall.events import META_BYTES, Meta
from footfall.identity import epoch
from footfall.models import Projection, Uncounted, Visit, VisitWindow
from footfall.policies import Policy
from footfall.registry import content_type_of, countable_models, limits
from footfall.store.read import scan
from footfall.store.segment import Events

HOUR = 3_600_000  # milliseconds
PLACE = Meta._fields.index("visitor")
PER_QUERY = 1_000
UNUSED_AFTER = 72
"""Epochs after which a window is removed: late events are at most 24 hours late, mostly."""


class Key(NamedTuple):
    """Whose visits: of one visitor of one target in one window."""

    window: int
    target: int
    visitor: int
    """0: it is not known, and each view counts."""


def window_of(hour: int, hours: int) -> int:
    """Return the number of the window that has an hour since 1970: it tells its length, too."""
    return (hour - hour % hours) << 5 | hours


def span_of(window: int) -> tuple[int, int]:
    """Return the beginning and the end of a window, in ms since 1970."""
    first = window >> 5
    return first * HOUR, (first + (window & 31)) * HOUR


def visitor_of(meta: bytes) -> int:
    """Return the visitor in metadata as a signed number; 0 if there is none."""
    if not meta or not meta[0] >> PLACE & 1:
        return 0
    start = 1 + sum(META_BYTES[place] for place in range(PLACE) if meta[0] >> place & 1)
    return int.from_bytes(meta[start : start + META_BYTES[PLACE]], "big", signed=True)


@dataclass
class Visits:
    """The visits in some events, of models whose policy limits them."""

    policies: Mapping[str, Policy] = field(default_factory=limits)
    """By label."""
    of: dict[str, Counter[Key]] = field(default_factory=dict)
    """How many, by label."""

    @property
    def rows(self) -> int:
        """About how many rows of the table they are."""
        return sum(map(len, self.of.values()))

    def add(self, events: Events, sign: int = 1, windows: Collection[int] | None = None) -> None:
        """Add the visits in these events. windows: leave out others."""
        named = [
            [(label, ids) for label, ids in targets.items() if label in self.policies]
            for targets in (events.targets if self.policies else ())
        ]
        if not any(named):
            return
        visitors = [visitor_of(meta) for meta in events.metas]
        hours = (at // HOUR for at in events.at)
        alike = Counter(
            row for row in zip(events.body, events.meta, hours, strict=True) if named[row[0]]
        )
        for (body, meta, hour), times in alike.items():
            for label, ids in named[body]:
                window = window_of(hour, self.policies[label].hours)
                if windows is None or window in windows:
                    found = self.of.setdefault(label, Counter())
                    for target in ids:
                        found[Key(window, target, visitors[meta])] += sign * times


def counted(visits: Mapping[Key, int], known: Mapping[Key, int], most: int) -> Counter[int]:
    """Return how many of the visits count, by target, if there are those that are known."""
    views: Counter[int] = Counter()
    for key, times in visits.items():
        if key.visitor:
            before = known.get(key, 0)
            views[key.target] += min(most, before + times) - min(most, before)
        else:
            views[key.target] += times
    return views


def take(row: Projection, policy: Policy, visits: Mapping[Key, int]) -> Mapping[int, int]:
    """Add new visits of a model to those of their windows; return how many count, by target.

    Call it while `totals` is locked, before it moves.
    """
    model = countable_models()[row.label]
    _load(row, {key.window for key in visits if key.visitor})
    return +counted(visits, add_visits(model, visits), policy.most)


def add_visits(
    model: type[models.Model], visits: Mapping[Key, int], *, beside: bool = False
) -> Mapping[Key, int]:
    """Add to the table; return what it had of these keys, and perhaps of others."""
    known: dict[Key, int] = {}
    for keys in _chunks(visits):
        rows = _rows(model, keys, beside)
        some = dict(_times(rows))
        if some:
            rows.delete()
        known |= some
        new = some | {key: some.get(key, 0) + visits[key] for key in keys}
        kind = content_type_of(model)
        Visit.objects.bulk_create(
            Visit(
                content_type=kind,
                beside=beside,
                window=key.window,
                target_id=key.target,
                visitor=key.visitor,
                times=times,
            )
            for key, times in sorted(new.items())
        )
    return known


def recounted_visits(model: type[models.Model], visits: Iterable[Key]) -> Mapping[Key, int]:
    """Return what a recount has of these keys, and perhaps of others."""
    known: dict[Key, int] = {}
    for keys in _chunks(visits):
        known |= dict(_times(_rows(model, keys, beside=True)))
    return known


def _chunks(visits: Iterable[Key]) -> Iterator[Sequence[Key]]:
    """Yield the keys of known visitors, those of a window together."""
    by_window: dict[int, list[Key]] = defaultdict(list)
    for key in sorted(visits):
        if key.visitor:
            by_window[key.window].append(key)
    for keys in by_window.values():
        yield from chunks(keys, PER_QUERY)


def _rows(model: type[models.Model], keys: Sequence[Key], beside: bool) -> models.QuerySet[Visit]:
    return Visit.objects.filter(
        content_type=content_type_of(model),
        beside=beside,
        window=keys[0].window,
        target_id__in={key.target for key in keys},
        visitor__in={key.visitor for key in keys},
    )


def _times(rows: models.QuerySet[Visit]) -> Iterator[tuple[Key, int]]:
    for *key, times in rows.values_list("window", "target_id", "visitor", "times"):
        yield Key(*key), times


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
    found = stored(row.label, missing, 0, row.number)
    add_visits(model, found)
    VisitWindow.objects.bulk_create(
        VisitWindow(content_type=kind, window=window, epoch=now) for window in sorted(missing)
    )


def stored(label: str, windows: Collection[int], after: int, until: int) -> Counter[Key]:
    """Return the visits in these windows that are in the segments after one, up to another."""
    visits = Visits({label: limits()[label]})
    if windows:
        spans = list(map(span_of, windows))
        since, end = min(first for first, _ in spans), max(last for _, last in spans)
        for segment, events in scan(since, end):
            if segment.number > until:
                break
            if segment.number > after:
                visits.add(events, windows={*windows})
    return visits.of.get(label, Counter())


def forget_windows(label: str, hours: int = 0) -> None:
    """Have the windows of a model read again when they are needed; those of `hours` are kept.

    Call it while `totals` is locked, or gone.
    """
    if model := countable_models().get(label):
        of_model = VisitWindow.objects.filter(content_type=content_type_of(model))
        gone = [one for one in of_model.values_list("window", flat=True) if one & 31 != hours]
        of_model.filter(window__in=gone).delete()


def left_uncounted(row: Projection, removed: Mapping[Key, int], last: int) -> None:
    """Note how many of the visits that leave the store do not count; `last`: their last segment.

    They are what counters have of them: so many as there are less without them. Call it while
    `totals` is locked.
    """
    model, most = countable_models()[row.label], limits()[row.label].most
    windows = {key.window for key in removed}
    rest = stored(row.label, windows, last, row.number)
    views = counted(removed, rest, most)
    kind = content_type_of(model)
    every: Counter[int] = Counter()
    for key, times in removed.items():
        every[key.target] += times
    every.subtract(views)
    for target, times in sorted((+every).items()):
        base, _ = Uncounted.objects.get_or_create(
            content_type=kind, target_id=target, defaults={"views": 0}
        )
        Uncounted.objects.filter(content_type=kind, target_id=target).update(
            views=base.views + times
        )
    VisitWindow.objects.filter(content_type=kind, window__in=windows).delete()


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
