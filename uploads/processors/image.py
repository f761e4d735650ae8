"""Images, by Pillow: format, dimensions, frames, orientation; a thumbnail."""

import warnings
from contextlib import suppress
from pathlib import Path

from PIL import Image

from uploads.processors.base import Result, Unprocessable, blaming
from uploads.processors.base import gettext_noop as _
from uploads.processors.thumbnails import thumbnail

MOST_PIXELS = 20_000_000
MOST_FRAMES = 1_000
FORMATS = {
    "image/png": "PNG",
    "image/apng": "PNG",
    "image/jpeg": "JPEG",
    "image/gif": "GIF",
    "image/webp": "WEBP",
    "image/bmp": "BMP",
    "image/tiff": "TIFF",
    "image/avif": "AVIF",
    "image/x-icon": "ICO",
    "image/jpx": "JPEG2000",
}
ORIENTATION = 0x0112
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""How to turn a picture of each EXIF orientation but the first; any other number says nothing."""


def process(path: Path, content_type: str) -> Result:
    with blaming(_("The image is broken.")), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        Image.MAX_IMAGE_PIXELS = MOST_PIXELS
        try:
            with Image.open(path, formats=[FORMATS[content_type]]) as image:
                return _looked_at(image)
        except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
            raise Unprocessable(
                _("The image has more than %(most)d million pixels."),
                most=MOST_PIXELS // 1_000_000,
            ) from error


def _looked_at(image: Image.Image) -> Result:
    frames = getattr(image, "n_frames", 1)
    if frames > MOST_FRAMES:
        raise Unprocessable(_("The image has more than %(most)d frames."), most=MOST_FRAMES)
    orientation = _orientation(image)
    metadata = {
        "format": image.format,
        "width": image.width,
        "height": image.height,
        "mode": image.mode,
        "frames": frames,
        "orientation": orientation,
    }
    image.load()
    return Result(metadata, thumbnail(_upright(image, orientation)))


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 (upright) if there is none that can be read."""
    with suppress(Exception):  # what is wrong with the EXIF data is not wrong with the picture
        value = image.getexif().get(ORIENTATION)
        return int(value) if value in UPRIGHT else 1  # some write it as a fraction
    return 1


def _upright(image: Image.Image, orientation: int) -> Image.Image:
    return image.transpose(UPRIGHT[orientation]) if orientation in UPRIGHT else image
