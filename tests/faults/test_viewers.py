"""Wrong kinds and wrong visitors are found."""

import json
from collections import Counter
from collections.abc import Sequence

import pytest

from loadtest.common.client import Ledger
from tests.faults.viewers import OTHERS, Readers, Visitors, agent_of, visitor_of
from tests.support.crowd import ROBOT, Viewer

HOST, SALT = "127.0.0.1:8000", bytes(32)
DAY = "2026-11-30"


@pytest.fixture(scope="module")
def readers() -> Readers:
    readers = Readers(("127.0.0.1", 8000), [1, 2], seed=1)
    readers.salts.add(SALT)
    return readers


def event(viewer: Viewer, visitor: int) -> str:
    """Return a line of `counters events`: a view of page 1 by a viewer."""
    meta = {"agent": f"{agent_of(viewer):016x}"}
    if visitor:
        meta["visitor"] = f"{visitor:016x}"
    return json.dumps({"at": f"{DAY}T10:00:00.000Z", "targets": {"pages.page": [1]}, "meta": meta})


def found(readers: Readers, lines: Sequence[str]) -> Visitors:
    visitors = Visitors()
    visitors.add(lines, readers, {agent_of(one) for one in readers.people})
    return visitors


def test_views_of_another_kind_are_lost_in_one_and_doubled_in_the_other(readers: Readers) -> None:
    robot = next(n for n, one in enumerate(readers.viewers) if one.kind == ROBOT)
    read = Counter({n: 3 for n in readers.requests if n == OTHERS + 0 or n == OTHERS + robot})
    ledger = Ledger(read, read)
    told = {agent_of(one) for one in readers.viewers}

    def verdict(told: set[int], **gained: int) -> tuple[int, int]:
        of_page = {f"page 1 {kind}": n for kind, n in gained.items()}
        found = readers.check_kinds(of_page, ledger, {1: ["page 1"], 2: ["page 2"]}, told, None)
        return found.lost, found.doubled

    assert verdict(told, people=3, robots=3) == (0, 0)
    assert verdict(told, people=4, robots=2) == (1, 1)
    assert verdict(told, people=3, robots=2, unknown=1) == (1, 1)
    untold = told - {agent_of(readers.viewers[robot])}
    assert verdict(untold, people=3, unknown=3) == (0, 0)


def test_each_person_in_the_store_is_a_visitor(readers: Readers) -> None:
    lines = [event(one, visitor_of(one, HOST, SALT)) for one in readers.people[:9]]
    visitors = found(readers, [*lines, *lines])

    assert visitors.wrong({("page 1", DAY): 9}, [DAY]) == []
    assert visitors.wrong({("page 1", DAY): 9}, []) == []
    assert len(visitors.wrong({("page 1", DAY): 8}, [DAY])) == 1
    assert len(visitors.wrong({("page 1", DAY): 9, ("page 2", DAY): 1}, [DAY])) == 1
    assert visitors.of_run == {"with": 18}


def test_a_visitor_of_a_salt_that_never_was_is_wrong(readers: Readers) -> None:
    one, other, *_ = readers.people
    lines = [event(one, visitor_of(other, HOST, SALT)), event(other, 0)]
    visitors = found(readers, lines)

    assert visitors.of_run == {"unknown": 1, "without": 1}
    assert visitors.wrong({("page 1", DAY): 1}, [DAY]) == [
        "1 events have visitors that no salt explains"
    ]
