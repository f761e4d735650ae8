"""`manage.py counters`: flush, run, status, adjust, ready, events, new-identity.

What `recounting` and `adopting` have, too.
"""

from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.core.management.base import CommandError, CommandParser

from footfall.eventlog import LogError, PositionLost
from footfall.flush import Behind, flush_all
from footfall.identity import IDLE, StillRunning, renew_identity
from footfall.log import logs_of_others
from footfall.management.adopting import Adopting
from footfall.models import Identity, Partition
from footfall.ops.adjust import InvalidAdjustment, adjust
from footfall.ops.lag import ProjectionStatus
from footfall.ops.readiness import PARTS, REMARKS, check
from footfall.ops.status import Status, status
from footfall.reclassify.past import events_left
from footfall.registry import countable_models
from footfall.runner import run, run_once, stopped_by_signals
from footfall.store import export


class Command(Adopting):
    help = "Flush the log, show the status of the counting, audit or adjust counters, print events."

    def add_arguments(self, parser: CommandParser) -> None:
        commands = parser.add_subparsers(dest="command", required=True)
        commands.add_parser("flush", help="count everything that is in the log now, then exit")
        run = commands.add_parser("run", help="count, and do all the upkeep, without Celery")
        run.add_argument("--once", action="store_true", help="once, then exit: for cron")
        commands.add_parser(
            "new-identity", help="let a copy of a database count for itself, in a log of its own"
        )
        commands.add_parser("status", help="show how far each partition and each projection is")
        ready = commands.add_parser("ready", help="is every part there? exit 1 if one is missing")
        ready.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
        adjust = commands.add_parser("adjust", help="set a counter by hand, and record who and why")
        adjust.add_argument("model", help="for example pages.content")
        adjust.add_argument("id")
        how = adjust.add_mutually_exclusive_group(required=True)
        how.add_argument("--to", type=int, help="the new counter; 0 is a reset")
        how.add_argument("--by", type=int, help="the difference")
        adjust.add_argument("--why", required=True)
        adjust.add_argument("--who", help="username of the person who adjusts it")
        self.add_recounting(commands)
        self.add_adopting(commands)
        events = commands.add_parser("events", help="print the kept events as JSON lines")
        events.add_argument("--since", type=export.time, help="ISO date or time, UTC")
        events.add_argument("--until", type=export.time, help="before this ISO date or time, UTC")
        events.add_argument("--target", type=export.target, help="for example pages.content:7")

    def handle(self, *args: Any, command: str, **options: Any) -> None:
        try:
            getattr(self, command.replace("-", "_"))(**options)
        except LogError as error:
            raise CommandError(f"The log is away: {error}") from error

    def flush(self, **options: Any) -> None:
        try:
            self.stdout.write(f"{flush_all()} events counted")
        except Behind as error:
            raise CommandError(str(error)) from error

    def run(self, once: bool, **options: Any) -> None:
        if once:
            events, failures = run_once()
            self.stdout.write(f"{events} events counted")
            if failures:
                raise CommandError("; ".join(failures))
            return
        with stopped_by_signals() as stopping:
            self.stdout.write("counting; SIGTERM or Ctrl-C stops it")
            self.stdout.flush()
            run(stopping)

    def status(self, **options: Any) -> None:
        row = "{:>9}  {:>11}  {:>9}  {:<22}  {:<20}  {:>10}  {:>8}"
        names = ("partition", "undelivered", "oldest", "position", "last batch", "events", "rate/s")
        now = status()
        self.stdout.write(row.format(*names))
        for one in now.partitions:
            flushed_at = one.partition.flushed_at
            self.stdout.write(
                row.format(
                    one.partition.number,
                    "?" if one.undelivered is None else one.undelivered,
                    "-" if one.oldest_seconds is None else f"{one.oldest_seconds:.1f} s",
                    one.partition.position or "-",
                    f"{flushed_at:%Y-%m-%d %H:%M:%S}" if flushed_at else "-",
                    one.partition.flushed_events,
                    f"{one.rate:.1f}",
                )
            )
        self.projections(now.projections)
        self.retention()
        if left := events_left():
            self.stdout.write(f"a reclassification has still to correct {left} events")
        self.stdout.write(f"spilled: {now.spilled}   dead letters: {now.dead_letters}")
        if now.corrupt_segments:
            self.stdout.write(f"corrupt segments: {', '.join(map(str, now.corrupt_segments))}")
        if now.missing:
            self.stdout.write(f"lost inside a store: at least {now.missing} events")
        self.tell_of_stores(now)
        if now.log_error:
            raise CommandError(f"The log is away: {now.log_error}")
        self.tell_of_log()

    def tell_of_stores(self, now: Status) -> None:
        """Tell in red what the stores cannot do."""
        lines = []
        if now.failure:
            lines.append(f"Events cannot be stored: {now.failure}")
        if now.redis.refusal:
            lines.append(f"Redis refuses to write: {now.redis.refusal}")
        if now.redis.wait_refusal:
            lines.append(
                f"Redis refuses WAIT, so each view is spilled, too: {now.redis.wait_refusal}"
            )
        if now.redis.policy:
            text = f"Redis may evict the log: maxmemory-policy is {now.redis.policy}"
            lines.append(f"{text}, evicted keys: {now.redis.evicted_keys}")
        for line in lines:
            self.stdout.write(self.style.ERROR(line))

    def tell_of_log(self) -> None:
        """Tell what has happened to the log, and of logs that are not this database's."""
        for one in Partition.objects.exclude(position_lost="").order_by("number"):
            how = PositionLost(one.position_lost).replace("_", " ")
            at = f"{one.position_lost_at:%Y-%m-%d %H:%M:%S}"
            self.stdout.write(f"the log of partition {one}: its position was lost at {at}: {how}")
        if conflict_at := Identity.objects.values_list("conflict_at", flat=True).first():
            self.stdout.write(
                f"{conflict_at:%Y-%m-%d %H:%M:%S}: another database reads this log, or this"
                " database was restored; for a copy: manage.py counters new-identity"
            )
        for name, entries in sorted(logs_of_others().items()):
            self.stdout.write(f"the log of another database, {name or '-'}: {entries} entries")

    def new_identity(self, **options: Any) -> None:
        try:
            name = renew_identity()
        except StillRunning:
            raise CommandError(
                "An ingest has just worked on this database: stop its processes, and try again"
                f" after {IDLE.seconds} s."
            ) from None
        self.stdout.write(
            f"The identity of this database is {name} now. Restart all processes of this copy: web"
            " servers, workers and beat. What waits in the log of the old identity is not its own."
        )

    def projections(self, projections: list[ProjectionStatus]) -> None:
        row = "{:<32}  {:>10}  {:>10}  {:>10}  {}"
        self.stdout.write(row.format("projection", "behind", "for", "carried", "error").rstrip())
        for one in projections:
            self.stdout.write(
                row.format(
                    one.name,
                    one.lag_events,
                    f"{one.lag_seconds:.1f} s",
                    one.carried_views,
                    " ".join(one.error.split()) if one.failed_at else "",
                ).rstrip()
            )
        for one in projections:
            if one.remark:
                self.stdout.write(one.remark)

    def events(self, **options: Any) -> None:
        chosen = {name: options[name] for name in ("since", "until", "target")}
        events = export.Export(**chosen, tell=self.stderr.write)
        events.write(self.stdout)
        if not events.is_complete:
            raise CommandError("some kept events cannot be read")

    def ready(self, parts: list[str], **options: Any) -> None:
        every = [*PARTS, *REMARKS]
        if unknown := set(parts).difference(every):
            raise CommandError(f"No such part: {', '.join(sorted(unknown))}")
        states, missing = check(parts or every)
        for name, state in states.items():
            self.stdout.write(f"{name}: {state}")
        if "worker" in missing:
            self.stdout.write(
                "Where cron starts `counters run --once`, no worker is there between its runs, nor"
                " a beat: ask for `counters ready database log`."
            )
        if missing:
            raise CommandError(f"missing: {', '.join(missing)}")

    def adjust(self, model: str, id: str, who: str | None, **options: Any) -> None:  # noqa: A002
        try:
            target = countable_models()[model.lower()]
            user = get_user_model()._default_manager.get_by_natural_key(who) if who else None
            how = {name: options[name] for name in ("to", "by", "why")}
            adjusted = adjust(target, id, who=user, **how)
        except KeyError:
            names = ", ".join(sorted(countable_models()))
            raise CommandError(f"{model} is not counted; these are: {names}") from None
        except (ObjectDoesNotExist, InvalidAdjustment) as error:
            raise CommandError(str(error)) from None
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from None
        done = f"{adjusted.amount:+d}. Views that wait come on top." if adjusted else "unchanged."
        self.stdout.write(f"{model} {id}: {done}")
