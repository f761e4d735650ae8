"""Tables: rows and columns of CSV, keys of JSON."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn, TextIO

from uploads.detection.encoding import SAMPLE_BYTES, detect_encoding
from uploads.detection.tables import MAX_FIELD_CHARACTERS, split_rows
from uploads.processors.base import Result, Unprocessable, errors_as
from uploads.processors.base import gettext_noop as _

MAX_LINE_CHARACTERS = 4 * MAX_FIELD_CHARACTERS
TYPES = {dict: "object", list: "array", str: "string", bool: "boolean", type(None): "null"}


def process(path: Path, content_type: str) -> Result:
    return _json(path) if content_type == "application/json" else _csv(path)


def _csv(path: Path) -> Result:
    with path.open("rb") as file:
        encoding = detect_encoding(file.read(SAMPLE_BYTES))
    if encoding == "ascii":  # only in the sample
        encoding = "utf-8"
    with (
        errors_as(_("The table is broken.")),
        path.open(encoding=encoding, errors="replace", newline="") as file,
    ):
        sample = file.read(SAMPLE_BYTES)
        delimiter, first_rows = split_rows(sample[: sample.rfind("\n") + 1] or sample)
        file.seek(0)
        csv.field_size_limit(MAX_FIELD_CHARACTERS)
        rows, columns = _count(csv.reader(_lines(file), delimiter=delimiter))
    header = _header(first_rows)
    return Result(
        {
            "format": "csv",
            "encoding": "utf-8" if encoding == "utf-8-sig" else encoding,
            "delimiter": delimiter,
            "rows": rows - bool(header),
            "columns": columns,
            "header": header,
        }
    )


def _count(rows: Iterator[list[str]]) -> tuple[int, int]:
    """Return the number of rows that are not empty, and of the fields in the longest one."""
    count = columns = 0
    try:
        for row in rows:
            count += bool(row)
            columns = max(columns, len(row))
    except csv.Error as error:
        raise Unprocessable(_("A field of the table is too long.")) from error
    return count, columns


def _lines(file: TextIO) -> Iterator[str]:
    """Yield the lines. Raises Unprocessable if one is too long."""
    while line := file.readline(MAX_LINE_CHARACTERS):
        if len(line) == MAX_LINE_CHARACTERS and not line.endswith("\n"):
            raise Unprocessable(_("A line of the table is too long."))
        yield line


def _header(rows: list[list[str]]) -> list[str] | None:
    """Return the first row as the header, if it has only words and each of them once."""
    first = rows[0] if len(rows) > 1 else []
    words = [field.strip() for field in first]
    if not words or len(set(words)) < len(words):
        return None
    return None if any(not word or _is_number(word) for word in words) else words


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
            value = decoder.decode(file.read())
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
