"""Stands in for the child process where a test is about what happens around it."""

from collections.abc import Callable
from pathlib import Path

from uploads.processors.base import Result

Process = Callable[[Path], Result]


class FakeSandbox:
    """Notes which files were processed, and does with each what the test says."""

    def __init__(self) -> None:
        self.processed: list[bytes] = []
        self.seconds: list[float | None] = []
        self.process: Process = lambda path: Result({"bytes": path.stat().st_size}, b"thumbnail")

    def __call__(
        self, path: Path, kind: str, content_type: str, seconds: float | None = None
    ) -> Result:
        self.processed.append(path.read_bytes())
        self.seconds.append(seconds)
        return self.process(path)

    def fails(self, error: BaseException) -> None:
        """Have every file end with this error from now on."""

        def process(path: Path) -> Result:
            raise error

        self.process = process
