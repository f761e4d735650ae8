"""The table, and which aims are reached."""

from typing import Any

from loadtest import report
from loadtest.measure import Figures
from loadtest.plot import bars


def figures(approach: str, load: str, repetition: int, rate: float, **more: Any) -> dict[str, Any]:
    return Figures(approach, load, repetition, rate=rate, **more).as_json()


def found(**more: Any) -> dict[str, Any]:
    rows = [
        figures(name, load, i, rate * (i + 1), **more)
        for name, rate in (("footfall", 4_000.0), ("uncounted", 5_000.0), ("increment", 300.0))
        for load in ("hot", "zipf")
        for i in range(3)
    ]
    return {
        "machine": {"cores": 2}, "python": "3.11", "figures": rows, "failed": {},
        "drain": {"hot": {"batched": 200_000.0, "one_by_one": 500.0, "lost": 0, "doubled": 0}},
    }  # fmt: skip


def aim(text: str, **more: Any) -> report.Aim:
    return next(aim for aim in report.aims(found(**more)) if aim.text.startswith(text))


def test_an_aim_is_held_against_the_ratio_of_each_repetition() -> None:
    assert aim("hot: Footfall >= 0.9 x").reached is False
    assert aim("zipf: Footfall >= 0.75 x").reached is True
    assert aim("hot: Footfall >= 10 x DRF + F()").measured == "13.3 (13.3 to 13.3)"


def test_an_aim_without_its_row_is_not_measured() -> None:
    assert aim("hot: Footfall >= 100 x").reached is None
    assert aim("zipf: drain").reached is None


def test_the_drain_is_held_against_one_update_per_event() -> None:
    assert aim("hot: drain").reached is True


def test_freshness_is_held_against_two_seconds() -> None:
    assert aim("hot: freshness", freshness_p99_s=1.4).reached is True
    assert aim("hot: freshness", freshness_p99_s=2.4).reached is False


def test_a_lost_view_shows_in_its_row_and_in_the_end() -> None:
    wrong = found(lost=2)

    assert report.line(wrong, "increment", "hot")[6] == "6"
    assert not report.exact(wrong)
    assert "LOST OR DOUBLED" in report.text(wrong)
    assert report.exact(found())


def test_a_row_that_failed_says_why() -> None:
    assert "FAILED hits: no answer" in report.text({**found(), "failed": {"hits": "no answer"}})


def test_the_plot_has_two_bars_for_each_row() -> None:
    drawn = bars(*report.to_plot(found()))

    assert drawn.startswith("<svg")
    assert drawn.count("<rect") == 1 + 2 + 2 * 3
