import os
import subprocess
import sys
from pathlib import Path

from loadtest.common.waiting import wait_until

PARENT = """
import os, subprocess, sys
from pathlib import Path
from standalone.program import Program
program = Program("child", [sys.executable, "-c", {child!r}], Path.cwd(), os.environ)
subprocess.Popen(program.command, **program.process_options())
sys.stdin.read()
"""
CHILD = """
import pathlib, signal, sys, time
def stop(*_): pathlib.Path({said!r}).write_text("stopped"); sys.exit()
signal.signal(signal.SIGTERM, stop)
print("up", flush=True)
while True:
    time.sleep(0.1)  # one that begins right after the signal is not woken by it
"""


def test_a_child_stops_when_its_parent_is_killed(tmp_path: Path) -> None:
    said = tmp_path / "said"
    code = PARENT.format(child=CHILD.format(said=str(said)))
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": "."},
    ) as parent:  # fmt: skip
        assert parent.stdout
        assert parent.stdout.readline() == b"up\n"
        parent.kill()

    wait_until(said.exists)
