"""What counters and rollups have in common when they are held against a recount."""

from dataclasses import dataclass, field
from typing import ClassVar

from django.db import models

from footfall.common.compiled import Compiled
from footfall.models import Projection, Recount
from footfall.projections.rows import lock, name_of
from footfall.recount.counting import current, locked
from footfall.recount.gap import Gap, Incomparable
from footfall.registry import countable_models
from footfall.store.read import is_known

NAMED = Compiled(lambda name: Projection.objects.filter(name=name))


@dataclass
class BesideRecount:
    """What a projection has written of one model, beside the model's recount."""

    recount: Recount
    gap: Gap = field(init=False)
    row: Projection | None = field(default=None, init=False)
    """The projection, as it was followed last."""

    kind: ClassVar[str]
    """Of the projection."""
    by_hour: ClassVar[bool] = False
    """Whether the gap tells hours."""

    def __post_init__(self) -> None:
        self.gap = Gap(self.recount.label, by_hour=self.by_hour)

    @property
    def model(self) -> type[models.Model]:
        return countable_models()[self.recount.label]

    @property
    def unread(self) -> list[int]:
        """Numbers of the segments that could not be read, or are missing."""
        return sorted({*self.recount.corrupt, *self.gap.unread})

    def lock(self) -> Projection | None:
        """Lock the projection and the recount in this transaction. Raises Incomparable.

        The projection applies nothing until it ends.
        """
        rows = lock(self.recount.label, [self.kind])
        self.recount = locked(self.recount)
        row = rows[0] if rows else None
        if row and self.recount.is_lost and is_known(row.position):
            raise Incomparable(f"{row} has found its position again: begin once more")
        self._follow(row)
        return row

    def follow_current(self) -> None:
        """Follow recount and projection as this snapshot sees them. Raises Incomparable."""
        self.recount = current(self.recount)
        self._follow(NAMED.first(name_of(self.kind, self.recount.label)))

    def _follow(self, row: Projection | None) -> None:
        self.row, boundary = row, self.recount.boundary
        is_lost = self.recount.is_lost or row is None
        self.gap.follow(boundary if is_lost or row is None else row.position, boundary)
