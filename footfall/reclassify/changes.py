"""What is said about agents today, and the transaction in which that becomes what is counted."""

import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from django.db import transaction
from django.db.models import F

from footfall.common.chunks import chunks
from footfall.common.failpoints import failpoint
from footfall.models import (
    Agent,
    Correcting,
    KeptKind,
    LeftOut,
    Projection,
    Reclassification,
    ReclassifiedAgent,
    ReclassifiedVisitor,
    StoreHead,
)
from footfall.projections.policies import RECLASSIFIED, goes_by_verdicts
from footfall.projections.rows import HOURLY, TOTALS, WITH_VERDICTS
from footfall.projections.visitors.noted import recount_after, recount_days
from footfall.store.append import locked_head
from footfall.store.read import is_known
from footfall.verdicts import PER_QUERY, Steps, present_version, steps_of, version_after
from footfall.viewers.rules import Rules

LOCKED_WAIT = 0.1  # seconds until locked projections are tried again
HOUR = 3_600  # seconds

Progress = Callable[[str, int, int], None]
"""Called with what is done, how much of it is done, and of how much."""


class Unfinished(Exception):
    """Another reclassification is not finished: finish it first."""


class Change(NamedTuple):
    """What becomes of one agent."""

    agent: int
    """As `Agent.hash`."""
    before: Steps
    after: Steps


def begin(since: datetime | None, progress: Progress | None = None) -> Reclassification | None:
    """Change the verdicts to what list and rules say now, of events since then; None: of all.

    Returns None if nothing differs. Raises Unfinished.
    """
    hour = None if since is None else int(since.timestamp()) // HOUR
    while True:
        version = present_version()
        changes = list(differing(hour, progress))
        visitors = differing_visitors(since)
        if not changes and not visitors:
            return None
        while present_version() == version:
            if found := _begin(version, changes, visitors, since):
                return found
            time.sleep(LOCKED_WAIT)


def _begin(
    version: int,
    changes: Sequence[Change],
    visitors: Mapping[int, bool],
    since: datetime | None,
) -> Reclassification | None:
    """Do it, unless one of the agents is locked, a projection is opened meanwhile, or the verdicts
    have changed. Raises Unfinished.

    The many rows come first, since nothing waits for them. Then it waits for the projections, as a
    rebuild does. The end of the store is locked last, until the commit: no projection is opened by
    then, nothing leaves the store, and ingests wait.
    """
    with transaction.atomic():
        if Reclassification.objects.filter(finished_at=None).exists():
            raise Unfinished
        if not _lock_agents(changes):
            return None
        found = _change(changes, since)
        _change_visitors(found, visitors)
        rows = _lock_projections()
        head = locked_head()
        others = Reclassification.objects.exclude(pk=found.pk)
        if others.filter(finished_at=None).exists():
            raise Unfinished
        if version_after(others) != version or {*_counting()} != {row.name for row in rows}:
            transaction.set_rollback(True)
            return None
        _note_positions(found, rows, head)
        failpoint("before_reclassify_begin")
    failpoint("after_reclassify_begin")
    return found


def differing(since: int | None, progress: Progress | None = None) -> Iterator[Change]:
    """Yield what is to be changed; since: an hour since 1970, before which all stays as it is."""
    rules, done = Rules.read(), 0
    agents = Agent.objects.order_by("hash").values_list("hash", "string", "how", "kind")
    number, rows = agents.count(), list(agents[:PER_QUERY])
    while rows:
        kept = steps_of([row[0] for row in rows])
        for agent, string, how, kind in rows:
            before: Steps = [*kept.get(agent, []), (None, kind)]
            after = changed(before, int(rules.wanted(string, how)), since)
            if before != after:
                yield Change(agent, before, after)
        done += len(rows)
        if progress:
            progress("agents", done, max(done, number))
        rows = list(agents.filter(hash__gt=rows[-1][0])[:PER_QUERY])


def differing_visitors(since: datetime | None) -> dict[int, bool]:
    """Return the visitors that are to be left out, True, or to be counted again, False.

    since: leave out those whose burst was before; they stay as they are.
    """
    rows = LeftOut.objects.exclude(is_out=F("is_wanted"))
    if since is not None:
        rows = rows.filter(hour__gte=since)
    return dict(rows.order_by("visitor").values_list("visitor", "is_wanted"))


def _change_visitors(found: Reclassification, visitors: Mapping[int, bool]) -> None:
    for is_out in (True, False):
        keys = [visitor for visitor, is_wanted in visitors.items() if is_wanted is is_out]
        for some in chunks(keys, PER_QUERY):
            LeftOut.objects.filter(visitor__in=some).update(is_out=is_out)
    ReclassifiedVisitor.objects.bulk_create(
        (
            ReclassifiedVisitor(reclassification=found, visitor=visitor, is_out=is_out)
            for visitor, is_out in visitors.items()
        ),
        batch_size=PER_QUERY,
    )


def changed(steps: Steps, kind: int, since: int | None) -> Steps:
    """Return the steps of an agent that is of this kind since an hour, or always."""
    found: Steps = []
    for before, earlier in steps if since is not None else []:
        if before is None or before >= (since or 0):
            found.append((since, earlier))
            break
        found.append((before, earlier))
    while found and found[-1][1] == kind:
        found.pop()
    return [*found, (None, kind)]


def _counting() -> list[str]:
    """Return the names of the projections that count by kind."""
    rows = Projection.objects.only("name", "policy")
    return [row.name for row in rows if row.kind in WITH_VERDICTS or goes_by_verdicts(row)]


def _lock_projections() -> Sequence[Projection]:
    """Lock the projections that count by kind. Waits for those that are being applied."""
    rows = Projection.objects.filter(name__in=_counting()).order_by("name")
    return list(rows.select_for_update())


def _lock_agents(changes: Sequence[Change]) -> bool:
    """Lock what is to be changed; return False if another transaction has locked some of it."""
    agents = Agent.objects.select_for_update(skip_locked=True).order_by("hash")
    return all(
        len(agents.filter(hash__in=some).values_list("hash")) == len(some)
        for some in chunks([one.agent for one in changes], PER_QUERY)
    )


def _change(changes: Sequence[Change], since: datetime | None) -> Reclassification:
    found = Reclassification.objects.create(
        version=_random(), token=_random(), since=since, agents=len(changes)
    )
    found.refresh_from_db()
    for kind in {change.after[-1][1] for change in changes}:
        agents = [one.agent for one in changes if one.after[-1][1] == kind]
        for some in chunks(agents, PER_QUERY):
            Agent.objects.filter(hash__in=some).exclude(kind=kind).update(kind=kind)
    for some in chunks([one.agent for one in changes if len(one.before) > 1], PER_QUERY):
        KeptKind.objects.filter(agent__in=some).delete()
    KeptKind.objects.bulk_create(
        (
            KeptKind(agent=change.agent, before=before, kind=kind)
            for change in changes
            for before, kind in change.after
            if before is not None
        ),
        batch_size=PER_QUERY,
    )
    ReclassifiedAgent.objects.bulk_create(
        (
            ReclassifiedAgent(reclassification=found, agent=agent, before=before, after=after)
            for agent, before, after in changes
        ),
        batch_size=PER_QUERY,
    )
    return found


def _note_positions(found: Reclassification, rows: Sequence[Projection], head: StoreHead) -> None:
    """One whose position is lost starts over from the base, with the new verdicts.

    Without rollups that are corrected, the visitors of all days are counted again.
    """
    names = [row.name for row in rows]
    Projection.objects.filter(name__in=names).update(verdicts=found.version)
    for row in rows:
        if row.kind == TOTALS:
            policy = row.policy.partition(" (")[0] + RECLASSIFIED
            Projection.objects.filter(pk=row.pk).update(policy=policy)
    hourly = {row.label: row for row in rows if row.kind == HOURLY and is_known(row.position)}
    number, key, events = head.removed
    Correcting.objects.bulk_create(
        Correcting(
            reclassification=found,
            label=row.label,
            number=number,
            key=key,
            events=events,
            boundary_number=row.number,
            boundary_key=row.key,
            boundary_events=row.events,
        )
        for row in hourly.values()
        if row.number > number
    )
    for label in sorted({row.label for row in rows}):
        if label in hourly:
            recount_after(label, hourly[label].position)
        else:
            recount_days(label)


def _random() -> int:
    return secrets.randbelow(2**63 - 1) + 1
