"""Makes the small picture of a file."""

import io

import PIL.WebPImagePlugin  # noqa: F401  # else Pillow imports all its plugins to find it
from PIL import Image

LARGEST = 320
"""Pixels of its longer side."""


def thumbnail(picture: Image.Image) -> bytes:
    """Return a WebP of nothing but the pixels of `picture`, which is changed."""
    picture.thumbnail((LARGEST, LARGEST), reducing_gap=2.0)
    transparent = "A" in picture.getbands() or "transparency" in picture.info
    mode = "RGBA" if transparent else "RGB"
    bare = Image.new(mode, picture.size)
    bare.paste(picture.convert(mode))
    out = io.BytesIO()
    bare.save(out, "WEBP", quality=80, method=4)
    return out.getvalue()
