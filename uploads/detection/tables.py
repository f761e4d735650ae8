"""Tells tables, which are text, from other texts."""

import csv
import json
import re
from itertools import islice

from uploads.detection.tokens import skip

# JSON, as far as it goes.
OPENING = re.compile(r"\s*[\[{]")
TOKEN = re.compile(
    r"[\s{}\[\],:]+|\"(?:[^\"\\]|\\.)*\"|-?[0-9][0-9.eE+-]*|true|false|null|NaN|-?Infinity", re.S
)
CUT = re.compile(r"(?:\"(?:[^\"\\]|\\.)*\\?|[a-zA-Z-]{1,8})?\Z", re.S)  # a token without its end
DELIMITERS = ",;\t|"
FIELD_CHARACTERS = 1_000_000
"""No longer field of a table is read."""


def looks_like_json(text: str, *, whole: bool, named: bool) -> bool:
    """Tell whether a text that begins like this (`whole`: and ends) is meant to be JSON."""
    if named and text.lstrip("\ufeff \t\r\n")[:1] in {"{", "["}:
        return True
    if not whole:
        if not OPENING.match(text) or ends(text):
            return False
        return CUT.match(text, skip(TOKEN, text)) is not None
    if not named and text.lstrip()[:1] not in {"{", "["}:
        return False  # a number or a word is a text
    try:
        json.loads(text.removeprefix("\ufeff"))
    except ValueError:
        return False
    except RecursionError:
        pass
    return True


def ends(text: str) -> bool:
    """Tell whether a first value of JSON ends in `text`, and more follows: a value in each line."""
    try:
        _value, end = json.JSONDecoder().raw_decode(text.lstrip())
    except (ValueError, RecursionError):  # it is cut, or too deep to tell
        return False
    return bool(text.lstrip()[end:].strip())


def looks_like_csv(text: str, *, whole: bool) -> bool:
    """Tell whether these are rows of a table; commas in prose, or in lines of JSON, are not."""
    if OPENING.match(text):
        return False
    delimiter, rows = split(text if whole else text[: text.rfind("\n") + 1])
    widths = {len(row) for row in rows if row}
    return len(widths) == 1 and len(rows) > 2 and max(widths) > (2 if delimiter == "," else 1)


def split(sample: str) -> tuple[str, list[list[str]]]:
    """Return the likeliest delimiter of a table and its first rows.

    It is the one that cuts the most rows alike. `csv.Sniffer` takes letters for delimiters.
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
