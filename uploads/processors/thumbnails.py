"""Makes thumbnails."""

import io

import PIL.WebPImagePlugin  # noqa: F401  # otherwise Pillow imports all its plugins
from PIL import Image

MAX_SIDE = 320  # pixels


def make_thumbnail(picture: Image.Image) -> bytes:
    """Return a WebP of the pixels alone, without metadata. Changes `picture`."""
    has_16_bits = picture.mode.startswith("I;16")  # Pillow cannot resize or convert them directly
    picture = picture.convert("I") if has_16_bits else picture
    picture.thumbnail((MAX_SIDE, MAX_SIDE), reducing_gap=2.0)
    if has_16_bits:
        picture = picture.point(lambda level: level / 256).convert("L")
    transparent = "A" in picture.getbands() or "transparency" in picture.info
    mode = "RGBA" if transparent else "RGB"
    bare = Image.new(mode, picture.size)
    bare.paste(picture.convert(mode))
    out = io.BytesIO()
    bare.save(out, "WEBP", quality=80, method=4)
    return out.getvalue()
