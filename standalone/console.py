"""The supervisor's output: lines, each prefixed with the name of its program."""

import os
import sys
from collections.abc import Iterable

from standalone import room

COLOURS = {
    "footfall": "1",
    "postgres": "34",
    "redis": "31",
    "web": "32",
    "worker": "33",
    "flusher": "35",
    "beat": "36",
}
WIDTH = max(map(len, COLOURS))


class Console:
    """Writes to a file descriptor, in colours if it is a terminal and NO_COLOR is not set."""

    def __init__(self, descriptor: int | None = None) -> None:
        self.descriptor = sys.stdout.fileno() if descriptor is None else descriptor
        self.coloured = os.isatty(self.descriptor) and not os.environ.get("NO_COLOR")

    def write(self, name: str, text: str) -> None:
        """Write `text` with the prefix `name`.

        A closed pipe is ignored, for a clean stop. A line for which a disk has no room is left out.
        """
        prefix = f"{name:{WIDTH}} |"
        if self.coloured:
            prefix = f"\x1b[{COLOURS.get(name, '2')}m{prefix}\x1b[0m"
        line = f"{prefix} {text}".rstrip()
        try:
            os.write(self.descriptor, f"{line}\n".encode(errors="replace"))
        except OSError as error:
            if error.errno in room.ERRORS:
                return
            self.descriptor = os.open(os.devnull, os.O_WRONLY)

    def write_lines(self, name: str, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(name, line)
