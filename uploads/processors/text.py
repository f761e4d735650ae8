"""Text in any language: encoding, lines, words, characters. Memory use is constant."""

import re
import time
from dataclasses import dataclass, field
from pathlib import Path

from uploads.detection.encoding import SAMPLE_BYTES, detect_encoding
from uploads.processors.base import Result

CHUNK_CHARACTERS = 64 * 1024
WORD_SECONDS = 10.0
"""Processor time for counting words; if it takes longer, `words` is null."""
WORD = re.compile(r"\w+")
SHAPE = bytes(ord("w" if WORD.match(chr(code)) else " ") for code in range(128)) + bytes(128)
UTF_8 = {"ascii", "utf-8", "utf-8-sig"}


@dataclass
class Counts:
    """The counts so far. A line end counts as one character."""

    lines: int = 0
    words: int | None = 0
    characters: int = 0
    ascii: bool = True
    last: str = "\n"
    until: float = field(default_factory=lambda: time.process_time() + WORD_SECONDS)

    def add(self, chunk: str) -> None:
        self.lines += chunk.count("\n")
        if self.words is not None:
            cut = WORD.match(self.last) and WORD.match(chunk)  # a word across both chunks
            self.words += _count_words(chunk) - bool(cut)
            if time.process_time() > self.until:
                self.words = None
        self.characters += len(chunk)
        self.ascii = self.ascii and chunk.isascii()
        self.last = chunk[-1]


def process(path: Path, content_type: str) -> Result:
    with path.open("rb") as file:
        encoding = detect_encoding(file.read(SAMPLE_BYTES))
    try:
        counts, replaced = _count(path, encoding, "strict"), False
    except UnicodeDecodeError as error:
        if encoding == "ascii":  # only in the sample
            encoding = detect_encoding(error.object[error.start :])
        counts, replaced = _count(path, encoding, "replace"), True
    metadata = {
        "encoding": _encoding_name(encoding, counts),
        "lines": counts.lines + (counts.last != "\n"),
        "words": counts.words,
        "characters": counts.characters,
    }
    return Result(metadata | ({"unreadable_characters": True} if replaced else {}))


def _count(path: Path, encoding: str, errors: str) -> Counts:
    counts = Counts()
    with path.open(encoding="utf-8" if encoding == "ascii" else encoding, errors=errors) as file:
        while chunk := file.read(CHUNK_CHARACTERS):
            counts.add(chunk)
    return counts


def _count_words(text: str) -> int:
    if text.isascii():  # ten times as fast: a GB must not exceed the limit of time
        return (b" " + text.encode().translate(SHAPE)).count(b" w")
    return len(WORD.findall(text))


def _encoding_name(encoding: str, counts: Counts) -> str:
    if encoding in UTF_8:
        return "ascii" if counts.ascii and encoding == "ascii" else "utf-8"
    return encoding
