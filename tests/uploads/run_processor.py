"""Runs processors as the service does."""

import io
from pathlib import Path

from uploads.detection.media_type import Detected, detect
from uploads.processing import sandbox
from uploads.processors import find_processor
from uploads.processors.base import Result


def run_in_child(content: bytes, path: Path) -> Result:
    """Process `content`, with the file name of `path`, in a child process."""
    path.write_bytes(content)
    detected = detected_as(content, path.name)
    return sandbox.process(path, detected.kind, detected.content_type)


def run_here(content: bytes, path: Path) -> Result:
    """Process it in this process: only for harmless files."""
    path.write_bytes(content)
    detected = detected_as(content, path.name)
    return find_processor(detected.kind)(path, detected.content_type)


def detected_as(content: bytes, name: str = "") -> Detected:
    """Return what an upload of `content` is detected as. Raises TypeRefused."""
    return detect(io.BytesIO(content), name)
