"""Small disks for the data of the service, which are full when they are told to be.

Each is a file system in memory whose limit is moved to what is used. Only root can mount one.
"""

import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

NAMES = ("redis", "service", "service/postgres")
SIZE = 4 * 1024**3  # bytes at most; only what is written takes memory
PAGE = 4096


class Disks:
    """Mounted disks in one directory. `unmount` removes them, and what is on them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._mounted: list[Path] = []

    def mount(self) -> bool:
        """Mount all; return False if that is not possible here."""
        for name in NAMES:
            path = self.directory / name
            path.mkdir(parents=True)
            if not _run("mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=711", "tmpfs", str(path)):
                self.unmount()
                return False
            self._mounted.append(path)
        return True

    def unmount(self) -> None:
        for path in reversed(self._mounted):
            # Lazily: a process that is just ending may still have a file there.
            _run("umount", "--lazy", str(path))
        self._mounted = []

    @contextmanager
    def full(self, names: Iterable[str]) -> Iterator[None]:
        """Leave no room on these disks. Raises OSError if that is not possible."""
        with ExitStack() as stack:
            for name in names:
                stack.callback(_resize, self.directory / name, SIZE)
                _fill(self.directory / name)
            yield


def _fill(path: Path) -> None:
    for spare in range(64):  # it grows meanwhile, and the limit must not be below what is used
        found = os.statvfs(path)
        if _resize(path, (found.f_blocks - found.f_bfree) * found.f_frsize + spare * PAGE):
            return
    raise OSError(f"{path} could not be made full")


def _resize(path: Path, size: int) -> bool:
    return _run("mount", "-o", f"remount,size={max(size, PAGE)}", str(path))


def _run(name: str, *arguments: str) -> bool:
    if os.geteuid() or not (program := shutil.which(name)):
        return False
    return not subprocess.run([program, *arguments], check=False, capture_output=True).returncode
