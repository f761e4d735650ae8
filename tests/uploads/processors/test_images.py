"""What is found out about images, and the thumbnails of them."""

import io
import struct
from pathlib import Path
from typing import Any, Literal

import pytest
from PIL import Image

from tests.support import files as making
from tests.uploads.run_processor import run_here, run_in_child
from uploads.processors.base import Result, Unprocessable


def picture_of(result: Result) -> Image.Image:
    assert result.thumbnail is not None
    return Image.open(io.BytesIO(result.thumbnail))


@pytest.mark.parametrize("format", ["PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF", "AVIF", "ICO"])
def test_an_image_of_each_format(format: str, tmp_path: Path) -> None:  # noqa: A002
    result = run_here(making.image(format, (32, 32)), tmp_path / "picture")

    assert result.metadata | {"mode": ""} == {
        "format": format,
        "width": 32,
        "height": 32,
        "mode": "",
        "frames": 1,
        "orientation": 1,
    }
    assert picture_of(result).format == "WEBP"


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "I;16"])
def test_an_image_of_each_mode(mode: str, tmp_path: Path) -> None:
    image = making.picture((32, 32), "L" if mode == "I;16" else mode.replace("PA", "RGBA"))
    image = image.convert("P") if mode == "PA" else image.convert(mode)
    image.save(tmp_path / "saved.png", "PNG")

    result = run_here((tmp_path / "saved.png").read_bytes(), tmp_path / "picture")

    assert picture_of(result).size == (32, 32)


@pytest.mark.parametrize("mode", ["I;16", "I;16B"])
def test_a_large_scan_of_16_bits_has_its_greys(mode: str, tmp_path: Path) -> None:
    order: Literal["big", "little"] = "big" if mode == "I;16B" else "little"
    row = b"".join((level * 64).to_bytes(2, order) for level in range(1_000))
    Image.frombytes(mode, (1_000, 700), row * 700).save(tmp_path / "saved.tiff")

    result = run_here((tmp_path / "saved.tiff").read_bytes(), tmp_path / "scan")

    middle = picture_of(result).convert("L").getpixel((160, 100))
    assert isinstance(middle, int | float)
    assert 100 < middle < 150


def test_a_transparent_image_stays_transparent(tmp_path: Path) -> None:
    image = Image.new("RGBA", (32, 32), (255, 0, 0, 0))
    image.save(tmp_path / "saved.png")

    result = run_here((tmp_path / "saved.png").read_bytes(), tmp_path / "picture")

    assert picture_of(result).convert("RGBA").getpixel((5, 5))[3] == 0  # type: ignore[index]


def test_an_animation(tmp_path: Path) -> None:
    result = run_here(making.gif(5), tmp_path / "picture.gif")

    assert result.metadata["frames"] == 5
    assert getattr(picture_of(result), "n_frames", 1) == 1


def test_a_thumbnail_is_small(tmp_path: Path) -> None:
    result = run_here(making.jpeg((2_000, 500)), tmp_path / "picture.jpg")

    assert (result.metadata["width"], result.metadata["height"]) == (2_000, 500)
    assert picture_of(result).size == (320, 80)


@pytest.mark.parametrize(
    ("orientation", "red"),
    [
        (1, "left"),
        (2, "right"),
        (3, "right"),
        (4, "left"),
        (5, "top"),
        (6, "top"),
        (7, "bottom"),
        (8, "bottom"),
    ],
)
def test_a_thumbnail_stands_upright(orientation: int, red: str, tmp_path: Path) -> None:
    """The left half of the picture is red; where that is tells how it was turned."""
    result = run_here(making.jpeg((64, 48), orientation=orientation), tmp_path / "picture.jpg")

    picture = picture_of(result).convert("RGB")
    width, height = picture.size
    points = {
        "left": (5, height // 2),
        "right": (width - 5, height // 2),
        "top": (width // 2, 5),
        "bottom": (width // 2, height - 5),
    }
    reds = {side for side, point in points.items() if picture.getpixel(point)[0] > 200}  # type: ignore[index]
    assert result.metadata["orientation"] == orientation
    assert (width, height) == ((64, 48) if orientation < 5 else (48, 64))
    assert red in reds
    assert {"left": "right", "right": "left", "top": "bottom", "bottom": "top"}[red] not in reds


CORNERS = {1: "tl", 2: "tr", 3: "br", 4: "bl", 5: "tl", 6: "tr", 7: "br", 8: "bl"}
"""Where the stored top left corner is when the picture stands upright."""


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["JPEG", "TIFF", "PNG", "WEBP", "AVIF"])
def test_every_format_is_turned_once(format: str, orientation: int, tmp_path: Path) -> None:  # noqa: A002
    picture = Image.new("RGB", (400, 200), "white")
    picture.paste((255, 0, 0), (0, 0, 200, 100))
    exif = Image.Exif()
    exif[making.ORIENTATION] = orientation
    options: Any = {"tiffinfo": {274: orientation}} if format == "TIFF" else {"exif": exif}
    picture.save(tmp_path / "saved", format, **options)

    result = run_here((tmp_path / "saved").read_bytes(), tmp_path / "picture")

    found = [result.metadata[key] for key in ("width", "height", "orientation")]
    assert found == [400, 200, orientation]
    thumbnail = picture_of(result).convert("RGB")
    right, bottom = thumbnail.width - 9, thumbnail.height - 9
    corners = {"tl": (8, 8), "tr": (right, 8), "bl": (8, bottom), "br": (right, bottom)}
    reds = {name for name, at in corners.items() if thumbnail.getpixel(at)[1] < 128}  # type: ignore[index]
    assert reds == {CORNERS[orientation]}
    assert (thumbnail.width > thumbnail.height) == (orientation < 5)


@pytest.mark.parametrize("size", [(6_000, 4_000), (8_000, 6_000), (12_000, 9_000)])
def test_a_photo_is_shrunk_while_it_is_decoded(size: tuple[int, int], tmp_path: Path) -> None:
    out = io.BytesIO()
    Image.new("L", size, 128).save(out, "JPEG")

    result = run_in_child(out.getvalue(), tmp_path / "photo.jpg")

    assert (result.metadata["width"], result.metadata["height"]) == size
    assert picture_of(result).size == (320, 320 * size[1] // size[0])


def resized(content: bytes, width: int, height: int, marker: bytes) -> bytes:
    """Return a JPEG whose header claims another size."""
    start = content.index(marker) + 5
    return content[:start] + struct.pack(">HH", height, width) + content[start + 4 :]


def test_a_jpeg_that_takes_too_much_memory_is_refused(tmp_path: Path) -> None:
    baseline = resized(making.image("JPEG"), 15_000, 15_000, b"\xff\xc0")
    progressive = making.image("JPEG", progressive=True, subsampling=0)
    progressive = resized(progressive, 8_000, 8_000, b"\xff\xc2")

    for content in (baseline, progressive):
        with pytest.raises(Unprocessable, match=r"^The image has more than \d+ million pixels\.$"):
            run_here(content, tmp_path / "photo.jpg")


def bmp(bits: int, compression: int, masks: bytes = b"") -> bytes:
    header = struct.pack("<IiiHHIIiiII", 40, 4, 4, 1, bits, compression, 32, 0, 0, 0, 0)
    offset = 14 + len(header) + len(masks)
    return b"BM" + struct.pack("<IHHI", offset + 64, 0, 0, offset) + header + masks + bytes(64)


def webp_in_tiff() -> bytes:
    content = making.image("TIFF")
    entry = struct.pack("<HHIHH", 259, 3, 1, 1, 0)
    assert entry in content
    return content.replace(entry, struct.pack("<HHIHH", 259, 3, 1, 50001, 0))


@pytest.mark.parametrize(
    "content",
    [
        bmp(16, 3, struct.pack("<III", 0x0C00, 0x03E0, 0x001F)),
        bmp(2, 0),
        bmp(0, 4),
        webp_in_tiff(),
    ],
    ids=["16 bits", "2 bits", "JPEG in BMP", "WebP in TIFF"],
)
def test_a_variant_that_is_not_supported_is_not_called_broken(
    content: bytes, tmp_path: Path
) -> None:
    with pytest.raises(Unprocessable, match=r"^Images of this variant are not supported\.$"):
        run_here(content, tmp_path / "picture")


@pytest.mark.parametrize("orientation", [0, 9, 99, 60_000])
def test_an_orientation_that_there_is_not_is_none(orientation: int, tmp_path: Path) -> None:
    result = run_here(making.jpeg(orientation=orientation), tmp_path / "picture.jpg")

    assert result.metadata["orientation"] == 1


def test_an_orientation_may_be_a_fraction(tmp_path: Path) -> None:
    entry = (0x0112).to_bytes(2, "little") + b"\5\0\1\0\0\0\x1a\0\0\0"
    exif = b"Exif\0\0II*\0\x08\0\0\0\1\0" + entry + bytes(4) + b"\6\0\0\0\1\0\0\0"
    making.picture((64, 48), "RGB").save(tmp_path / "saved.jpg", exif=exif)

    result = run_in_child((tmp_path / "saved.jpg").read_bytes(), tmp_path / "picture.jpg")

    assert result.metadata["orientation"] == 6
    assert picture_of(result).size == (48, 64)


def test_a_thumbnail_tells_nothing_but_the_picture(tmp_path: Path) -> None:
    content = making.jpeg(place="at home")
    assert b"at home" in content

    result = run_here(content, tmp_path / "picture.jpg")

    assert result.thumbnail is not None
    assert b"at home" not in result.thumbnail
    assert b"EXIF" not in result.thumbnail
    assert "at home" not in str(result.metadata)


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "BMP", "TIFF"])
def test_an_image_that_is_cut_is_broken(format: str, tmp_path: Path) -> None:  # noqa: A002
    content = making.image(format, (200, 200))

    with pytest.raises(Unprocessable, match=r"^The image is broken\.$"):
        run_here(content[: len(content) // 2], tmp_path / "picture")


def test_a_file_that_is_away_is_no_broken_image(tmp_path: Path) -> None:
    from uploads.processors.image import process

    with pytest.raises(FileNotFoundError):
        process(tmp_path / "gone", "image/png")
