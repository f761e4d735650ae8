"""Detects JSON and CSV in text."""

import csv
import io
import json
import re
from itertools import islice

from uploads.detection.tokens import skip

JSON_START = re.compile(r"\s*[\[{]")
JSON_TOKEN = re.compile(
    r"[\s{}\[\],:]+|\"(?:[^\"\\]|\\.)*\"|-?[0-9][0-9.eE+-]*|true|false|null|NaN|-?Infinity", re.S
)
CUT_JSON_TOKEN = re.compile(r"(?:\"(?:[^\"\\]|\\.)*\\?|[a-zA-Z-]{1,8})?\Z", re.S)
DELIMITERS = ",;\t|"
HINT = re.compile(r"\ufeff?sep=(.)(?=[\r\n])", re.I)
"""The delimiter, as Excel writes it into a first line of its own."""
MAX_FIELD_CHARACTERS = 1_000_000


def looks_like_json(text: str, *, whole: bool, named: bool) -> bool:
    """Return whether the text is meant to be JSON.

    whole: False if `text` is only its beginning. named: whether the file is called `.json`.
    """
    if named and text.lstrip("\ufeff \t\r\n")[:1] in {"{", "["}:
        return True
    if not whole:
        if not JSON_START.match(text) or _is_json_lines(text):
            return False
        return CUT_JSON_TOKEN.match(text, skip(JSON_TOKEN, text)) is not None
    if not named and text.lstrip()[:1] not in {"{", "["}:
        return False  # a single number or word
    try:
        json.loads(text.removeprefix("\ufeff"))
    except ValueError:
        return False
    except RecursionError:
        pass
    return True


def _is_json_lines(text: str) -> bool:
    """Return whether more follows after a first JSON value."""
    try:
        _value, end = json.JSONDecoder().raw_decode(text.lstrip())
    except (ValueError, RecursionError):  # cut or nested too deeply
        return False
    return bool(text.lstrip()[end:].strip())


def looks_like_csv(text: str, *, whole: bool) -> bool:
    """Return whether the text is a table, not prose with commas or lines of JSON."""
    if JSON_START.match(text):
        return False
    delimiter, rows = split_rows(text if whole else text[: text.rfind("\n") + 1])
    widths = {len(row) for row in rows if not is_blank(row)}
    return len(widths) == 1 and len(rows) > 2 and max(widths) > (2 if delimiter == "," else 1)


def split_rows(sample: str) -> tuple[str, list[list[str]]]:
    """Return the likeliest delimiter of a table, and its first rows.

    With that delimiter most rows have the same width. `csv.Sniffer` takes letters for delimiters.
    """
    if hint := HINT.match(sample):
        return hint[1], _read_rows(sample, hint[1]) or []
    best = (0.0, 0, ",", list[list[str]]())
    for delimiter in DELIMITERS:
        if (rows := _read_rows(sample, delimiter)) is None:
            continue
        widths = [len(row) for row in rows if not is_blank(row)] or [0]
        usual = max(widths, key=widths.count)
        score = (widths.count(usual) / len(widths) if usual > 1 else 0.0, usual)
        if score > best[:2]:
            best = (*score, delimiter, rows)
    return best[2], best[3]


def _read_rows(sample: str, delimiter: str) -> list[list[str]] | None:
    try:
        return list(islice(csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter), 50))
    except csv.Error:
        return None


def is_blank(row: list[str]) -> bool:
    """Return whether a row is an empty line, or what DOS ends a text with."""
    return not row or (len(row) == 1 and not row[0].strip(" \t\0\x1a\ufeff"))


def is_hint(row: list[str]) -> bool:
    """Return whether a row tells Excel the delimiter."""
    return bool(row) and row[0].lstrip("\ufeff").lower() == "sep=" and not any(row[1:])
