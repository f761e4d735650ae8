"""The one file that a processor reads: under a name that only Python's own functions open.

A process without any right to open files has it as open descriptors. `open`, `os.open` and
`os.stat` take its name for them, so a processor has a path like any other.
"""

import builtins
import io
import itertools
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

_open, _os_open, _stat, _lstat = builtins.open, os.open, os.stat, os.lstat
_name: str | None = None
_descriptors: Iterator[int] = iter(())


def use(descriptors: Sequence[int]) -> Path:
    """Return the path of the file that is open in all of these.

    Each has a position of its own: so many can be read at once.
    """
    global _name, _descriptors
    _name = f"/dev/fd/{descriptors[0]}"
    _descriptors = itertools.cycle(descriptors)
    return Path(_name)


def install() -> None:
    """Replace Python's functions, before other modules keep them."""
    for module, name, function in (
        (builtins, "open", _open_file),
        (io, "open", _open_file),
        (os, "open", _open_descriptor),
        (os, "stat", _stat_file),
        (os, "lstat", _lstat_file),
    ):
        setattr(module, name, function)


def _is_it(file: Any) -> bool:
    if _name is None or isinstance(file, int):
        return False
    return os.fsdecode(file) == _name


def _reopen(*_: Any) -> int:
    descriptor = os.dup(next(_descriptors))
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def _open_file(file: Any, mode: str = "r", *arguments: Any, **options: Any) -> Any:
    if _is_it(file):
        options["opener"] = _reopen
    return _open(file, mode, *arguments, **options)


def _open_descriptor(path: Any, *arguments: Any, **options: Any) -> int:
    return _reopen() if _is_it(path) else _os_open(path, *arguments, **options)


def _stat_file(path: Any, **options: Any) -> os.stat_result:
    return os.fstat(next(_descriptors)) if _is_it(path) else _stat(path, **options)


def _lstat_file(path: Any, **options: Any) -> os.stat_result:
    return os.fstat(next(_descriptors)) if _is_it(path) else _lstat(path, **options)
