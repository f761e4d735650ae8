"""What py-spy and perf say is read rightly."""

from collections import Counter
from pathlib import Path

from loadtest.profile.profile import divide, table
from loadtest.profile.profilers import called_by, stacks, steps_of_flush, system_call_or_file

SPY = """\
_run (threading.py:982);wake (footfall/worker.py:29);ingest (footfall/flush.py:52);read (a.py:3) 6
_run (threading.py:982);wake (footfall/worker.py:29);ingest (footfall/flush.py:52);read (a.py:9) 2
_run (threading.py:982);project_for (footfall/worker.py:29);project (footfall/flush.py:60) 1
_run (threading.py:982);flush (footfall/tasks.py:16);wait (threading.py:320) 91
"""
PERF = """\
\tffffffff8b2a3f00 finish_task_switch.isra.0 ([kernel.kallsyms])
\tffffffff8b5f1a10 __x64_sys_fdatasync ([kernel.kallsyms])
\t          22eb1f flushAppendOnlyFile (/opt/valkey-server)

\t          20c7d9 [unknown] (/opt/valkey-server)

\tffffffff8b001310 asm_sysvec_apic_timer_interrupt ([kernel.kallsyms])
\t          234080 main (/opt/valkey-server)
"""


def test_the_steps_of_a_flush_are_what_it_has_called(tmp_path: Path) -> None:
    file = tmp_path / "raw"
    file.write_text(SPY)

    assert steps_of_flush(file) == {"read": 8, "project": 1}
    assert not file.exists()


def test_another_function_of_that_name_is_not_the_flush() -> None:
    assert called_by(["flush (footfall/tasks.py:16)", "f (b.py:1)"], ["flush"], "flush.py") == ""
    assert called_by(["flush (flush.py:16)", "<genexpr> (b.py:1)"], ["flush"], "flush.py") == (
        "<genexpr>"
    )


def test_a_processor_is_in_a_system_call_or_in_a_program() -> None:
    assert list(map(system_call_or_file, stacks(PERF))) == [
        "system call fdatasync",
        "valkey-server",
        "interrupts",
    ]


def test_what_zipf_costs_more_comes_first_and_trifles_have_no_row() -> None:
    costs = {"read": {"hot": 30.0}, "trifle": {"hot": 0.1}, "apply": {"hot": 5.0}}
    divide(costs, "zipf", Counter(apply=3, publish=1), 100.0)

    assert table("step", costs).splitlines()[2:] == [
        "| apply | 5.00 | 75.0 | 70.0 |",
        "| publish | 0.00 | 25.0 | 25.0 |",
        "| read | 30.0 | 0.00 | -30.0 |",
    ]
