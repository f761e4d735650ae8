"""Tables: rows and columns of CSV, keys of JSON."""

import csv
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn, TextIO

from uploads.detection.encoding import SAMPLE_BYTES, detect_encoding, sample
from uploads.detection.tables import MAX_FIELD_CHARACTERS, is_blank, is_hint, split_rows
from uploads.processors.base import Result, Unprocessable, errors_as
from uploads.processors.base import gettext_noop as _

MAX_LINE_CHARACTERS = 4 * MAX_FIELD_CHARACTERS
YEAR = re.compile(r"(1[5-9]|20|21)\d\d")
TYPES = {dict: "object", list: "array", str: "string", bool: "boolean", type(None): "null"}


def process(path: Path, content_type: str) -> Result:
    return _json(path) if content_type == "application/json" else _csv(path)


def _csv(path: Path) -> Result:
    with path.open("rb") as binary:
        head = sample(binary)
    encoding = detect_encoding(head, whole=path.stat().st_size <= len(head))
    codec = "utf-8" if encoding.codec == "ascii" else encoding.codec
    with (
        errors_as(_("The table is broken.")),
        path.open(encoding=codec, errors="replace", newline="") as file,
    ):
        beginning = file.read(SAMPLE_BYTES)
        if len(beginning) == SAMPLE_BYTES:  # its last line is cut
            beginning = beginning[: beginning.rfind("\n") + 1] or beginning
        delimiter, first_rows = split_rows(beginning)
        file.seek(0)
        csv.field_size_limit(MAX_FIELD_CHARACTERS)
        rows, columns = _count(csv.reader(_lines(file), delimiter=delimiter))
    titles, header = _beginning([row for row in first_rows if not is_blank(row)])
    return Result(
        {
            "format": "csv",
            **replace(encoding, codec=codec).metadata,
            "delimiter": delimiter,
            "rows": rows - titles - bool(header),
            "columns": columns,
            "header": header,
        }
    )


def _count(rows: Iterator[list[str]]) -> tuple[int, int]:
    """Return the number of rows that are not empty, and of the fields in the longest one."""
    count = columns = 0
    try:
        for row in rows:
            if not is_blank(row):
                count += 1
                columns = max(columns, 0 if is_hint(row) else len(row))
    except csv.Error as error:
        raise Unprocessable(_("A field of the table is too long.")) from error
    return count, columns


def _lines(file: TextIO) -> Iterator[str]:
    """Yield the lines. Raises Unprocessable if one is too long."""
    while line := file.readline(MAX_LINE_CHARACTERS):
        if len(line) == MAX_LINE_CHARACTERS and not line.endswith("\n"):
            raise Unprocessable(_("A line of the table is too long."))
        yield line


def _beginning(rows: list[list[str]]) -> tuple[int, list[str] | None]:
    """Return how many rows stand before the table, and its header.

    rows: the first ones that are not empty.
    """
    start = int(bool(rows) and is_hint(rows[0]))
    widths = [len(row) for row in rows[start:]] or [0]
    usual = max(widths, key=widths.count)
    while start < len(rows) - 1 and _is_title(rows[start], rows[start + 1], usual):
        start += 1
    return start, _header(rows[start:])


def _is_title(row: list[str], following: list[str], usual: int) -> bool:
    """Return whether a row has one field, and the others of the table have more of them."""
    if usual < 2 or _filled(row) > 1:
        return False
    return len(row) < usual or (usual > 2 and bool(row[0].strip()) and _filled(following) > 1)


def _filled(row: list[str]) -> int:
    return sum(bool(field.strip()) for field in row)


def _header(rows: list[list[str]]) -> list[str] | None:
    """Return the first row if it names the columns, each differently.

    Numbers name columns only if words stand over numbers in others, or if they are years.
    """
    if len(rows) < 2:
        return None
    names = [field.strip() for field in rows[0]]
    given = [name for name in names if name]
    if not given or len(set(given)) < len(given) or len(given) < len(names) - 2:
        return None
    columns = list(zip(*(row for row in rows[1:] if len(row) == len(names)), strict=True))
    numeric = [any(column) and all(map(_is_number, filter(None, column))) for column in columns]
    is_over_numbers = any(
        is_numeric and name and not _is_number(name)
        for is_numeric, name in zip(numeric, names, strict=False)
    )
    numbers = [name for name in given if _is_number(name)]
    if not numbers or is_over_numbers:
        return names if is_over_numbers or len(given) >= len(names) - 1 else None
    return names if _are_years(numbers) and not _are_years(filter(_is_number, rows[1])) else None


def _are_years(numbers: Iterable[str]) -> bool:
    years = list(numbers)
    return len(years) > 1 and all(YEAR.fullmatch(year) for year in years)


def _is_number(word: str) -> bool:
    try:
        float(word.replace(",", "."))
    except ValueError:
        return False
    return True


def _json(path: Path) -> Result:
    # Numbers are not parsed: Python takes quadratic time for long ones.
    decoder = json.JSONDecoder(parse_int=len, parse_float=len, parse_constant=_reject_constant)
    with path.open("rb") as head:
        encoding = json.detect_encoding(head.read(4))
    try:
        with path.open(encoding=encoding) as file:
            value = decoder.decode(file.read().rstrip(" \r\n\t\0\x1a"))
    except json.JSONDecodeError as error:
        raise Unprocessable(
            _("Invalid JSON: error in line %(line)d, column %(column)d."),
            line=error.lineno,
            column=error.colno,
        ) from error
    except UnicodeDecodeError as error:
        raise Unprocessable(_("Invalid JSON: it is not in Unicode.")) from error
    return Result({"format": "json", **_shape(value)})


def _reject_constant(name: str) -> NoReturn:
    raise Unprocessable(_("Invalid JSON: %(name)s is not allowed."), name=name)


def _shape(value: Any) -> dict[str, Any]:
    shape: dict[str, Any] = {"type": TYPES.get(type(value), "number")}
    if isinstance(value, dict | list | str):
        shape["length"] = len(value)
    first = value[0] if isinstance(value, list) and value else value
    if isinstance(first, dict):
        shape["keys"] = list(first)[:50]
    return shape
