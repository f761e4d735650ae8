"""Sound: duration, codec, bit rate, sample rate, channels."""

from uploads.media import look as process

__all__ = ["process"]
