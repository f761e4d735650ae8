"""Processors: one module for each kind of file, named for the kind; audio and video share one.

A new kind needs a module here with `process(path, content_type) -> Result` (see `base`), a `Kind`
in uploads/models.py with its migration, and its detection in uploads/detection/media_type.py. A
processor runs in a child process and imports no Django, which would take longer than processing
most files.
"""

from importlib import import_module

from uploads.processors.base import Processor

SHARED = {"audio": "media", "video": "media"}


def find_processor(kind: str) -> Processor:
    """Return the processor of `kind`. Raises ImportError if there is none."""
    if not kind.isidentifier():
        raise ImportError(kind)
    processor: Processor = import_module(f"{__name__}.{SHARED.get(kind, kind)}").process
    return processor
