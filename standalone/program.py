"""What is run: a program, and how its process is started so that it never outlives its parent."""

import ctypes
import functools
import os
import pwd
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PR_SET_PDEATHSIG = 1  # from <linux/prctl.h>


@dataclass(frozen=True)
class Program:
    """A command that runs in the foreground until `stop_signal` ends it."""

    name: str
    command: list[str]
    directory: Path
    environment: Mapping[str, str]
    stop_signal: signal.Signals = signal.SIGTERM
    patience: float = 10.0  # seconds that it gets to stop by itself
    uid: int | None = None  # the user to run it as; None is the present one
    noise: re.Pattern[str] | None = None  # lines of its log that need not be read

    def start(self, log: Path, **options: Any) -> "subprocess.Popen[bytes]":
        """Start it with its output at the end of `log`; `options` are more of `Popen`."""
        with log.open("ab") as output:
            return subprocess.Popen(
                self.command, stdout=output, stderr=output, **self.process_options(), **options
            )

    def process_options(self) -> dict[str, Any]:
        """Return what `subprocess.Popen` needs beside the command, output aside.

        The process gets a session of its own: the terminal's Ctrl-C does not reach it. When the
        thread that starts it ends, the kernel sends it `stop_signal` (Linux only).
        """
        return {
            "cwd": self.directory,
            "env": dict(self.environment),
            "start_new_session": True,
            "preexec_fn": die_with_parent(self.stop_signal),
            **user_options(self.uid),
        }


def without_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what a store needs of `environment`; keys and passwords are for the service alone."""
    kept = {"PATH", "HOME", "LANG", "TZ", "TMPDIR", "DATA_DIR", "LD_LIBRARY_PATH", "LD_PRELOAD"}
    return {
        name: value for name, value in environment.items() if name in kept or name.startswith("LC_")
    }


def user_options(uid: int | None) -> dict[str, Any]:
    """Return the `subprocess` arguments that run a process as user `uid`, and no group of ours."""
    if uid is None:
        return {}
    return {"user": uid, "group": pwd.getpwuid(uid).pw_gid, "extra_groups": []}


def die_with_parent(stop_signal: signal.Signals) -> Callable[[], None] | None:
    """Return what a child calls between fork and exec to be signalled when its parent is gone."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    return functools.partial(_ask_for_signal, prctl, stop_signal, os.getpid())


def _ask_for_signal(prctl: Callable[..., int], stop_signal: int, parent: int) -> None:
    # Here, not in a wrapper before it: a change of user would clear the request.
    prctl(PR_SET_PDEATHSIG, stop_signal)
    if os.getppid() != parent:  # it died before it was asked for
        os._exit(1)
