"""`make loss` finds lost events, and none where none are lost."""

from tests.faults.loss import MODES, Loss, measure, row


def test_what_is_on_the_disk_before_it_is_acknowledged_is_there_after_a_kill() -> None:
    loss = measure(0.3, MODES["appendonly yes, appendfsync always"])

    assert loss.acknowledged > 0
    assert loss.lost == 0


def test_without_a_file_everything_is_lost() -> None:
    loss = measure(0.3, MODES["no append-only file, no snapshot"])

    assert loss.lost == loss.acknowledged > 0
    assert loss.window_ms > 0


def test_the_table() -> None:
    words = row("always", Loss(1234, 34, 56.4)).split()

    assert words == ["always", "1,234", "1,200", "34", "56", "ms"]
