"""Images, by Pillow: format, dimensions, frames, orientation; a thumbnail."""

import re
import warnings
from contextlib import suppress
from pathlib import Path

from PIL import Image, UnidentifiedImageError
from PIL.JpegImagePlugin import JpegImageFile

from uploads.processors.base import Result, Unprocessable, errors_as
from uploads.processors.base import gettext_noop as _
from uploads.processors.thumbnails import MAX_SIDE, make_thumbnail

MAX_PIXELS = 20_000_000
MAX_JPEG_PIXELS = 150_000_000
"""A JPEG is shrunk while it is decoded, to an eighth each way."""
MAX_COEFFICIENTS = 165_000_000
"""A progressive one is kept whole, in two bytes for each: 110 million pixels of a camera."""
MAX_FRAMES = 1_000
FORMATS = {"APNG": "PNG", "X-ICON": "ICO", "JPX": "JPEG2000", "JP2": "JPEG2000"}
"""Pillow's names, where they differ from the content type's."""
ORIENTATION = 0x0112
WIDTH, HEIGHT = 256, 257  # tags of TIFF, as it is stored
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
BROKEN = _("The image is broken.")
UNSUPPORTED = _("Images of this variant are not supported.")
SAYS_UNSUPPORTED = re.compile(
    r"unsupported|not supported|unknown|not (available|implemented)", re.I
)
"""What Pillow's errors say of variants that it does not read."""
WEBP_IN_TIFF = 50001
COMPRESSION = 259


def preload() -> None:
    from PIL import ImageCms, ImageColor, ImageFilter  # noqa: F401  # Pillow imports them late

    Image.init()


def process(path: Path, content_type: str) -> Result:
    name = content_type.removeprefix("image/").upper()
    name = FORMATS.get(name, name)
    with errors_as(BROKEN), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        Image.MAX_IMAGE_PIXELS = None  # `_check_size` has the limits
        try:
            with Image.open(path, formats=[name]) as image:
                return _result(image)
        except UnidentifiedImageError as error:  # hides the reason
            raise _reason(_opening_error(path, name)) from error
        except (OSError, SyntaxError, NotImplementedError) as error:
            if isinstance(error, OSError) and error.errno:
                raise
            raise _reason(error) from error


def _opening_error(path: Path, name: str) -> Exception:
    """Return why Pillow's plug-in does not open the file."""
    with path.open("rb") as file:
        try:
            Image.OPEN[name][0](file, "")
        except Exception as error:  # of any type
            return error
    return ValueError()


def _reason(error: Exception) -> Unprocessable:
    """Return what to say: a variant that Pillow does not read is another thing than a fault."""
    return Unprocessable(UNSUPPORTED if SAYS_UNSUPPORTED.search(str(error)) else BROKEN)


def _result(image: Image.Image) -> Result:
    # Pillow says how large a TIFF is when it is upright, and turns it by itself.
    tags = getattr(image, "tag_v2", None) if image.format == "TIFF" else None
    width, height = (tags[WIDTH], tags[HEIGHT]) if tags else image.size
    _check_size(image)
    frames = getattr(image, "n_frames", 1)
    if frames > MAX_FRAMES:
        raise Unprocessable(_("The image has more than %(max)d frames."), max=MAX_FRAMES)
    orientation = _orientation(image)
    metadata = {
        "format": image.format,
        "width": int(width),
        "height": int(height),
        "mode": image.mode,
        "frames": frames,
        "orientation": orientation,
    }
    if isinstance(image, JpegImageFile):
        image.draft(image.mode, (2 * MAX_SIDE, 2 * MAX_SIDE))
    if tags and tags.get(COMPRESSION) == WEBP_IN_TIFF:
        raise Unprocessable(UNSUPPORTED)
    image.load()
    is_to_turn = orientation in UPRIGHT and tags is None
    upright = image.transpose(UPRIGHT[orientation]) if is_to_turn else image
    return Result(metadata, make_thumbnail(upright))


def _check_size(image: Image.Image) -> None:
    """Raise Unprocessable if decoding the image would take too much memory."""
    limit = MAX_PIXELS
    if isinstance(image, JpegImageFile):
        limit = MAX_JPEG_PIXELS
        if image.info.get("progressive"):
            sizes = [width * height for _id, width, height, _table in image.layer]
            limit = MAX_COEFFICIENTS * max(sizes) // sum(sizes)
    if image.width * image.height > limit:
        raise Unprocessable(
            _("The image has more than %(max)d million pixels."), max=limit // 1_000_000
        )


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation; 1 (upright) if there is none or it cannot be read."""
    with suppress(Exception):  # broken EXIF data does not make the image broken
        value = image.getexif().get(ORIENTATION)
        return int(value) if value in UPRIGHT else 1  # some write it as a fraction
    return 1
