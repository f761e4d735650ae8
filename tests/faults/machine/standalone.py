"""`python -m tests.faults.machine.standalone`: as `python -m standalone`, with clocks to set."""

import os
import sys
from pathlib import Path
from typing import Any
from unittest import mock

from standalone.__main__ import main as run
from standalone.program import Program
from tests.faults.machine.clocks import VARIABLE, Clocks


def main() -> int:
    """Run the service, each process with its clock; return its exit code."""
    clocks = Clocks(Path(os.environ[VARIABLE]))
    options = Program.process_options

    def with_clock(program: Program) -> dict[str, Any]:
        return {**options(program), "env": clocks.given(program)}

    with mock.patch.object(Program, "process_options", with_clock):
        return run()


if __name__ == "__main__":
    sys.exit(main())
