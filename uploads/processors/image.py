"""Images, by Pillow: format, dimensions, frames, orientation; a thumbnail."""

import warnings
from contextlib import suppress
from pathlib import Path

from PIL import Image

from uploads.processors.base import Result, Unprocessable, errors_as
from uploads.processors.base import gettext_noop as _
from uploads.processors.thumbnails import make_thumbnail

MAX_PIXELS = 20_000_000
MAX_FRAMES = 1_000
FORMATS = {"APNG": "PNG", "X-ICON": "ICO", "JPX": "JPEG2000"}
"""Pillow's names, where they differ from the content type's."""
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
"""How to rotate an image of each EXIF orientation from 2 to 8."""


def process(path: Path, content_type: str) -> Result:
    name = content_type.removeprefix("image/").upper()
    with errors_as(_("The image is broken.")), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        Image.MAX_IMAGE_PIXELS = MAX_PIXELS
        try:
            with Image.open(path, formats=[FORMATS.get(name, name)]) as image:
                return _result(image)
        except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
            raise Unprocessable(
                _("The image has more than %(max)d million pixels."),
                max=MAX_PIXELS // 1_000_000,
            ) from error


def _result(image: Image.Image) -> Result:
    frames = getattr(image, "n_frames", 1)
    if frames > MAX_FRAMES:
        raise Unprocessable(_("The image has more than %(max)d frames."), max=MAX_FRAMES)
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
    upright = image.transpose(UPRIGHT[orientation]) if orientation in UPRIGHT else image
    return Result(metadata, make_thumbnail(upright))


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation; 1 (upright) if there is none or it cannot be read."""
    with suppress(Exception):  # broken EXIF data does not make the image broken
        value = image.getexif().get(ORIENTATION)
        return int(value) if value in UPRIGHT else 1  # some write it as a fraction
    return 1
