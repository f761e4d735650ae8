"""Sound: duration, codec, bit rate, sample rate, channels."""

from uploads.processors.media import look as process

__all__ = ["process"]
