"""Places where a process can be told to die, so that tests see what a crash there leaves behind."""

import os
import signal

ENVIRONMENT = "FOOTFALL_FAILPOINT"


def failpoint(name: str) -> None:
    """Kill this process with SIGKILL if the variable `FOOTFALL_FAILPOINT` is `name`.

    If it is `name:STOP`, stop the process: it goes on, or not, when it gets SIGCONT.
    """
    wanted = os.environ.get(ENVIRONMENT)
    if wanted == name:
        os.kill(os.getpid(), signal.SIGKILL)
    elif wanted == f"{name}:STOP":
        os.kill(os.getpid(), signal.SIGSTOP)
