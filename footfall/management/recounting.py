"""The commands that count again, and those that give something up."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from django.core.checks import Tags
from django.core.management.base import BaseCommand, CommandError

from footfall.checks import TAG
from footfall.conf import conf
from footfall.models import Audit
from footfall.ops.audit.run import run_audit
from footfall.projections.rows import VISITORS
from footfall.reclassify.changes import Unfinished
from footfall.reclassify.past import Reclassified, TakenOver, described, numbered, reclassify
from footfall.recount.counting import Progress
from footfall.recount.drop import NotDropped, drop
from footfall.recount.gap import Incomparable
from footfall.recount.rebuild import NoProjection, rebuild, rebuild_stale, rebuild_visitors
from footfall.recount.visitors import Recounted, recount_noted
from footfall.store.discard import NotCorrupt, discard
from footfall.store.export import time as milliseconds
from footfall.store.retain import retention

BAR_WIDTH = 40  # characters
SAID_EVERY = 10.0  # seconds, where there is no terminal


def day(text: str) -> datetime:
    """Return an ISO date as its first moment, UTC. Raises ValueError."""
    at = datetime.fromtimestamp(milliseconds(text) / 1000, UTC)
    return at.replace(hour=0, minute=0, second=0, microsecond=0)


def _problems(done: Reclassified) -> Iterator[str]:
    """Yield what could not be done."""
    if done.unread:
        yield f"segments {numbered(done.unread)} cannot be read: their views keep their kinds"
    if done.left:
        yield f"{done.left} views are not in the rollups as they should be: see an audit"
    if done.lost:
        yield f"{', '.join(done.lost)}: its place is not in the store, it is rebuilt soon"
    if done.waiting:
        yield f"{', '.join(done.waiting)}: not known here, another process has to go on with it"


class Recounting(BaseCommand):
    """`manage.py counters audit | rebuild | reclassify | drop | discard`."""

    # Not those of everything else, which load the project's views: that takes half a second.
    requires_system_checks = [Tags.models, TAG]

    def add_recounting(self, commands: Any) -> None:
        """Add the commands to the parser of `manage.py counters`."""
        audit = commands.add_parser(
            "audit", help="count again, and compare counters and rollups with it; exit 1 if wrong"
        )
        how = audit.add_mutually_exclusive_group()
        how.add_argument("--repair", action="store_true", help="set what is wrong to what is right")
        how.add_argument(
            "--quick", action="store_true", help="only compare counters with their rollups"
        )
        rebuild = commands.add_parser("rebuild", help="compute a projection again from the events")
        rebuild.add_argument("name", help="for example totals:pages.content")
        since = "of `hourly` and `visitors`: from this day on, UTC"
        rebuild.add_argument("--since", type=day, help=since)
        drop = commands.add_parser("drop", help="give up a projection, so that it holds up nothing")
        drop.add_argument("name", help="for example totals:shop.item")
        drop.add_argument("--force", action="store_true", help="also if its model is counted here")
        reclassify = commands.add_parser(
            "reclassify", help="apply today's list of robots, and the rules, to the past"
        )
        reclassify.add_argument("--since", type=day, help="to events from this day on, UTC")
        discard = commands.add_parser("discard", help="give up the events of a corrupt segment")
        discard.add_argument("number", type=int, metavar="SEGMENT")

    def audit(self, repair: bool, quick: bool, **options: Any) -> None:
        audit = Audit()
        for line in run_audit(audit, repair, self.progress(), quick=quick):
            self.stdout.write(line)
        if not audit.is_clean:
            raise CommandError(
                f"{audit.differences} counters differ, {audit.broken} invariants are broken"
            )
        if not audit.differences:
            self.stdout.write("clean: every counter is the sum of its views and adjustments")

    def rebuild(self, name: str, since: datetime | None, **options: Any) -> None:
        try:
            if name.startswith(f"{VISITORS}:"):
                self._tell_visitors(name, rebuild_visitors(name, since, self.progress()))
                return
            done = rebuild(name, since, self.progress())
        except (NoProjection, Incomparable) as error:
            raise CommandError(str(error)) from None
        what = "counters" if name.startswith("totals:") else "days of rollups"
        self.stdout.write(f"{name}: {done.changed} {what} corrected")
        if done.left:
            numbers = ", ".join(map(str, done.unread))
            raise CommandError(
                f"{done.left} {what} were left as they were: nothing explains what would be taken"
                " away" + (f", and segments {numbers} cannot be read" if numbers else "")
            )

    def _tell_visitors(self, name: str, done: Recounted) -> None:
        """Say what became of the days that were counted again. Fails if nobody was taken out."""
        self.stdout.write(f"{name}: {len(done.changed)} days have other visitors now")
        if done.kept:
            self.stdout.write(
                f"{len(done.kept)} days keep what they had: a part of their events has left the"
                " store"
            )
        if done.unread:
            raise CommandError(
                f"of {len(done.unread)} days nobody was taken out: segments cannot be read"
            )

    def reclassify(self, since: datetime | None, **options: Any) -> None:
        """Fails if views keep the kinds that they had."""
        try:
            done = reclassify(since, self.progress())
        except (TakenOver, Unfinished) as error:
            raise CommandError(str(error)) from None
        visitors = recount_noted(progress=self.progress())
        for name in rebuild_stale(self.progress(), take_over=True):
            self.stdout.write(f"{name}: counted again")
        if done is None:
            self.stdout.write("nothing to do: list and rules say what was counted")
            return
        self.stdout.write(f"{done.agents} agents: {described(done.moved)}")
        if problems := list(_problems(done)):
            raise CommandError("; ".join(problems))
        self._tell_visitors("visitors", visitors)

    def drop(self, name: str, force: bool, **options: Any) -> None:
        try:
            row = drop(name, force=force)
        except NotDropped as error:
            raise CommandError(str(error)) from None
        self.stdout.write(
            f"{name} is given up at segment {row.number}: events may leave the store and be"
            f" compacted without it. If {row.label} is viewed again, it begins there, and"
            f" `counters rebuild {name}` counts what it has missed."
        )

    def discard(self, number: int, **options: Any) -> None:
        try:
            given_up = discard(number)
        except NotCorrupt as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"{given_up} events of segment {number} are given up")

    def retention(self) -> None:
        """Say what is in the event store, and what keeps it from getting smaller."""
        now = retention()
        days, most = conf.COUNTERS_KEEP_DAYS, conf.COUNTERS_STORE_MAX_BYTES
        kept = f"kept for {days} days" if days else "kept for ever"
        limit = f", at most {most / 1024**2:,.1f} MiB" if most else ""
        left = f", segments up to {now.removed} have left" if now.removed else ""
        size = f"{now.data_bytes / 1024**2:,.1f} MiB of events"
        self.stdout.write(f"event store: {size}, {kept}{limit}{left}")
        if now.held_up_by:
            self.stdout.write(f"it keeps more than it should: {now.held_up_by}")

    def progress(self) -> Progress:
        """Return a function that draws a bar on a terminal, or else writes a line at times."""
        is_terminal = self.stderr.isatty()
        every = 0.1 if is_terminal else SAID_EVERY
        said = time.monotonic()

        def draw(label: str, done: int, of: int) -> None:
            nonlocal said
            is_due = time.monotonic() - said > every
            if is_due or (done == of and is_terminal):
                said = time.monotonic()
                filled = BAR_WIDTH * done // max(1, of)
                bar = f"[{'#' * filled}{'.' * (BAR_WIDTH - filled)}] " if is_terminal else ""
                start, end = ("\r", "") if is_terminal and done < of else ("\r", "\n")
                start = start if is_terminal else ""
                self.stderr.write(f"{start}{label:<24} {bar}{done:,}/{of:,}", ending=end)

        return draw
