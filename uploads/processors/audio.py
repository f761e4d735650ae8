"""Audio: duration, codec, bit rate, sample rate, channels."""

from uploads.processors.media import process

__all__ = ["process"]
