"""The rows of the projections: created, locked, moved; and why one has failed."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping

from django.db import transaction
from django.db.models import Value
from django.db.models.functions import Coalesce
from django.utils import timezone

from footfall import sql
from footfall.common.compiled import Compiled
from footfall.models import Projection, StoreHead, StorePosition
from footfall.policies import Everything
from footfall.registry import countable_models, policy_of
from footfall.verdicts import present_version

TOTALS, HOURLY, VISITORS = "totals", "hourly", "visitors"
KINDS = (TOTALS, HOURLY, VISITORS)
"""Each model has a projection of each kind."""
WITH_VERDICTS = (HOURLY, VISITORS)
"""Those that tell agents apart: see `Projection.verdicts`."""
BEGINNING = StorePosition(0, 0, 0)
MAX_ERROR = 2_000  # characters of an error that are kept
NAMES = Compiled(lambda: Projection.objects.values_list("name"))
CLAIM = Compiled(
    lambda name, number, key: Projection.objects.select_for_update(skip_locked=True).filter(
        name=name, number=number, key=key
    )
)


def name_of(kind: str, label: str) -> str:
    return f"{kind}:{label}"


def open_projections(labels: Iterable[str], position: StorePosition) -> None:
    """Create the rows of these models that are missing, at `position`.

    Call it in the transaction that stores the first event of a model, with the position before it.
    """
    number, key, events = position
    names = sorted(
        {name_of(kind, label) for label in labels for kind in KINDS}
        - {name for (name,) in NAMES.all()}
    )
    if not names:
        return
    verdicts = present_version()
    rows = [
        Projection(name=name, number=number, key=key, events=events, verdicts=verdicts)
        for name in names
    ]
    for row in rows:
        model = countable_models().get(row.label)
        row.policy = policy_of(model).name if model else Everything.name
    Projection.objects.bulk_create(rows, ignore_conflicts=True)


def open_missing(labels: Collection[str]) -> None:
    """Create the rows of models of which no event was stored yet, at the end of the store.

    The end is locked, so that no event of them is stored meanwhile.
    """
    names = {name_of(kind, label): label for label in labels for kind in KINDS}
    found = Projection.objects.filter(name__in=names).values_list("name", flat=True)
    if missing := {label for name, label in names.items() if name not in {*found}}:
        with transaction.atomic():
            head = StoreHead.objects.select_for_update().order_by("pk").first()
            open_projections(missing, head.position if head else BEGINNING)


def lock(label: str, kinds: Collection[str] = KINDS) -> list[Projection]:
    """Lock the projections of a model in this transaction: nothing is applied to it meanwhile.

    Waits for those that are being applied. Whatever else writes what a projection wrote, begins
    with this: rebuild, repair, compaction.
    """
    names = [name_of(kind, label) for kind in kinds]
    return list(Projection.objects.select_for_update().filter(name__in=names).order_by("name"))


def claim(
    kind: str, label: str, position: StorePosition, verdicts: int | None = None
) -> Projection | None:
    """Lock a projection in this transaction, if it is at `position` and not locked already.

    verdicts: and if it goes on with this version of them.
    """
    row = CLAIM.first(name_of(kind, label), position.number, position.key)
    return row if row and verdicts in (None, row.verdicts) else None


def move(row: Projection, until: StorePosition, dropped: Mapping[str, int]) -> None:
    """Save that the claimed projection has applied everything up to `until`.

    dropped: views that it did not count, by reason. Raises sql.Conflict if it was not claimed.
    """
    moved = Projection.objects.filter(pk=row.pk, number=row.number, key=row.key).update(
        number=until.number,
        key=until.key,
        events=until.events,
        moved_at=timezone.now() if until != row.position else row.moved_at,
        dropped=dict(Counter(row.dropped) + Counter(dropped)),
        failed_at=None,
        error="",
    )
    if not moved:
        raise sql.Conflict(f"the projection {row} has moved meanwhile")


def move_idle(
    names: Collection[str],
    position: StorePosition,
    until: StorePosition,
    verdicts: int | None = None,
) -> list[str]:
    """Move the projections for which there is nothing between; return the names of those moved.

    Those that are locked, or not at `position`, stay. verdicts: and those that go on with another
    version of them, by which there may be something.
    """
    with transaction.atomic(durable=True):
        rows = Projection.objects.select_for_update(skip_locked=True).order_by("name")
        at_position = rows.filter(name__in=names, number=position.number, key=position.key)
        if verdicts is not None:
            at_position = at_position.filter(verdicts=verdicts)
        moved = list(at_position.values_list("name", flat=True))
        Projection.objects.filter(name__in=moved).update(
            number=until.number,
            key=until.key,
            events=until.events,
            moved_at=timezone.now(),
            failed_at=None,
            error="",
        )
    return moved


def note_failure(rows: Iterable[Projection], error: Exception) -> list[str]:
    """Save why the projections have failed, and since when; return the names of those.

    Leaves out one that another process has locked, or has moved since it was read.
    """
    text = f"{type(error).__name__}: {error}".strip()[:MAX_ERROR]
    with transaction.atomic(durable=True):
        unmoved = Projection.objects.select_for_update(skip_locked=True).order_by("name")
        positions = {row.name: row.position for row in rows}
        found = list(unmoved.filter(name__in=positions))
        failed = [row.name for row in found if row.position == positions[row.name]]
        Projection.objects.filter(name__in=failed).update(
            failed_at=Coalesce("failed_at", Value(timezone.now())), error=text
        )
    return failed
