"""A child process whose processors misbehave; each is named for what it does."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NoReturn

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from uploads.processing import child
from uploads.processors.base import Processor, Result


def burn(path: Path, content_type: str) -> NoReturn:
    while True:
        pass


def idle(path: Path, content_type: str) -> Result:
    time.sleep(600)
    return Result()


def hoard(path: Path, content_type: str) -> Result:
    return Result({"size": len(bytearray(10 * 1024**3))})


def crash(path: Path, content_type: str) -> Result:
    ctypes.string_at(0)
    return Result()


def vanish(path: Path, content_type: str) -> Result:
    os.kill(os.getpid(), signal.SIGKILL)
    return Result()


def leave(path: Path, content_type: str) -> Result:
    os._exit(3)


def fall(path: Path, content_type: str) -> Result:
    raise KeyError(path.name)


def lack(path: Path, content_type: str) -> Result:
    return Result({"size": Path("/nonexistent").stat().st_size})


def chat(path: Path, content_type: str) -> Result:
    print("I am a library with a lot to say.")  # noqa: T201
    return Result({"quiet": True})


def flood(path: Path, content_type: str) -> Result:
    return Result({"name": "x" * 5_000_000})


def forge(path: Path, content_type: str) -> Result:
    return Result({"nan": float("nan"), "name": "a\0b\ud800", "deep": [[[[[1]]]]], "big": 10**30})


def spy(path: Path, content_type: str) -> Result:
    return Result({"environment": dict(os.environ), "directory": str(Path.cwd())})


def write(path: Path, content_type: str) -> Result:
    path.with_suffix(".written").write_text("something")
    return Result()


def hide(path: Path, content_type: str) -> Result:
    """Leave a process behind, which keeps nothing open that was the child's."""
    nothing = subprocess.DEVNULL
    left = subprocess.Popen(["/bin/sleep", "600"], stdin=nothing, stdout=nothing, stderr=nothing)
    return Result({"pid": left.pid})


def find_processor(kind: str) -> Processor:
    processor: Processor = globals()[kind]
    return processor


if __name__ == "__main__":
    setattr(child, "find_processor", find_processor)  # noqa: B010
    setattr(child, "clean", dict)  # noqa: B010  # a compromised child cleans nothing
    child.main()
