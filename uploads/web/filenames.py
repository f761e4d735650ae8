"""What a client calls a file, made harmless. It is shown to people, and never a path of ours."""

import unicodedata
from pathlib import PurePosixPath

LONGEST = 255
"""Characters; so many has the column."""
NAMELESS = "file"


def clean(name: str) -> str:
    """Return `name` without folders, controls and what turns the direction of writing.

    One that is too long is cut before its extension.
    """
    name = unicodedata.normalize("NFC", name.replace("\\", "/").rsplit("/", 1)[-1])
    name = "".join(letter if is_shown(letter) else " " * letter.isspace() for letter in name)
    name = " ".join(name.split()).rstrip(". ")
    suffix = PurePosixPath(name).suffix
    if len(suffix) > 20:
        suffix = ""
    stem = name.removesuffix(suffix)[: LONGEST - len(suffix)].rstrip()
    return stem + suffix or NAMELESS


def is_shown(letter: str) -> bool:
    """Return whether it is neither a control nor the end of a line, as Unicode sees it."""
    return unicodedata.category(letter)[0] != "C" and unicodedata.category(letter) not in (
        "Zl",
        "Zp",
    )
