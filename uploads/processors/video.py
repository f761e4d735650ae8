"""Films: duration, codecs, bit rate, dimensions; a poster frame."""

from uploads.processors.media import process

__all__ = ["process"]
