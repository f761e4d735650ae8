"""Text in any language: encoding, lines, words, characters. Memory use is constant."""

import re
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

from uploads.detection.encoding import (
    END_OF_FILE,
    SAMPLE_BYTES,
    Encoding,
    detect_encoding,
    sample,
    wider,
)
from uploads.processors.base import Result, import_all

CHUNK_CHARACTERS = 64 * 1024
BLOCK = 128
"""CP/M fills the last one with 0x1A."""
WORD_SECONDS = 10.0
"""Processor time for counting words; if it takes longer, `words` is null."""
WORD = re.compile(r"\w+")
SHAPE = bytes(ord("w" if WORD.match(chr(code)) else " ") for code in range(128)) + bytes(128)
ASCII_OR_UTF_8 = {"ascii", "utf-8"}


@dataclass
class Counts:
    """The counts so far. A line end counts as one character."""

    lines: int = 0
    words: int | None = 0
    characters: int = 0
    ascii: bool = True
    tail: str = "\n"
    until: float = field(default_factory=lambda: time.process_time() + WORD_SECONDS)

    def add(self, chunk: str) -> None:
        self.lines += chunk.count("\n")
        if self.words is not None:
            cut = WORD.match(self.tail[-1]) and WORD.match(chunk)  # a word across both chunks
            self.words += _count_words(chunk) - bool(cut)
            if time.process_time() > self.until:
                self.words = None
        self.characters += len(chunk)
        self.ascii = self.ascii and chunk.isascii()
        self.tail = (self.tail + chunk)[-BLOCK:]

    def end(self) -> None:
        """Leave out what DOS and CP/M append to a text."""
        text = self.tail.rstrip(END_OF_FILE.decode())
        self.characters -= len(self.tail) - len(text)
        self.tail = text or "\n"


def preload() -> None:
    import_all("encodings")
    detect_encoding("Привет".encode("cp1251"))  # loads the models of chardet


def process(path: Path, content_type: str) -> Result:
    with path.open("rb") as file:
        head = sample(file)
    encoding = detect_encoding(head, whole=path.stat().st_size <= len(head))
    counts, encoding, replaced = _read(path, encoding)
    if encoding.codec in ASCII_OR_UTF_8 and not counts.ascii:
        encoding = replace(encoding, codec="utf-8")
    metadata = {
        **encoding.metadata,
        "lines": counts.lines + (counts.tail[-1] != "\n"),
        "words": counts.words,
        "characters": counts.characters,
    }
    return Result(metadata | ({"unreadable_characters": True} if replaced else {}))


def _read(path: Path, encoding: Encoding) -> tuple[Counts, Encoding, bool]:
    """Count in the first encoding that reads all of it; else with characters replaced."""
    try:
        return _count(path, encoding.codec, "strict"), encoding, False
    except UnicodeError as error:
        other = _other_encoding(path, encoding, error)
    try:
        return _count(path, other.codec, "strict"), other, False
    except UnicodeError:
        return _count(path, other.codec, "replace"), other, True


def _other_encoding(path: Path, encoding: Encoding, error: UnicodeError) -> Encoding:
    """Return the next encoding to try, after one that only reads the beginning of the file."""
    if (wide := wider(encoding.codec)) and wide != "utf-8":
        return replace(encoding, codec=wide)
    if isinstance(error, UnicodeDecodeError) and len(error.object) > 4:  # not only its cut end
        around = error.object[max(0, error.start - SAMPLE_BYTES // 2) :][:SAMPLE_BYTES]
        if encoding.codec != "utf-8" or not _is_mostly_utf8(around):
            with path.open("rb") as file:
                found = detect_encoding(file.read(1_024) + around)
            return found if found.codec != encoding.codec else encoding
    return encoding


def _is_mostly_utf8(text: bytes) -> bool:
    """Return whether a few bytes are broken, in a text that has many letters of UTF-8."""
    letters = sum(ord(char) > 127 for char in text.decode("utf-8", "ignore"))
    broken = text.decode("utf-8", "replace").count("\ufffd")
    return letters > 4 * broken


def _count(path: Path, codec: str, errors: str) -> Counts:
    counts = Counts()
    with path.open(encoding="utf-8" if codec == "ascii" else codec, errors=errors) as file:
        while chunk := file.read(CHUNK_CHARACTERS):
            counts.add(chunk)
    counts.end()
    return counts


def _count_words(text: str) -> int:
    if text.isascii():  # ten times as fast: a GB must not exceed the limit of time
        return (b" " + text.encode().translate(SHAPE)).count(b" w")
    return len(WORD.findall(text))
