"""By which policy the counters of a model are counted, in `Projection.policy`.

It is the name of the one policy by which all of them are counted. Once views are counted by
another one, it is MIXED until a rebuild has counted all again. A policy that tells kinds of agents
has marks behind its name, too: after a reclassification, and while a rebuild corrects.
"""

from footfall.models import Projection
from footfall.policies import People, Policy
from footfall.projections.rows import TOTALS
from footfall.registry import countable_models, policy_of
from footfall.store.visits import forget_windows
from footfall.verdicts import present_version

MIXED = ""
RECLASSIFIED = " (reclassified)"
"""What was counted before goes by verdicts of before."""
REBUILDING = " (rebuild)"
"""A rebuild corrects; new views are counted by this policy."""


def agrees(row: Projection, policy: Policy, verdicts: int | None) -> bool:
    """Tell whether a batch may be counted by this policy, with these verdicts about agents.

    Notes a policy that has changed. Call it while the row is claimed.
    """
    if policy.tells_kinds and verdicts is None:
        return False
    is_new = not row.counted_before
    if is_new and row.policy != policy.name:  # opened by a process that does not know the model
        if policy.tells_kinds and verdicts != present_version():
            return False
        row.policy, row.verdicts = policy.name, verdicts or row.verdicts
        row.save(update_fields=["policy", "verdicts"])
    if row.policy.partition(" (")[0] != policy.name:
        if row.policy != MIXED:
            row.policy = MIXED
            row.save(update_fields=["policy"])
        forget_windows(row.label, policy.hours)  # the others do not see what this one counts
        return True
    return not policy.tells_kinds or verdicts == row.verdicts


def is_counted_by(row: Projection, policy: Policy) -> bool:
    """Tell whether new views are counted by this policy, and what was before is, or is corrected
    now.
    """
    return row.policy in (policy.name, policy.name + REBUILDING)


def follow(row: Projection, policy: Policy, verdicts: int) -> None:
    """Have new views be counted by this policy alone: a rebuild corrects those of before."""
    if not is_counted_by(row, policy):
        row.policy = policy.name + REBUILDING
    row.verdicts = verdicts
    row.save(update_fields=["policy", "verdicts"])
    forget_windows(row.label)


def goes_by_verdicts(row: Projection) -> bool:
    """Tell whether the counters of a model, perhaps one that is not known here, go by kinds."""
    return row.kind == TOTALS and row.policy.partition(" (")[0] in BY_KINDS


BY_KINDS = {People.name}


def is_stale(row: Projection) -> bool:
    """Tell whether counters of a model that is known here are to be counted again by themselves."""
    model = countable_models().get(row.label)
    if row.kind != TOTALS or model is None:
        return False
    name = policy_of(model).name
    return row.policy in (name + RECLASSIFIED, name + REBUILDING)


def remark(row: Projection) -> str:
    """Return what is to be said about the policy of a projection; mostly nothing."""
    model = countable_models().get(row.label)
    if row.kind != TOTALS or model is None or (policy := policy_of(model)).name == row.policy:
        return ""
    if is_stale(row):
        return f"{row}: its counters are being counted again: {row.policy}"
    before = f"those of before by {row.policy.partition(' (')[0]}" if row.policy else "others not"
    return (
        f"{row}: new views are counted by another policy, {policy}, {before}:"
        f" `counters rebuild {row}` applies it to the past"
    )
