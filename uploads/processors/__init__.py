"""The processors of the kinds of files: one module each, named for its kind.

To add one is to add its module: `process(path, content_type) -> Result`.
"""

from importlib import import_module

from uploads.processors.base import Processor


def find(kind: str) -> Processor:
    """Return the processor of `kind`. Raises ImportError where there is none."""
    if not kind.isidentifier():
        raise ImportError(kind)
    processor: Processor = import_module(f"{__name__}.{kind}").process
    return processor
