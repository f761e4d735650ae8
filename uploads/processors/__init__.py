"""Processors: one module for each kind of file, named for the kind; audio and video share one.

A new kind needs a module here with `process(path, content_type) -> Result` (see `base`), a `Kind`
in uploads/models.py with its migration, and its detection in uploads/detection/media_type.py. A
processor runs in a child process that can open no file, so no module either: all modules of its
libraries are imported before, or what a function `preload()` in it imports. It imports no Django.
"""

import pkgutil
import sys
from contextlib import suppress
from functools import cache
from importlib import import_module
from types import ModuleType

from uploads.processors.base import Processor, import_all

SHARED = {"audio": "media", "video": "media"}


def find_processor(kind: str) -> Processor:
    """Return the processor of `kind`. Raises ImportError if there is none."""
    if not kind.isidentifier():
        raise ImportError(kind)
    return _load(SHARED.get(kind, kind))


def load_all() -> None:
    """Load all processors, so that a child need not. It tells why one cannot be loaded."""
    for module in pkgutil.iter_modules(__path__):
        with suppress(Exception):
            _load(module.name)


@cache
def _load(name: str) -> Processor:
    module = import_module(f"{__name__}.{name}")
    if not hasattr(module, "process"):
        raise ImportError(name)
    if hasattr(module, "preload"):
        module.preload()
    else:
        for library in libraries(module):
            import_all(library)
    processor: Processor = module.process
    return processor


def libraries(module: ModuleType) -> set[str]:
    """Return the packages, but those of Python and this one, of which a module has imported."""
    origins = (
        value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
        for value in vars(module).values()
    )
    roots = {origin.partition(".")[0] for origin in origins if isinstance(origin, str)}
    return {root for root in roots if root in sys.modules} - sys.stdlib_module_names - {"uploads"}
