"""What the bench takes from other rooms is still there."""

from pathlib import Path

from django.conf import settings

from catalog.pages.shortcut import SEALS
from counters.events import encode
from eventlog.scripts import ADD, APPEND, APPEND_PREPARED, CAP
from loadtest.drain import PARTITIONS, body
from loadtest.servers import MIDDLEWARE
from loadtest.stores import Written, read_wal_statistics
from loadtest.things import check_digit

ROOT = Path(__file__).parents[2]


def test_the_constant_view_has_the_middleware_that_a_read_of_a_page_has() -> None:
    seals = [f"{seal.__module__}.{seal.__qualname__}" for seal in SEALS]
    assert set(MIDDLEWARE) <= set(seals)


def test_a_backlog_is_made_of_the_events_that_a_read_makes() -> None:
    assert body(7, [3, 1, 3]) == encode({"pages.page": [7], "pages.content": [1, 3]})
    assert settings.EVENTLOG_PARTITIONS == PARTITIONS


def test_counting_can_be_taken_out_of_the_scripts() -> None:
    for script in (APPEND, APPEND_PREPARED):
        assert CAP in script.source
        assert ADD in script.source


def test_the_statistics_of_the_write_ahead_log_are_read() -> None:
    text = """
Type                                           N      (%)          Record size      (%)
Heap/INSERT                                   10 (  1.00)                  100 (  1.00)
Heap/UPDATE                                    5 (  1.00)                  100 (  1.00)
Heap/HOT_UPDATE                               30 (  1.00)                  100 (  1.00)
Heap/INSERT+INIT                               1 (  1.00)                  100 (  1.00)
Heap/LOCK                                     99 (  1.00)                  100 (  1.00)
Btree/INSERT_LEAF                              8 (  1.00)                  100 (  1.00)
Total                                        153                           600 [5.0%]                 8192 [95%]
"""  # noqa: E501  # as it is printed

    assert read_wal_statistics(text, 9_000) == Written(9_000, 8_192, rows=46, hot_rows=30)


def test_the_check_digit_is_the_one_of_a_printed_book() -> None:
    assert check_digit("978030640615") == 7
