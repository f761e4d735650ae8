"""A program, and how to start it so that its process never outlives its parent."""

import ctypes
import functools
import os
import pwd
import re
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PR_SET_PDEATHSIG = 1  # from <linux/prctl.h>


class StoreError(Exception):
    """A store could not be prepared, or did not become ready. The text says why."""


@dataclass(frozen=True)
class Program:
    """A command that runs in the foreground until `stop_signal` ends it."""

    name: str
    command: list[str]
    directory: Path
    environment: Mapping[str, str]
    stop_signal: signal.Signals = signal.SIGTERM
    stop_timeout: float = 10.0  # seconds from the signal to SIGKILL
    uid: int | None = None  # the user to run it as; None: the present one
    ignored_lines: re.Pattern[str] | None = None  # of its log

    def process_options(self) -> dict[str, Any]:
        """Return the options for `subprocess.Popen`, without the command and its output.

        The process gets its own session, so that the terminal's Ctrl-C does not reach it. On Linux,
        the kernel sends it `stop_signal` when the thread that started it ends.
        """
        return {
            "cwd": self.directory,
            "env": dict(self.environment),
            "start_new_session": True,
            "preexec_fn": signal_at_parent_death(self.stop_signal),
            **user_options(self.uid),
        }


def without_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that a store needs, without the service's keys and passwords."""
    kept = {"PATH", "HOME", "LANG", "TZ", "TMPDIR", "DATA_DIR", "LD_LIBRARY_PATH", "LD_PRELOAD"}
    return {
        name: value for name, value in environment.items() if name in kept or name.startswith("LC_")
    }


def user_options(uid: int | None) -> dict[str, Any]:
    """Return the `subprocess` arguments that run a process as user `uid`, without our groups."""
    if uid is None:
        return {}
    return {"user": uid, "group": pwd.getpwuid(uid).pw_gid, "extra_groups": []}


def signal_at_parent_death(stop_signal: signal.Signals) -> Callable[[], None] | None:
    """Return a function that a child calls before exec, to be signalled when its parent dies."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    return functools.partial(_ask_for_signal, prctl, stop_signal, os.getpid())


def _ask_for_signal(prctl: Callable[..., int], stop_signal: int, parent: int) -> None:
    # After the change of user, which would clear the request.
    prctl(PR_SET_PDEATHSIG, stop_signal)
    if os.getppid() != parent:  # the parent died before the request
        os._exit(1)
