"""Texts of any language: encoding, lines, words, characters. Memory stays flat."""

import re
import time
from dataclasses import dataclass, field
from pathlib import Path

from uploads.detection.encoding import SAMPLE_BYTES, encoding_of
from uploads.processors.base import Result

CHUNK_CHARACTERS = 64 * 1024
WORD_SECONDS = 10.0
"""Of a processor's time. What takes longer is not worth it: the words are not told."""
WORD = re.compile(r"\w+")
SHAPE = bytes(ord("w" if WORD.match(chr(code)) else " ") for code in range(128)) + bytes(128)
UTF_8 = {"ascii", "utf-8", "utf-8-sig"}


@dataclass
class Counts:
    """What has been counted so far. The ends of lines are one character each."""

    lines: int = 0
    words: int | None = 0
    characters: int = 0
    ascii: bool = True
    last: str = "\n"
    until: float = field(default_factory=lambda: time.process_time() + WORD_SECONDS)

    def add(self, chunk: str) -> None:
        self.lines += chunk.count("\n")
        if self.words is not None:
            cut = WORD.match(self.last) and WORD.match(chunk)  # one word, cut in two
            self.words += _words(chunk) - bool(cut)
            if time.process_time() > self.until:
                self.words = None
        self.characters += len(chunk)
        self.ascii = self.ascii and chunk.isascii()
        self.last = chunk[-1]


def process(path: Path, content_type: str) -> Result:
    with path.open("rb") as file:
        encoding = encoding_of(file.read(SAMPLE_BYTES))
    try:
        counts, replaced = _counted(path, encoding, "strict"), False
    except UnicodeDecodeError as error:
        if encoding == "ascii":  # as far as it was looked at
            encoding = encoding_of(error.object[error.start :])
        counts, replaced = _counted(path, encoding, "replace"), True
    metadata = {
        "encoding": _named(encoding, counts),
        "lines": counts.lines + (counts.last != "\n"),
        "words": counts.words,
        "characters": counts.characters,
    }
    return Result(metadata | ({"unreadable_characters": True} if replaced else {}))


def _counted(path: Path, encoding: str, errors: str) -> Counts:
    counts = Counts()
    with path.open(encoding="utf-8" if encoding == "ascii" else encoding, errors=errors) as file:
        while chunk := file.read(CHUNK_CHARACTERS):
            counts.add(chunk)
    return counts


def _words(text: str) -> int:
    if text.isascii():  # ten times as fast: a GB of it must not take longer than is allowed
        return (b" " + text.encode().translate(SHAPE)).count(b" w")
    return len(WORD.findall(text))


def _named(encoding: str, counts: Counts) -> str:
    if encoding in UTF_8:
        return "ascii" if counts.ascii and encoding == "ascii" else "utf-8"
    return encoding
