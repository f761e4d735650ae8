"""The tables, and which aims are reached."""

from pathlib import Path
from typing import Any

import pytest

from loadtest.bench import aims, report
from loadtest.common.client import Ledger, Run
from loadtest.common.plot import bars
from loadtest.common.verdict import Gain, Verdict
from loadtest.measure.measurement import COLD, Figures, figures
from loadtest.measure.observation import Observation
from loadtest.systems.approaches import BY_NAME
from loadtest.systems.wal import Written

SLICE = {"rate": 8_000.0, "p50_ms": 1.0, "p99_ms": 9.0, "cpu": 0.1, "cpu_load": 0.02}


def run(rate: float) -> Run:
    made = Run(Ledger(), seconds=1.0)
    made.latencies.extend([0.001] * int(rate))
    return made


def of(approach: str, load: str, repetition: int, rate: float, **more: Any) -> Figures:
    observed = Observation(run(rate), Verdict({}), {"web": 1.0, "beat": 0.5}, constant_rate=8_000.0)
    for name, value in more.items():
        setattr(observed, name, value)
    return figures(BY_NAME[approach], load, repetition, observed)


def found(**more: Any) -> dict[str, Any]:
    """A bench of three repetitions, each faster than the one before."""
    rows = [
        of(name, load, i, rate * (i + 1), **more)
        for name, rate in (("footfall", 4_000.0), ("uncounted", 5_000.0), ("increment", 300.0))
        for load in ("hot", "zipf")
        for i in range(3)
    ]
    drained = {"batched": 200_000.0, "one_by_one": 500.0, "lost": 0, "doubled": 0}
    return {
        "machine": {"cores": 2}, "python": "3.11", "at": "now", "pages": 10_000, "failed": {},
        "figures": rows, "constants": [SLICE] * 3, "notes": [], "drain": {"hot": [drained] * 3},
        "idle": {"processes": 20, "pss_mb": 594.0, "cpu_per_minute": [3.0, 3.1, 3.2]},
    }  # fmt: skip


def aim(text: str, **more: Any) -> aims.Aim:
    return next(aim for aim in aims.aims(found(**more)) if aim.text.startswith(text))


def test_an_aim_is_held_against_the_ratio_of_each_repetition() -> None:
    assert aim("hot: Footfall >= 0.9 x").reached is False
    assert aim("zipf: Footfall >= 0.75 x").reached is True
    assert aim("hot: Footfall >= 10 x DRF + F()").measured == "13.3 (13.3 to 13.3)"


def test_counting_off_that_is_slower_in_a_single_repetition_misses_its_aim() -> None:
    once = found()
    assert next(aims.aims(once)).reached is True

    slow = next(row for row in once["figures"] if row["approach"] == "uncounted")
    slow["rate"] = 3_999.0

    assert next(aims.aims(once)).reached is False


def test_an_aim_without_its_row_is_not_measured() -> None:
    assert aim("hot: Footfall >= 100 x").reached is None
    assert aim("zipf: drain").reached is None


def test_the_drain_is_held_against_one_update_per_event() -> None:
    assert aim("hot: drain").reached is True


def test_freshness_is_held_against_two_seconds() -> None:
    assert aim("hot: freshness", freshness=[1.4]).reached is True
    assert aim("hot: freshness", freshness=[1.4, 2.4]).reached is False


def test_each_figure_has_its_spread() -> None:
    text = report.text(found())

    assert "| Footfall | 8,000 (4,000 to 12,000) | 1.00 (0.50 to 1.50) |" in text
    assert "| constant Django view | 8,000 (8,000 to 8,000) |" in text
    assert "|  | 20 | 594 | 3.10 (3.00 to 3.20) |" in text


def test_rows_and_bytes_are_told_by_what_they_are_written_for() -> None:
    written = Written(full_pages=8_192_000)
    written.rows.update({"pages_content": 60_000, "counters_rollup": 4_000, "auth_user": 1})
    written.wal.update({"pages_content": 400_000})

    row = of("footfall", "zipf", 0, 4_000.0, written=written)

    assert (row["rows_totals"], row["rows_hourly"], row["wal_totals"]) == (15.0, 1.0, 100.0)
    assert row["rows"] == pytest.approx(16.0, abs=0.01)
    assert row["full_pages"] == 2_048.0


def test_processor_time_is_told_by_program() -> None:
    row = of("footfall", "hot", 0, 4_000.0)

    assert (row["cpu"], row["cpu_web"], row["cpu_flusher"]) == (0.375, 0.25, 0.0)
    assert row["cpu_rest"] == 0.125


def test_a_lost_view_shows_in_its_row_and_in_the_end() -> None:
    wrong = found(verdict=Verdict({7: Gain(2, 0, 2)}))

    assert "| 0 | 6 | 0 |" in report.text(wrong)
    assert not aims.exact(wrong)
    assert "LOST OR DOUBLED" in report.text(wrong)
    assert aims.exact(found())


def test_what_was_disturbed_or_failed_is_told() -> None:
    told = report.text(
        {**found(), "notes": ["hits was disturbed"], "failed": {"hits": "no answer"}}
    )

    assert "- hits was disturbed" in told
    assert "**FAILED** hits: no answer" in told


def test_pages_that_are_not_prepared_have_a_table_of_their_own() -> None:
    cold = found()
    cold["figures"].append(of("footfall", COLD, 0, 100.0))

    assert "| Footfall | 100 (once) |" in report.text(cold)


def test_the_tables_are_put_where_the_docs_have_a_place_for_them(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"# Before\n{report.BEGIN}old\n{report.END}# After\n")

    report.write_into(page, "| new |")

    assert page.read_text() == f"# Before\n{report.BEGIN}\n| new |\n\n{report.END}# After\n"


def test_docs_without_a_place_for_the_tables_are_left_alone(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# No place")

    with pytest.raises(ValueError, match="has not one place"):
        report.write_into(page, "| new |")


def test_the_plot_has_two_bars_for_each_row() -> None:
    drawn = bars(*report.to_plot(found()))

    assert drawn.startswith("<svg")
    assert drawn.count("<rect") == 1 + 2 + 2 * 4
