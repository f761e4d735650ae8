"""What the bench takes from other rooms is still there."""

from pathlib import Path

from django.conf import settings

from catalog.pages.fast_path import HEADER_MIDDLEWARE
from footfall.eventlog.lua_scripts import ADD, APPEND, APPEND_CACHED, CAP
from footfall.events import encode
from loadtest.load.payloads import check_digit
from loadtest.measure.drain import PARTITIONS, body
from loadtest.systems.servers import MIDDLEWARE
from loadtest.systems.wal import ELSEWHERE, read_log

ROOT = Path(__file__).parents[2]


def test_the_constant_view_has_the_middleware_that_a_read_of_a_page_has() -> None:
    names = [f"{one.__module__}.{one.__qualname__}" for one in HEADER_MIDDLEWARE]
    assert set(MIDDLEWARE) <= set(names)


def test_a_backlog_is_made_of_the_events_that_a_read_makes() -> None:
    assert body(7, [3, 1, 3]) == encode({"pages.page": [7], "pages.content": [1, 3]})
    assert settings.COUNTERS_PARTITIONS == PARTITIONS


def test_counting_can_be_taken_out_of_the_scripts() -> None:
    for script in (APPEND, APPEND_CACHED):
        assert CAP in script.source
        assert ADD in script.source


def test_the_write_ahead_log_is_read_by_table() -> None:
    tables = {"5/11": "pages_content", "5/12": "pages_content", "5/20": "counters_rollup"}
    lines = [
        record("Heap", 70, 70, "HOT_UPDATE old_xmax: 7, blkref #0: rel 1663/5/11 blk 0"),
        record("Heap", 90, 8_290, "UPDATE old_xmax: 7, blkref #0: rel 1663/5/11 blk 3 FPW"),
        record("Btree", 64, 64, "INSERT_LEAF off: 3, blkref #0: rel 1663/5/12 blk 1"),
        record("Heap", 80, 80, "INSERT+INIT off: 1, blkref #0: rel 1663/5/20 blk 0"),
        record("Heap2", 200, 200, "MULTI_INSERT ntuples: 3, blkref #0: rel 1663/5/20 blk 0"),
        record("Heap", 54, 54, "LOCK xmax: 7, blkref #0: rel 1663/5/11 blk 0"),
        record("Heap", 75, 75, "UPDATE of a catalog, blkref #0: rel 1663/5/1259 blk 0"),
        record("Transaction", 34, 34, "COMMIT 2026-11-21 04:10:21 UTC"),
        "pg_waldump: something else",
    ]

    written = read_log(lines, tables)

    assert written.rows == {"pages_content": 2, "counters_rollup": 4}
    assert written.wal == {"pages_content": 278, "counters_rollup": 280, ELSEWHERE: 109}
    assert written.full_pages == 8_200


def record(manager: str, length: int, total: int, words: str) -> str:
    start = f"rmgr: {manager:11} len (rec/tot): {length:6}/{total:6}, tx:        752"
    return f"{start}, lsn: 0/01B3C6E8, prev 0/01B3C6A8, desc: {words}"


def test_the_check_digit_is_the_one_of_a_printed_book() -> None:
    assert check_digit("978030640615") == 7
