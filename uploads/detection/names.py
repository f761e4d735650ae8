"""Reads file names whose encoding nothing says: in ZIPs, and in the headers of uploads."""

import re
from contextlib import suppress

from uploads.detection.encoding import guess_among

CP437 = "cp437"
KATAKANA = re.compile(r"[\u30a1-\u30fc]{2}")
LATIN = re.compile(r"[\0-\x7f\xc0-\xff\xaa\xba]+")
UNLIKELY = re.compile(r"[\xc0-\xff]{3}|[\xdf-\xff][\xc0-\xde]")
"""Letters as no language of Western Europe has them: these are other letters."""
EAST_ASIAN = ("cp932", "gb18030", "cp949", "big5hkscs", "euc_jis_2004")
DOS = ("cp866", "cp850", "cp852", "cp737", "cp857", "cp862")
WINDOWS = ("cp1250", "cp1251", "cp1252", "cp1253")
"""Of systems on which ZIPs are packed, and browsers run; by chardet's names."""


def zip_names_encoding(names: bytes) -> str:
    """Return the likeliest encoding of names in a ZIP: cp437 is its own, others are frequent."""
    return _likeliest(names, CP437, (*DOS, *EAST_ASIAN, *WINDOWS, "koi8-r"))


def header_encoding(header: bytes) -> str:
    """Return the likeliest encoding of a header with a file name."""
    return _likeliest(header, "cp1252", (*WINDOWS, *EAST_ASIAN, "koi8-r", "cp866"))


def _likeliest(names: bytes, western: str, others: tuple[str, ...]) -> str:
    with suppress(UnicodeDecodeError):
        names.decode()
        return "utf-8"
    with suppress(UnicodeDecodeError):
        if KATAKANA.search(names.decode("cp932")):
            return "cp932"
    text = names.decode(western, "replace")
    if LATIN.fullmatch(text) and not UNLIKELY.search(text):
        return western
    return guess_among(names, others) or western
