"""What went through PostgreSQL's write-ahead log, by table, as `pg_waldump` prints it.

Of PostgreSQL's own statistics these would lag by up to ten seconds, and not tell a load from the
next.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

RECORD = re.compile(
    r"rmgr: (?P<manager>\w+) +len \(rec/tot\): +(?P<length>\d+)/ +(?P<total>\d+),"
    r".*? desc: (?P<kind>\w+)(?:\+INIT)?(?P<rest>.*)"
)
RELATION = re.compile(r"rel \d+/(\d+/\d+)")
TUPLES = re.compile(r"ntuples: (\d+)")
ROWS = {"INSERT", "UPDATE", "HOT_UPDATE", "DELETE"}
MANY = "MULTI_INSERT"
ELSEWHERE = ""
"""Stands for the table of what changes none of them: commits, checkpoints, catalogs."""


@dataclass
class Written:
    """Between two points of the log; each by the name of the table, its indexes included."""

    rows: "Counter[str]" = field(default_factory=Counter)
    wal: "Counter[str]" = field(default_factory=Counter)
    """Bytes, without full pages."""
    full_pages: int = 0
    """Bytes of pages that are logged whole at their first change after a checkpoint. They depend on
    when that was: a short load soon after it has more of them than a day has."""


def read_log(lines: Iterable[str], tables: Mapping[str, str]) -> Written:
    """Return what `pg_waldump` says.

    tables: the name of the table by `database/relation`, as the log names it.
    """
    written = Written()
    for line in lines:
        if not (record := RECORD.match(line)):
            continue
        length, total, kind = int(record["length"]), int(record["total"]), record["kind"]
        relation = RELATION.search(record["rest"])
        table = tables.get(relation[1], ELSEWHERE) if relation else ELSEWHERE
        written.wal[table] += length
        written.full_pages += total - length
        if table == ELSEWHERE:
            continue
        if record["manager"] == "Heap" and kind in ROWS:
            written.rows[table] += 1
        elif record["manager"] == "Heap2" and kind == MANY:
            tuples = TUPLES.search(record["rest"])
            written.rows[table] += int(tuples[1]) if tuples else 1
    return written
