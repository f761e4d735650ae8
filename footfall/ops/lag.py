"""How far each projection is behind the end of the event store."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from django.contrib.contenttypes.models import ContentType
from django.db import DEFAULT_DB_ALIAS, router
from django.db.models import Min, OuterRef, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Now

from footfall.models import Carried, Projection, Segment, StoreHead
from footfall.projections import copies
from footfall.projections.policies import remark
from footfall.projections.rows import TOTALS
from footfall.registry import countable_models

LOOKED_AHEAD = 100
"""Number of segments after a position in which the earliest event is looked for. Later segments
have later events, but for some that came from the spill or from a partition that was behind."""


@dataclass(frozen=True)
class ProjectionStatus:
    """One projection."""

    name: str
    """"totals:pages.content"."""
    lag_events: int = 0
    """Stored events that it has not applied, with and without views of its model."""
    lag_seconds: float = 0.0
    """For how long the first of them has been stored; 0 if there is none."""
    oldest_seconds: float | None = None
    """Age of the oldest event that it has not applied in full, carried over views among them. As
    long as it has been stored at least: a web server's clock may be ahead."""
    carried_views: int = 0
    carried_seconds: float = 0.0
    """Age of the oldest of them."""
    failed_at: datetime | None = None
    """Set while it fails."""
    error: str = ""
    remark: str = ""
    """What is to be said about the policy of counters, see `footfall.projections.policies`."""

    @property
    def kind(self) -> str:
        return self.name.partition(":")[0]

    @property
    def label(self) -> str:
        return self.name.partition(":")[2]

    @property
    def pending(self) -> int:
        return self.lag_events + self.carried_views

    @property
    def is_known(self) -> bool:
        """Whether this process knows its model."""
        return self.label in countable_models()


class CarriedViews(NamedTuple):
    """What is carried over for one model."""

    views: int
    since: int
    """Milliseconds since 1970."""


def read_projections(using: str = DEFAULT_DB_ALIAS) -> list[ProjectionStatus]:
    """Read every projection, in two queries. Call it after what is before the store was read.

    An event that moves on meanwhile is then seen twice, but never missed. using: the database that
    has the store. Where routers have reads go to a replica, the positions are those there.
    """
    is_one = router.db_for_read(Projection) == using
    positions = list(_with_store() if is_one else _with_store_of(using))
    carried = carried_views()
    found = [_status(row, carried if row.kind == TOTALS else {}) for row in positions]
    return [*found, *(ProjectionStatus(**one._asdict()) for one in copies.behind())]


def _with_store() -> QuerySet[Projection]:
    """Return the projections, annotated with what is after them in the store."""
    after = Segment.objects.filter(number__gt=OuterRef("number"))
    near = after.filter(number__lte=OuterRef("number") + LOOKED_AHEAD)
    earliest = near.order_by().annotate(all=Value(1)).values("all").annotate(at=Min("first_at"))
    return Projection.objects.order_by("name").annotate(
        head=Subquery(StoreHead.objects.values("events")[:1]),
        next_stored_at=Subquery(after.order_by("number").values("stored_at")[:1]),
        next_first_at=Subquery(after.order_by("number").values("first_at")[:1]),
        earliest_at=Subquery(earliest.values("at")),
        now=Now(),
    )


def _with_store_of(using: str) -> Iterator[Projection]:
    """Yield the same, with the store of another database."""
    rows = list(Projection.objects.order_by("name"))
    head = StoreHead.objects.using(using).annotate(now=Now()).first()
    stored = {number: _after(number, using) for number in {row.number for row in rows}}
    for row in rows:
        after = stored[row.number]
        first = after[0] if after else (None, None)
        vars(row).update(
            head=head.events if head else 0,
            next_stored_at=first[0],
            next_first_at=first[1],
            earliest_at=min((at for _, at in after), default=None),
            now=vars(head)["now"] if head else None,
        )
        yield row


def _after(number: int, using: str) -> Sequence[tuple[datetime, int]]:
    """Return when the first segments after one were stored, and when their first event happened."""
    rows = Segment.objects.using(using).filter(number__gt=number).order_by("number")
    return list(rows.values_list("stored_at", "first_at")[:LOOKED_AHEAD])


def carried_views() -> dict[str, CarriedViews]:
    """Return what is carried over, by the label of the model."""
    sums = Carried.objects.order_by().values_list("content_type")
    found = sums.annotate(Sum("views"), Min("since"))
    return {label_of(pk): CarriedViews(views, since) for pk, views, since in found}


def label_of(content_type: int) -> str:
    kind = ContentType.objects.get_for_id(content_type)
    return f"{kind.app_label}.{kind.model}"


def _status(row: Projection, carried: Mapping[str, CarriedViews]) -> ProjectionStatus:
    annotated = vars(row)
    now, stored_at = annotated["now"], annotated["next_stored_at"]
    views, since = carried.get(row.label, (0, None))
    lag = max(0.0, (now - stored_at).total_seconds()) if stored_at else None
    times = (annotated["earliest_at"], annotated["next_first_at"], since)
    ages = [lag, *(age(at, now) for at in times)]
    return ProjectionStatus(
        name=row.name,
        lag_events=max(0, (annotated["head"] or 0) - row.events) if stored_at else 0,
        lag_seconds=lag or 0.0,
        oldest_seconds=max((seconds for seconds in ages if seconds is not None), default=None),
        carried_views=views,
        carried_seconds=age(since, now) or 0.0,
        failed_at=row.failed_at,
        error=row.error,
        remark=remark(row),
    )


def age(at: int | None, now: datetime) -> float | None:
    """Return how many seconds before `now` it was; `at` is in ms since 1970."""
    return None if at is None else max(0.0, now.timestamp() - at / 1000)
