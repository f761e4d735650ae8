"""`make senders` tells what waited too long."""

from typing import NamedTuple

from tests.faults.senders import Load, Run, Sender, Waited, report, waits

HONEST = Sender("honest", "192.0.2.3", 3, 1, 0.0, True)
LOAD = Load(each=0.2, places=2.0, spent={"honest": 0.6})
Row = tuple[str, str, float, float | None]


class Recorded(NamedTuple):
    """A run that is over."""

    sent: dict[str, list[int]]
    kills: list[float]
    table: dict[int, Row]

    def rows(self) -> dict[int, Row]:
        return self.table


def waited(ends: list[float | None], kills: tuple[float, ...] = ()) -> list[Waited]:
    """Return what is said about files that were all sent at 100."""
    table: dict[int, Row] = {
        pk: ("processed" if end else "received", "", 100.0 + pk / 100, end)
        for pk, end in enumerate(ends)
    }
    run: Run = Recorded({"honest": list(table)}, list(kills), table)  # type: ignore[assignment]
    return list(waits(run, [HONEST], LOAD))


def is_fair(ends: list[float | None], kills: tuple[float, ...] = ()) -> bool:
    lines: list[str] = []
    found = report(waited(ends, kills), LOAD, len(kills), lines.append)
    assert lines[-1].startswith("honest")
    return found


def test_each_may_wait_for_the_turns_of_those_before_it() -> None:
    assert is_fair([101.0, 102.0, 104.0])
    assert [round(one.seconds) for one in waited([101.0, 102.0, 104.0])] == [1, 2, 4]
    assert not is_fair([101.0, 102.0, 110.0])


def test_a_kill_explains_a_wait() -> None:
    assert is_fair([101.0, 102.0, 115.0], kills=(101.0,))


def test_a_file_without_a_result_is_not_fair() -> None:
    assert not is_fair([101.0, None, 104.0])
    assert waited([101.0, None, 104.0])[1].seconds == -1
