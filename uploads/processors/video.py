"""Films: duration, codecs, bit rate, dimensions; a poster frame."""

from uploads.processors.media import look as process

__all__ = ["process"]
