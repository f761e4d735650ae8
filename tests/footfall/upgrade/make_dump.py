"""Makes `dump.sql` and `log.json`: both stores of the version before `counters.0009_words`.

They were made with the code of commit 1c74a62, in a work tree of it:

    git worktree add /tmp/old 1c74a62 && cd /tmp/old
    /path/to/footfall/.venv/bin/python /path/to/footfall/tests/footfall/upgrade/make_dump.py

There are events of every kind: counted ones, and ones that wait in the log, in the spill or in
both. `log.json` says how many wait, and what the counters must be once all are counted.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PREFIX = "footfall"
CAP = 2**30  # bytes of a partition
# Statements of pg_dump that other versions of PostgreSQL do not know, or psql alone does.
UNKNOWN = re.compile(r"^(SET |SELECT pg_catalog\.set_config|\\|--)")


class Version:
    """The modules of the old version: this file is checked and linted beside the new one."""

    def __getattr__(self, name: str) -> Any:
        return import_module(name.replace("_", "."))


old = Version()


def main() -> None:
    sys.path.insert(0, str(Path.cwd()))
    stores: Any = import_module("standalone.stores")
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o711)
        postgres = stores.Postgres(Path(directory, "postgres"))
        redis = stores.Redis(Path(directory, "redis"))
        with postgres.served(), redis.served():
            os.environ |= {
                "DATABASE_URL": postgres.url,
                "REDIS_URL": redis.url,
                "DATA_DIR": directory,
                "DJANGO_SECRET_KEY": "only-for-this-dump-0123456789-abcdefghijklmnopqrstuvwxyz",
                "DJANGO_HTTPS": "false",
                "DJANGO_SETTINGS_MODULE": "project.settings",
                "COUNTERS_PARTITIONS": "2",
            }
            import_module("django").setup()
            import_module("django.core.management").call_command("migrate", verbosity=0)
            history = History()
            history.count()
            history.leave_waiting()
            tables, streams = sql(postgres), keys(redis.url)
            counters = history.expected()
            waiting = old.counters_flush.flush_all()
            if counters != history.counters():
                raise AssertionError(f"{counters} was to be counted, {history.counters()} was")
    (HERE / "dump.sql").write_text(tables)
    log = {"counters": counters, "waiting": waiting, "keys": streams}
    (HERE / "log.json").write_text(json.dumps(log, indent=1) + "\n")


class History:
    """What happened to the service until the dump. `views` is what must have been counted."""

    def __init__(self) -> None:
        models: Any = import_module("catalog.pages.models")
        self.models = models
        self.contents: list[Any] = []
        self.page = models.Page.objects.create(title="A page")
        self.other = self.page
        while self.body(self.other)[0] == self.body(self.page)[0]:  # until it is in the other one
            self.other = models.Page.objects.create(title="Another page")
        self.texts = [models.Text.objects.create(title=f"Text {n}", text="...") for n in range(3)]
        for position, text in enumerate(self.texts):
            models.PageContent.objects.create(page=self.page, content=text, position=position)
        self.contents = list(models.Content.objects.filter(places__page=self.page))
        # The demonstration's pages are there, too.
        targets = [*models.Page.objects.all(), *models.Content.objects.order_by("pk")]
        self.views: dict[Any, int] = dict.fromkeys(targets, 0)
        self.late: list[tuple[int, bytes, Any]] = []
        self.make_people()

    def make_people(self) -> None:
        """Someone who may look at the events that were set aside, and a file, a book, a film."""
        user = import_module("accounts.models").User.objects.create(
            username="reader", email="reader@example.com"
        )
        auth: Any = import_module("django.contrib.auth.models")
        operators = auth.Group.objects.create(name="operators")
        operators.permissions.set(auth.Permission.objects.filter(codename__endswith="_setaside"))
        user.groups.add(operators)
        import_module("rest_framework.authtoken.models").Token.objects.create(
            user=user, key="k" * 40
        )
        import_module("uploads.models").File.objects.create(
            file="files/aa/aaaa.txt", name="notes.txt", size=5, sha256="0" * 64,
            content_type="text/plain", kind="text", owner=user,
        )  # fmt: skip
        import_module("catalog.books.models").Book.objects.create(
            title="Notes on tides", author="A. Reader", year=1999, isbn="9780306406157"
        )
        films: Any = import_module("catalog.films.models")
        category = films.Category.objects.create(title="Tides", owner=user)
        films.Film.objects.create(title="The tide", category=category, owner=user)

    # --- What was counted ------------------------------------------------------------------------

    def count(self) -> None:
        """Every kind of event that a flush has counted or dropped."""
        self.read(self.page, 4)
        self.read(self.other, 2)
        old.counters_flush.flush_all()
        gone = self.models.Text.objects.create(title="Soon deleted", text="...")
        old.counters_record.record(self.page, [*self.contents, gone])
        self.viewed(self.page)
        gone.delete()
        self.append(self.page, b"nonsense")  # set aside
        self.read(self.other, 1, spilled=True)
        self.late = [self.ambiguous(self.page), self.ambiguous(self.other)]
        old.counters_flush.flush_all()
        self.land(*self.late.pop())  # counted from the spill, and dropped now
        old.counters_flush.flush_all()
        old.counters_models.Partition.objects.update(position="", session=None, seq=None)
        old.counters_flush.flush_all()  # drops everything, as seen before
        old.counters_adjusting.adjust(
            self.models.Content, self.contents[0].pk, by=100, why="moved from another service"
        )
        self.views[self.contents[0]] += 100
        list(old.counters_audit.carry_out(old.counters_figures.Audit()))
        old.counters_ranking.rank_due()

    # --- What waits ------------------------------------------------------------------------------

    def leave_waiting(self) -> None:
        self.read(self.page, 7)
        self.read(self.other, 3)
        self.land(*self.late.pop())  # counted from the spill, and yet to be dropped
        self.read(self.page, 2, spilled=True)
        self.ambiguous(self.page)  # in the spill alone
        self.land(*self.ambiguous(self.other))  # in the spill and in the log
        self.append(self.other, b"more nonsense")
        self.append(self.other, old.counters_events.encode({"shop.item": {1}}))
        self.client().xadd(f"{PREFIX}:{{0}}:log", {"made": "elsewhere"})
        types: Any = old.counters_registry
        for model, target, lowered in (
            (self.models.Page, self.page, False), (self.models.Content, self.contents[0], True)
        ):  # fmt: skip
            old.counters_models.Stale.objects.create(
                content_type=types.content_type_of(model), target_id=target.pk, counter=lowered
            )

    # --- How -------------------------------------------------------------------------------------

    def on(self, page: Any) -> list[Any]:
        return self.contents if page == self.page else []

    def viewed(self, page: Any, times: int = 1) -> None:
        for target in (page, *self.on(page)):
            self.views[target] += times

    def body(self, page: Any) -> tuple[int, bytes]:
        """Return the partition and the event of one view."""
        record = old.counters_record
        name = record.name_of(type(page), page.pk)
        targets = record.targets(page, self.on(page))
        return record.partition_for(name), old.counters_events.encode(targets)

    def read(self, page: Any, times: int, spilled: bool = False) -> None:
        for _ in range(times):
            if spilled:
                old.counters_spill.spill(*self.body(page), now())
            else:
                old.counters_record.record(page, self.on(page))
        self.viewed(page, times)

    def append(self, page: Any, body: bytes) -> None:
        old.counters_log.get_log().append(self.body(page)[0], body, now())

    def ambiguous(self, page: Any) -> tuple[int, bytes, Any]:
        """Spill a view whose append got no answer; return what `land` needs."""
        partition, body = self.body(page)
        writer = self.writer()
        number = old.eventlog.Number(writer.session, writer._seq)
        old.counters_spill.spill(partition, body, now(), number)
        self.viewed(page)
        return partition, body, number

    def land(self, partition: int, body: bytes, number: Any) -> None:
        """Let an append reach Redis that was sent some time ago."""
        writer = self.writer()
        writer.session, writer._seq = number
        names = [f"{PREFIX}:{{{partition}}}:{name}" for name in ("log", "ordinal")]
        writer.append(old.eventlog_scripts.APPEND, names, CAP, now(), body)
        writer.close()

    def writer(self) -> Any:
        """Return a writer, and one that has appended before if there is any."""
        writers = old.counters_log.get_log()._appending.writers
        if writers._idle:
            return writers._idle.pop()
        return old.eventlog_writer.Writer(writers._connections)

    def client(self) -> Any:
        return import_module("redis").Redis.from_url(os.environ["REDIS_URL"])

    def expected(self) -> dict[str, dict[str, int]]:
        """Return what every counter must be, by table and id."""
        found: dict[str, dict[str, int]] = {}
        for target, views in self.views.items():
            found.setdefault(target._meta.db_table, {})[str(target.pk)] = views
        return found

    def counters(self) -> dict[str, dict[str, int]]:
        return {
            model._meta.db_table: {
                str(pk): n for pk, n in model.objects.values_list("pk", "counter")
            }
            for model in (self.models.Page, self.models.Content)
        }


def now() -> int:
    return time.time_ns() // 1_000_000


def sql(postgres: Any) -> str:
    """Return the database as statements that each end with a line that ends with `;`."""
    dumped = subprocess.run(
        [str(postgres.binaries / "pg_dump"), "--dbname", postgres.url, "--no-owner",
         "--no-privileges", "--no-comments", "--inserts", "--rows-per-insert=1000"],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    lines = [line for line in dumped.splitlines() if line and not UNKNOWN.match(line)]
    return "\n".join(lines) + "\n"


def keys(url: str) -> dict[str, Any]:
    """Return the log's keys: a number, or a stream as [id, [[field, value], ...]] of each entry."""
    with import_module("redis").Redis.from_url(url, decode_responses=True) as client:
        found: dict[str, Any] = {}
        for key in sorted(client.scan_iter(f"{PREFIX}:*")):
            if key.endswith(":log"):
                entries = [[one, list(fields.items())] for one, fields in client.xrange(key)]
                found[key.removeprefix(f"{PREFIX}:")] = entries
            elif key.endswith(":ordinal"):
                found[key.removeprefix(f"{PREFIX}:")] = int(client.get(key))
    return found


if __name__ == "__main__":
    main()
