"""All other files: only their type and size."""

from pathlib import Path

from uploads.processors.base import Result


def process(path: Path, content_type: str) -> Result:
    return Result({"content_type": content_type, "size": path.stat().st_size})
