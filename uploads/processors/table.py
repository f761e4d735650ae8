"""Tables: rows and columns of CSV, keys of JSON."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn, TextIO

from uploads.detection.encoding import SAMPLE_BYTES, encoding_of
from uploads.detection.tables import FIELD_CHARACTERS, split
from uploads.processors.base import Result, Unprocessable, blaming
from uploads.processors.base import gettext_noop as _

TYPES = {dict: "object", list: "array", str: "string", bool: "boolean", type(None): "null"}


def process(path: Path, content_type: str) -> Result:
    return _json(path) if content_type == "application/json" else _csv(path)


def _csv(path: Path) -> Result:
    with path.open("rb") as file:
        encoding = encoding_of(file.read(SAMPLE_BYTES))
    if encoding == "ascii":  # as far as it was looked at
        encoding = "utf-8"
    with (
        blaming(_("The table is broken.")),
        path.open(encoding=encoding, errors="replace", newline="") as file,
    ):
        sample = file.read(SAMPLE_BYTES)
        delimiter, first = split(sample[: sample.rfind("\n") + 1] or sample)
        file.seek(0)
        csv.field_size_limit(FIELD_CHARACTERS)
        rows, columns = _measured(csv.reader(_lines(file), delimiter=delimiter))
    header = _header(first)
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


def _measured(rows: Iterator[list[str]]) -> tuple[int, int]:
    """Return how many rows there are that are not empty, and the fields of the longest one."""
    count = columns = 0
    try:
        for row in rows:
            count += bool(row)
            columns = max(columns, len(row))
    except csv.Error as error:
        raise Unprocessable(_("A field of the table is too long.")) from error
    return count, columns


def _lines(file: TextIO) -> Iterator[str]:
    """Yield the lines. Raises Unprocessable about one that is too long for the memory."""
    while line := file.readline(FIELD_CHARACTERS * 4):
        if len(line) == FIELD_CHARACTERS * 4 and not line.endswith("\n"):
            raise Unprocessable(_("A line of the table is too long."))
        yield line


def _header(rows: list[list[str]]) -> list[str] | None:
    """Return the names of the columns, if the first row has words only, each once."""
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
    # Numbers are not looked at: the longest takes Python quadratic time.
    decoder = json.JSONDecoder(parse_int=len, parse_float=len, parse_constant=_no_constant)
    try:
        with path.open(encoding=_json_encoding(path)) as file:
            value = decoder.decode(file.read())
    except json.JSONDecodeError as error:
        raise Unprocessable(
            _("It is no JSON: something is wrong in line %(line)d, column %(column)d."),
            line=error.lineno,
            column=error.colno,
        ) from error
    except UnicodeDecodeError as error:
        raise Unprocessable(_("It is no JSON: it is not in Unicode.")) from error
    return Result({"format": "json", **_shape(value)})


def _json_encoding(path: Path) -> str:
    with path.open("rb") as file:
        return json.detect_encoding(file.read(4))


def _no_constant(name: str) -> NoReturn:
    raise Unprocessable(_("It is no JSON: %(name)s is not a number there."), name=name)


def _shape(value: Any) -> dict[str, Any]:
    shape: dict[str, Any] = {"type": TYPES.get(type(value), "number")}
    if isinstance(value, dict | list | str):
        shape["length"] = len(value)
    first = value[0] if isinstance(value, list) and value else value
    if isinstance(first, dict):
        shape["keys"] = list(first)[:50]
    return shape
