"""Makes the small picture of a file."""

import io

import PIL.WebPImagePlugin  # noqa: F401  # else Pillow imports all its plugins to find it
from PIL import Image

LARGEST = 320
"""Pixels of its longer side."""


def thumbnail(picture: Image.Image) -> bytes:
    """Return a WebP of nothing but the pixels of `picture`, which is changed."""
    has_16_bits = picture.mode.startswith("I;16")  # those Pillow neither reduces nor makes 8 of
    picture = picture.convert("I") if has_16_bits else picture
    picture.thumbnail((LARGEST, LARGEST), reducing_gap=2.0)
    if has_16_bits:
        picture = picture.point(lambda level: level / 256).convert("L")
    transparent = "A" in picture.getbands() or "transparency" in picture.info
    mode = "RGBA" if transparent else "RGB"
    bare = Image.new(mode, picture.size)
    bare.paste(picture.convert(mode))
    out = io.BytesIO()
    bare.save(out, "WEBP", quality=80, method=4)
    return out.getvalue()
