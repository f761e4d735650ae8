"""What is found out about tables, archives and anything else."""

import json
import struct
import zlib
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
        "encoding_source": "content" if encoding == "utf-8" else "mark",
        "encoding_confidence": 1.0,
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
        (b"a,\n1,2\n", 1, 2, ["a", ""]),
        (b"alone", 1, 1, None),
        (b"name\nAda\nEve\n", 2, 1, ["name"]),
        (b"a,b\n1,2,3\n", 1, 3, ["a", "b"]),
        (b"name,age\nann,3", 1, 2, ["name", "age"]),
        (b",name,age\n0,ann,3\n1,bob,4\n", 2, 3, ["", "name", "age"]),
        (b"name,age,\nann,3,\nbob,4,\n", 2, 3, ["name", "age", ""]),
        (b"sep=;\r\nname;age\r\nann;3\r\nbob;4\r\n", 2, 2, ["name", "age"]),
        (b"\xef\xbb\xbfsep=,\r\nname,price\r\nann,3\r\n", 1, 2, ["name", "price"]),
        (b"sep=\t\nname\tage\nann\t3\n", 1, 2, ["name", "age"]),
        (b"\n\nname,age\nann,3\nbob,4\n", 2, 2, ["name", "age"]),
        (b"Sales of 2020\n\nname,age\nann,3\nbob,4\n", 2, 2, ["name", "age"]),
        (b"Sales,,\nname,age,city\nann,3,Rome\nbob,4,Oslo\n", 2, 3, ["name", "age", "city"]),
        (b"country,1990,1991\nA,1,2\nB,3,4\n", 2, 3, ["country", "1990", "1991"]),
        (b",2019,2020\nA,1,2\nB,3,4\n", 2, 3, ["", "2019", "2020"]),
        (b"name,2020,total\nA,1,2\nB,3,4\n", 2, 3, ["name", "2020", "total"]),
        (b"A,1,2\nB,3,4\nC,5,6\n", 3, 3, None),
        (b"A,1990,1991\nB,1985,2001\nC,1999,2003\n", 3, 3, None),
        (b"name,age\r\nann,3\r\nbob,4\r\n\x1a", 2, 2, ["name", "age"]),
        (b"name,age\rann,3\rbob,4\r", 2, 2, ["name", "age"]),
        (b"name,age\nann,3\r\nbob,4\r", 2, 2, ["name", "age"]),
        (b"name,age\nan\0n,3\nbob,4\n", 2, 2, ["name", "age"]),
        (b"name,note\nann,a\x0bb\x85\nbob,c\x0cd\n", 2, 2, ["name", "note"]),
        ("имя;рост\nОн;1,6\n".encode("cp1251"), 1, 2, ["имя", "рост"]),
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


def test_json_that_dos_or_an_old_editor_wrote(tmp_path: Path) -> None:
    """DEL is a character like others; DOS ends a text with 0x1A."""
    for content in (b'["a\x7fb"]', b'["a"]\r\n\x1a'):
        found = run_here(content, tmp_path / "old.json").metadata
        assert (found["format"], found["length"]) == ("json", 1)


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


def zip_with_names(*names: bytes, extra: bytes = b"", flags: int = 0) -> bytes:
    """Return a ZIP whose names are these bytes."""
    out, directory = bytearray(), b""
    for name in names:
        crc, sizes = zlib.crc32(b"hello"), (5, 5, len(name), len(extra))
        common = struct.pack("<HHHHIIIHH", flags, 0, 0, 33, crc, *sizes)
        place = struct.pack("<HHHII", 0, 0, 0, 0, len(out))
        directory += b"PK\1\2" + struct.pack("<HH", 20, 20) + common + place + name + extra
        out += b"PK\3\4" + struct.pack("<H", 20) + common + name + extra + b"hello"
    count = (len(names), len(names), len(directory), len(out))
    return bytes(out) + directory + b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, *count, 0)


@pytest.mark.parametrize(
    ("names", "encoding"),
    [
        (["Отчёт за март.txt", "Договор.doc"], "cp866"),
        (["Новая папка/Привет.txt"], "cp866"),
        (["Документы/Фото с моря.jpg"], "cp1251"),
        (["Отчёт.txt", "über.txt"], "utf-8"),
        (["Größe der Äpfel.doc", "Müller.txt"], "cp437"),
        (["Été à la plage.jpg"], "cp437"),
        (["新しいフォルダー/メモ.txt", "日本語.txt"], "cp932"),
        (["テスト.txt"], "cp932"),
        (["新建文件夹/文件.txt", "报告.doc"], "gbk"),
        (["새 폴더/사진.jpg"], "cp949"),
        (["plain.txt"], "ascii"),
    ],
)
def test_names_in_an_archive_are_readable(names: list[str], encoding: str, tmp_path: Path) -> None:
    content = zip_with_names(*(name.encode(encoding) for name in names))

    found = run_here(content, tmp_path / "archive.zip").metadata

    assert (found["names"], found["entries"]) == (names, len(names))


def test_an_archive_may_tell_its_names_in_unicode(tmp_path: Path) -> None:
    flagged = zip_with_names("Ёлка.txt".encode(), flags=0x800)
    name = "Ёлка.txt".encode()
    field = struct.pack("<HHBI", 0x7075, 5 + len(name), 1, zlib.crc32(b"????.txt")) + name
    beside = zip_with_names(b"????.txt", extra=field)

    for content in (flagged, beside):
        assert run_here(content, tmp_path / "a.zip").metadata["names"] == ["Ёлка.txt"]


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
