"""Makes the file names that clients send harmless. They are only shown, never used as a path."""

import unicodedata
from pathlib import PurePosixPath

MAX_LENGTH = 255  # characters, as in the database
DEFAULT_NAME = "file"


def clean(name: str) -> str:
    """Return `name` without folders, control characters and changes of the writing direction.

    A long name is cut before its extension.
    """
    name = unicodedata.normalize("NFC", name.replace("\\", "/").rsplit("/", 1)[-1])
    name = "".join(char if char.isprintable() else " " * char.isspace() for char in name)
    name = " ".join(name.split()).rstrip(". ")
    suffix = PurePosixPath(name).suffix
    if len(suffix) > 20:
        suffix = ""
    stem = name.removesuffix(suffix)[: MAX_LENGTH - len(suffix)].rstrip()
    return stem + suffix or DEFAULT_NAME
