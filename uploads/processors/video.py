"""Films: duration, codecs, bit rate, dimensions; a poster frame."""

from uploads.media import look as process

__all__ = ["process"]
