"""`manage.py counters adopt`: what was counted before goes into the base."""

from typing import Any

from django.core.management.base import CommandError
from django.db import models

from footfall.adopt.hitcount import HITS, TOTALS, Hitcount, make_rules
from footfall.adopt.sources import Column, NotFound, RedisHash, Source
from footfall.adopt.taking import Taken, take
from footfall.conf import conf
from footfall.management.recounting import Recounting
from footfall.models import Kind
from footfall.recount.adopt import adopt
from footfall.recount.gap import Incomparable
from footfall.registry import countable_models

MAX_NAMED = 20


class Adopting(Recounting):
    """What a counter itself had, or what was counted elsewhere."""

    def add_adopting(self, commands: Any) -> None:
        """Add the command to the parser of `manage.py counters`."""
        adopt = commands.add_parser("adopt", help="keep what was counted before the counting")
        adopt.add_argument("model", help="for example pages.content")
        where = adopt.add_mutually_exclusive_group()
        where.add_argument(
            "--from",
            dest="app",
            choices=("hitcount",),
            help="of django-hitcount or dj-hitcount, with the hours of hits that are kept",
        )
        where.add_argument("--column", help="of another integer column of the model")
        where.add_argument(
            "--redis-hash", metavar="KEY", help="of a hash of Redis: field and count"
        )
        adopt.add_argument("--table", default=TOTALS, help=f"of hitcount; default: {TOTALS}")
        adopt.add_argument("--hits-table", default=HITS, help=f"of hitcount; default: {HITS}")
        adopt.add_argument(
            "--rules", action="store_true", help="of hitcount: make rules of what is blocked there"
        )
        adopt.add_argument("--redis-url", help="of the hash; default: COUNTERS_LOG_URL")
        adopt.add_argument(
            "--prefix", default="", help="of the fields of the hash, before the key: article:"
        )
        adopt.add_argument("--dry-run", action="store_true", help="only say what would be done")

    def adopt(self, model: str, dry_run: bool, **options: Any) -> None:
        if (label := model.lower()) not in countable_models():
            names = ", ".join(sorted(countable_models()))
            raise CommandError(f"{model} is not counted; these are: {names}")
        if options["rules"] and options["app"]:
            made = make_rules(dry_run=dry_run)
            self.stdout.write(f"{made} rules for what is blocked there{' would be made' * dry_run}")
        try:
            source = self._source(countable_models()[label], **options)
            if source:
                self._take(label, source, dry_run)
            else:
                self._adopt(label, dry_run)
        except (Incomparable, NotFound) as error:
            raise CommandError(str(error)) from None

    def _source(self, model: type[models.Model], **options: Any) -> Source | None:
        if options["app"]:
            return Hitcount(model, options["table"], options["hits_table"])
        if options["column"]:
            return Column(model, options["column"])
        if options["redis_hash"]:
            url = options["redis_url"] or conf.COUNTERS_LOG_URL
            return RedisHash(model, url, options["redis_hash"], options["prefix"])
        return None

    def _adopt(self, label: str, dry_run: bool) -> None:
        done = adopt(label, self.progress(), dry_run=dry_run)
        self.stdout.write(
            f"{label}: {done.views} views of {done.targets} targets {_are(dry_run)} in the base"
        )
        if done.too_low:
            named = ", ".join(map(str, done.named))
            self.stdout.write(f"{done.too_low} counters are too low, and left to a repair: {named}")

    def _take(self, label: str, source: Source, dry_run: bool) -> None:
        """Fails at the end if the source has something that is no count: the others are taken."""
        done = take(countable_models()[label], source, dry_run=dry_run, progress=self.progress())
        self.stdout.write(
            f"{label}: {done.views} views of {done.targets} targets from {source.name}"
            f" {_are(dry_run)} in the base"
        )
        for line in _remarks(done):
            self.stdout.write(line)
        if found := source.unreadable:
            named = "; ".join(found[:MAX_NAMED])
            raise CommandError(f"{len(found)} fields are no key and count: {named}")


def _are(dry_run: bool) -> str:
    return "would be" if dry_run else "are"


def _remarks(done: Taken) -> list[str]:
    lines = []
    if done.by_hour:
        kinds = [f"{done.kinds[kind]} {kind.name.lower()}" for kind in Kind if done.kinds[kind]]
        known = f", of known kinds: {', '.join(kinds)}" if kinds else ""
        lines.append(f"{done.by_hour} of them by the hour{known}")
    if done.before:
        lines.append(f"{done.before} views were taken before")
    if done.deleted:
        named = ", ".join(map(str, done.named))
        lines.append(f"{done.deleted} views are of objects that do not exist, and left: {named}")
    if done.lower:
        lines.append(f"{done.lower} targets have less there than was taken before: they keep it")
    return lines
