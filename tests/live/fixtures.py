"""What tests of the running service share beside their fixtures."""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager

from loadtest.common.launcher import Copy
from tests.support.processes import Done

Manage = Callable[..., Done]
Withstand = Callable[[AbstractContextManager[object]], None]

# How long an attack lasts, in seconds. The suite runs the short version.
ATTACK_SECONDS = float(os.environ.get("FOOTFALL_ATTACK_SECONDS", "2"))


def kill(service: Copy, name: str) -> None:
    """Kill a program with SIGKILL: the supervisor starts another, and says so."""
    said = f"{name} was killed by SIGKILL; starting it again"
    before = service.output.count(said)
    service.kill(name)
    assert service.output.count(said) == before + 1
