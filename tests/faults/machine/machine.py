"""The machine under the service: its clocks and disks, as far as they can be broken here."""

import shutil
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from tests.faults.machine.clocks import Clocks, library, works
from tests.faults.machine.disks import Disks


class Machine:
    """`with Machine(installed, say) as machine:` sets up what can be set up, and says what not.

    installed: where libfaketime's wheel was installed.
    """

    def __init__(self, installed: Path, say: Callable[[str], None]) -> None:
        self._installed = installed
        self._say = say
        self._stack = ExitStack()
        self.clocks: Clocks | None = None
        self.disks: Disks | None = None

    def __enter__(self) -> Self:
        # Every user can reach it. PostgreSQL, started by root, has a user of its own.
        directory = Path(tempfile.mkdtemp(prefix="footfall-faults-"))
        directory.chmod(0o711)
        self._stack.callback(shutil.rmtree, directory, ignore_errors=True)
        self._set_clocks(directory / "clocks")
        self._mount(directory / "disks")
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def _set_clocks(self, directory: Path) -> None:
        found = library(self._installed)
        clocks = Clocks.made(directory, found) if found else None
        if clocks and works(clocks):
            self.clocks = clocks
        else:
            self._say("no clock jumps: libfaketime is not there, or does not work here")

    def _mount(self, directory: Path) -> None:
        disks = Disks(directory)
        self._stack.callback(disks.unmount)
        if disks.mount():
            self.disks = disks
        else:
            self._say("no disk can be mounted (is this root?): full disks are limits of file sizes")
