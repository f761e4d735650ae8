"""What is found out about tables, archives and anything else."""

import json
from pathlib import Path

import pytest

from tests.support import files as making
from tests.uploads.run_processor import run_here, run_in_child
from uploads.processors import other
from uploads.processors.base import Unprocessable


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_table(delimiter: str, encoding: str, tmp_path: Path) -> None:
    content = making.table(4, delimiter, encoding)

    assert run_here(content, tmp_path / "table.csv").metadata == {
        "format": "csv",
        "encoding": encoding.removesuffix("-sig"),
        "delimiter": delimiter,
        "rows": 4,
        "columns": 3,
        "header": ["name", "size", "price"],
    }


@pytest.mark.parametrize(
    ("content", "rows", "columns", "header"),
    [
        (b"1,2\n3,4\n", 2, 2, None),
        (b'a,b\n"1,5","two\nlines"\n\n', 1, 2, ["a", "b"]),
        (b"a,a\n1,2\n", 2, 2, None),
        (b"a,\n1,2\n", 2, 2, None),
        (b"alone", 1, 1, None),
        (b"name\nAda\nEve\n", 2, 1, ["name"]),
        (b"a,b\n1,2,3\n", 1, 3, ["a", "b"]),
        ("имя;рост\nОн;1,6\n".encode("cp1251"), 1, 2, ["имя", "рост"]),  # noqa: RUF001
    ],
)
def test_rows_columns_and_header(
    content: bytes, rows: int, columns: int, header: list[str] | None, tmp_path: Path
) -> None:
    found = run_here(content, tmp_path / "table.csv").metadata

    assert (found["rows"], found["columns"], found["header"]) == (rows, columns, header)


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ({"a": 1, "b": 2}, {"type": "object", "length": 2, "keys": ["a", "b"]}),
        ([{"a": 1}, {"b": 1}], {"type": "array", "length": 2, "keys": ["a"]}),
        ([1, 2.5, None], {"type": "array", "length": 3}),
        ([], {"type": "array", "length": 0}),
        ("text", {"type": "string", "length": 4}),
        (True, {"type": "boolean"}),
        (None, {"type": "null"}),
        (12, {"type": "number"}),
        (int("9" * 4_000), {"type": "number"}),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_json(value: object, found: dict[str, object], encoding: str, tmp_path: Path) -> None:
    content = json.dumps(value).encode(encoding)

    assert run_here(content, tmp_path / "value.json").metadata == {"format": "json", **found}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b'{"a": 1,\n "b" 2}', "Invalid JSON: error in line 2, column 6."),
        (b"[NaN]", "Invalid JSON: NaN is not allowed."),
        (b'{"a": -Infinity}', "Invalid JSON: -Infinity is not allowed."),
        (b'["\xef\xf0"]', "Invalid JSON: it is not in Unicode."),
    ],
)
def test_what_is_wrong_with_json(content: bytes, reason: str, tmp_path: Path) -> None:
    with pytest.raises(Unprocessable) as raised:
        run_here(content, tmp_path / "value.json")

    assert str(raised.value) == reason


def test_a_key_of_json_may_be_of_any_length(tmp_path: Path) -> None:
    content = json.dumps({"k" * 3_000_000: 1}).encode()
    assert run_in_child(content, tmp_path / "long.json").metadata["keys"] == ["k" * 1_000]


def test_an_archive(tmp_path: Path) -> None:
    found = run_here(making.archive(), tmp_path / "archive.zip").metadata

    assert found.pop("compressed_size") < 100
    assert found == {
        "entries": 2,
        "uncompressed_size": 1_001,
        "names": ["a.txt", "b/c.txt"],
        "unsafe_names": 0,
        "encrypted": False,
    }


def test_names_that_lead_out_of_an_archive_are_counted(tmp_path: Path) -> None:
    names = ["../a", "/etc/passwd", "C:\\a", "a\\..\\b", "a/..", "..a", "a..b", "a/b"]
    content = making.archive(dict.fromkeys(names, b"x"))

    found = run_here(content, tmp_path / "archive.zip").metadata

    assert (found["entries"], found["unsafe_names"]) == (8, 5)


def test_an_archive_with_a_wrong_check_sum_is_broken(tmp_path: Path) -> None:
    content = bytearray(making.archive({"a": b"abc" * 100}))
    content[33] ^= 0xFF

    with pytest.raises(Unprocessable, match=r"^The archive is broken\.$"):
        run_here(bytes(content), tmp_path / "archive.zip")


def test_encrypted_entries_and_unknown_packing_are_no_faults(tmp_path: Path) -> None:
    content = bytearray(making.archive({"a": b"abc", "b": b"abc"}))
    directory = content.index(b"PK\x01\x02")
    content[directory + 8] |= 1  # the first one is encrypted
    second = content.index(b"PK\x01\x02", directory + 1)
    content[second + 10] = 97  # WavPack

    found = run_here(bytes(content), tmp_path / "archive.zip").metadata

    assert found["encrypted"] is True


def test_anything_else(tmp_path: Path) -> None:
    path = tmp_path / "anything"
    path.write_bytes(bytes(100))

    found = other.process(path, "application/x-tar").metadata

    assert found == {"content_type": "application/x-tar", "size": 100}
