"""The same as `misbehaving_child`, on a system that has no means of isolation."""

import sys
from pathlib import Path
from typing import NoReturn

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from tests.uploads.processing import misbehaving_child
from uploads.child import isolation
from uploads.child.libc import Unsupported


def lack() -> NoReturn:
    raise Unsupported("taken away")


if __name__ == "__main__":
    isolation.LAYERS.update(dict.fromkeys(isolation.LAYERS, lack))
    misbehaving_child.main()
