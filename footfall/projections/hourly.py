"""The projection `hourly`: views by target and hour, and of all targets of a model by hour.

It writes only its own tables, and asks no other: views of targets that do not exist are in them
too.
"""

from collections.abc import Sequence

from django.db import models

from footfall import sql
from footfall.common.failpoints import failpoint
from footfall.projections.batch import Batch
from footfall.projections.rows import claim, move
from footfall.registry import countable_models
from footfall.sql.batch import Group, totals_of


def project_hourly(label: str, batch: Batch) -> bool:
    """Apply the batch in a transaction of its own.

    Returns False if the projection is not at the batch's position, goes on with other verdicts, or
    is applied by another process.
    Raises sql.LockTimeout.
    """
    with sql.atomic_with_lock_timeout():
        row = claim("hourly", label, batch.position, batch.verdicts)
        if row is None:
            return False
        failpoint("hourly_before_apply")
        apply(countable_models()[label], list(batch.groups(label)))
        failpoint("hourly_after_apply")
        move(row, batch.until, {})
        failpoint("hourly_before_commit")
    failpoint("hourly_after_commit")
    return True


def apply(model: type[models.Model], groups: Sequence[Group]) -> None:
    """Add to the rollups and to the hourly totals."""
    sql.add_groups(model, groups)
    sql.add_hour_totals(model, totals_of(groups))
