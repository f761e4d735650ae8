"""Places where a process can be told to die, so that tests see what a crash there leaves behind."""

import os
import signal

ENVIRONMENT = "FOOTFALL_FAILPOINT"


def failpoint(name: str) -> None:
    """Kill this process with SIGKILL if the variable `FOOTFALL_FAILPOINT` is `name`."""
    if os.environ.get(ENVIRONMENT) == name:
        os.kill(os.getpid(), signal.SIGKILL)
