"""A template whose processors misbehave; each is named for what it does."""

import ctypes
import os
import signal
import sys
import time
from pathlib import Path
from threading import Thread
from typing import NoReturn

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from uploads.child import processing, template
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
    return Result({"environment": dict(os.environ)})


def write(path: Path, content_type: str) -> Result:
    Path(path.read_text()).with_suffix(".written").write_text("something")
    return Result()


def hide(path: Path, content_type: str) -> Result:
    """Leave a process behind, which keeps nothing open that was the child's."""
    pid = os.fork()
    if not pid:
        os.closerange(0, 64)
        time.sleep(600)
    return Result({"pid": pid})


def read(path: Path, content_type: str) -> Result:
    """Read the file in every way that Python has, twice at once."""
    with path.open("rb") as first, open(path, "rb") as second:  # noqa: PTH123
        first.read(3)
        both = [first.read(3).decode(), second.read(3).decode()]
    descriptor = os.open(path, os.O_RDONLY)
    return Result(
        {
            "both": both,
            "text": path.read_text(),
            "size": [path.stat().st_size, os.path.getsize(str(path))],  # noqa: PTH202
            "is_file": path.is_file(),
            "descriptor": os.read(descriptor, 3).decode(),
        }
    )


def thread(path: Path, content_type: str) -> Result:
    lengths: list[int] = []
    threads = [Thread(target=lambda: lengths.append(len(path.read_bytes()))) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    return Result({"lengths": lengths})


def find_processor(kind: str) -> Processor:
    processor: Processor = globals()[kind]
    return processor


def main() -> None:
    setattr(processing, "find_processor", find_processor)  # noqa: B010
    setattr(processing, "clean", dict)  # noqa: B010  # a compromised child cleans nothing
    setattr(template, "load_all", lambda: None)  # noqa: B010
    template.main()


if __name__ == "__main__":
    main()
