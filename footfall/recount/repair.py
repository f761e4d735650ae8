"""Repairs what an audit has found, row by row; each counter that is changed is in the ledger."""

from django.db import transaction

from footfall import sql
from footfall.common.failpoints import failpoint
from footfall.models import Audit, Correction
from footfall.recount.counters import Counters
from footfall.recount.rollups import Rollups, Wrong
from footfall.store.visits import forget_windows


class NotRepaired(Exception):
    """The row was left as it was; the message says why."""


def repair_counter(counters: Counters, target: int, audit: Audit | None = None) -> int | None:
    """Set a counter to what it should be now; return it, or None if the target was deleted.

    Raises NotRepaired if it would take away what nothing explains, or Incomparable.
    """
    with transaction.atomic():
        row = counters.lock()
        forget_windows(counters.recount.label)  # they may be what is wrong
        list(sql.lock(counters.model._base_manager.filter(pk=target)).values_list("pk"))
        done = counters.correct(row, [target])
        for one in done:
            if one.refused:
                raise NotRepaired(one.refused)
            if one.after != one.before:
                Correction.objects.create(
                    kind=Correction.Kind.REPAIR,
                    label=counters.recount.label,
                    target_id=target,
                    before=one.before,
                    after=one.after,
                    audit=audit,
                    text="counted again from base and events",
                )
        failpoint("before_repair_commit")
    failpoint("after_repair_commit")
    return done[0].after if done else None


def repair_rollups(rollups: Rollups, wrong: Wrong) -> None:
    """Set the rollups of a day, and its hourly totals, to what they should be now.

    Raises NotRepaired or Incomparable.
    """
    with transaction.atomic():
        rollups.lock()
        if not rollups.correct([wrong]):
            numbers = ", ".join(map(str, rollups.unread[:20]))
            raise NotRepaired(f"cannot be explained, no one can read segments {numbers}")
        rollups.correct_total(wrong.day)
        failpoint("before_repair_commit")
    failpoint("after_repair_commit")


def repair_totals(rollups: Rollups) -> int:
    """Set the hourly totals of every day to the sums of the rollups; return how many were wrong."""
    wrong = 0
    for day in rollups.days(None):
        with transaction.atomic():
            rollups.lock()
            wrong += rollups.correct_total(day)
    return wrong
