"""Detects JSON and CSV in text."""

import csv
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
    widths = {len(row) for row in rows if row}
    return len(widths) == 1 and len(rows) > 2 and max(widths) > (2 if delimiter == "," else 1)


def split_rows(sample: str) -> tuple[str, list[list[str]]]:
    """Return the likeliest delimiter of a table, and its first rows.

    With that delimiter most rows have the same width. `csv.Sniffer` takes letters for delimiters.
    """
    best = (0.0, 0, ",", list[list[str]]())
    for delimiter in DELIMITERS:
        try:
            lines = sample.splitlines(keepends=True)
            rows = list(islice(csv.reader(lines, delimiter=delimiter), 50))
        except csv.Error:
            continue
        widths = [len(row) for row in rows if row] or [0]
        usual = max(widths, key=widths.count)
        score = (widths.count(usual) / len(widths) if usual > 1 else 0.0, usual)
        if score > best[:2]:
            best = (*score, delimiter, rows)
    return best[2], best[3]
