"""What is found out about texts and PDFs."""

from pathlib import Path

import pytest

from tests.support import files as making
from tests.uploads.run_processor import run_here
from uploads.processors import pdf
from uploads.processors import text as texts
from uploads.processors.base import Unprocessable


def text(content: bytes, tmp_path: Path) -> dict[str, object]:
    return run_here(content, tmp_path / "notes.txt").metadata


@pytest.mark.parametrize(
    ("encoding", "named"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8"),
        ("utf-16", "utf-16"),
        ("utf-32", "utf-32"),
        ("cp1251", "cp1251"),
        ("koi8-r", "koi8_r"),
        ("cp866", "cp866"),
    ],
)
def test_a_text_in_each_encoding(encoding: str, named: str, tmp_path: Path) -> None:
    assert text(making.RUSSIAN.encode(encoding), tmp_path) == {
        "encoding": named,
        "lines": 2,
        "words": 10,
        "characters": len(making.RUSSIAN),
    }


def test_other_languages(tmp_path: Path) -> None:
    french = "Élève français, où est le garçon ?\n".encode("cp1252")
    japanese = ("これは日本語のテキストです。漢字も含みます。\n" * 3).encode("shift_jis")

    assert text(making.ENGLISH.encode(), tmp_path)["encoding"] == "ascii"
    assert text(french, tmp_path) == {
        "encoding": "cp1252", "lines": 1, "words": 6, "characters": 35
    }  # fmt: skip
    assert text(japanese, tmp_path)["encoding"] == "cp932"


@pytest.mark.parametrize(
    ("content", "lines", "words"),
    [
        (b"one line", 1, 2),
        (b"one\r\ntwo\r\n", 2, 2),
        (b"one\rtwo\rthree", 3, 3),
        (b"\n\n\n", 3, 0),
        (b"it's 3.5, snake_case\n", 1, 5),
    ],
)
def test_lines_and_words(content: bytes, lines: int, words: int, tmp_path: Path) -> None:
    found = text(content, tmp_path)

    assert (found["lines"], found["words"]) == (lines, words)


@pytest.mark.parametrize("letter", ["a", "я"])
def test_a_long_word_is_one(letter: str, tmp_path: Path) -> None:
    found = text((letter * 200_000 + " " + letter).encode(), tmp_path)

    assert (found["words"], found["characters"]) == (2, 200_002)


def test_a_text_whose_first_foreign_letter_comes_late(tmp_path: Path) -> None:
    start = b"plain words\n" * 10_000

    assert text(start + "ещё".encode(), tmp_path)["encoding"] == "utf-8"
    assert text(start + making.RUSSIAN.encode("cp1251"), tmp_path)["encoding"] == "cp1251"


def test_the_words_of_a_huge_text_are_not_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(texts, "WORD_SECONDS", -1.0)

    found = text(making.RUSSIAN.encode(), tmp_path)

    assert (found["lines"], found["words"]) == (2, None)


def test_a_text_that_is_cut_within_a_letter(tmp_path: Path) -> None:
    found = text("слово и сло".encode()[:-1], tmp_path)

    assert found["encoding"] == "utf-8"
    assert found["unreadable_characters"] is True


def test_a_pdf(tmp_path: Path) -> None:
    assert run_here(making.pdf(3), tmp_path / "book.pdf").metadata == {
        "encrypted": False,
        "pages": 3,
        "title": "A small book",
        "text_pages": 3,
        "text_length": 3 * len("Hellofrompage1"),
    }


def test_the_text_of_a_thick_pdf_is_counted_as_far_as_the_time_lasts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pdf, "TEXT_SECONDS", 0.0)

    found = run_here(making.pdf(3), tmp_path / "book.pdf").metadata

    assert (found["pages"], found["text_pages"]) == (3, 1)


@pytest.mark.parametrize(("password", "pages"), [("", 1), ("secret", None)])
def test_an_encrypted_pdf(password: str, pages: int | None, tmp_path: Path) -> None:
    """Without a password for readers it is encrypted only against changes."""
    from fpdf import FPDF  # takes 0.2 s, in every process

    document = FPDF()
    document.add_page()
    document.set_encryption(owner_password="owner", user_password=password)

    found = run_here(bytes(document.output()), tmp_path / "book.pdf").metadata

    assert (found["encrypted"], found["pages"]) == (True, pages)


def test_a_pdf_that_is_cut_is_broken(tmp_path: Path) -> None:
    with pytest.raises(Unprocessable, match=r"^The PDF is broken\.$"):
        run_here(making.pdf()[:500], tmp_path / "book.pdf")
