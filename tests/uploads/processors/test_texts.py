"""What is found out about texts and PDFs."""

import codecs
import io
import zlib
from pathlib import Path
from threading import Event

import pytest
from PIL import Image

from tests.support import files as making
from tests.uploads.processors.bombs import pdf_of
from tests.uploads.run_processor import run_here
from uploads.processors import pdf
from uploads.processors import text as texts
from uploads.processors.base import Unprocessable

RUSSIAN = making.RUSSIAN


def text(content: bytes, tmp_path: Path) -> dict[str, object]:
    return run_here(content, tmp_path / "notes.txt").metadata


GREEK = "Καλημέρα κόσμε, αυτό είναι ένα απλό κείμενο στα ελληνικά για δοκιμή.\n"
HEBREW = "שלום עולם וברוכים הבאים אל האתר שלנו, כאן כותבים על ספרים ועל אנשים.\n"
ARABIC = "ولد جميع الناس أحرارا متساوين في الكرامة والحقوق، وقد وهبوا عقلا وضميرا.\n"
POLISH = "Wszyscy ludzie rodzą się wolni i równi w swej godności i prawach. Żółć, źdźbło.\n"
TURKISH = "Bütün insanlar hür, haysiyet ve haklar bakımından eşit doğarlar. Şişli, ağaç.\n"
LATVIAN = "Visi cilvēki piedzimst brīvi un vienlīdzīgi savā pašcieņā un tiesībās.\n"
FRENCH = "Tous les êtres humains naissent libres et égaux en dignité. Où est le garçon ?\n"
GERMAN = "Alle Menschen sind frei und gleich an Würde geboren. Größe, Übung, Äpfel für 5 €.\n"
JAPANESE = "これは日本語の文章です。メールでよく使われます。漢字も含みます。\n"
CHINESE = "人人生而自由，在尊严和权利上一律平等。他们赋有理性和良心。\n"
TAIWANESE = "人人生而自由，在尊嚴和權利上一律平等。他們賦有理性和良心。\n"
KOREAN = "모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다.\n"
THAI = "มนุษย์ทั้งหลายเกิดมามีอิสระและเสมอภาคกันในเกียรติศักดิ์และสิทธิ\n"
UKRAINIAN = "Всі люди народжуються вільними і рівними у своїй гідності та правах. Її, ґанок.\n"


@pytest.mark.parametrize(
    ("written", "encoding"),
    [
        *((making.RUSSIAN, name) for name in ("utf-8", "utf-8-sig", "utf-16", "utf-32")),
        *((making.RUSSIAN, name) for name in ("utf-16-le", "utf-16-be", "cp1251", "koi8-r")),
        *((making.RUSSIAN, name) for name in ("cp866", "iso8859-5", "mac-cyrillic", "cp855")),
        *((UKRAINIAN, name) for name in ("cp1251", "koi8-u")),
        *((GREEK, name) for name in ("cp1253", "iso8859-7", "cp737", "mac-greek")),
        *((HEBREW, name) for name in ("cp1255", "iso8859-8", "cp862")),
        *((ARABIC, name) for name in ("cp1256", "iso8859-6")),
        *((POLISH, name) for name in ("cp1250", "iso8859-2", "cp852", "mac-latin2")),
        *((TURKISH, name) for name in ("cp1254", "iso8859-9", "cp857")),
        *((LATVIAN, name) for name in ("cp1257", "iso8859-13")),
        *((FRENCH, name) for name in ("cp1252", "iso8859-1", "cp850", "mac-roman")),
        *((GERMAN, name) for name in ("cp1252", "iso8859-15")),
        *((JAPANESE, name) for name in ("shift_jis", "euc-jp", "iso2022_jp")),
        *((CHINESE, name) for name in ("gb2312", "gb18030", "hz")),
        *((TAIWANESE, name) for name in ("big5",)),
        *((KOREAN, name) for name in ("euc-kr", "cp949", "iso2022_kr")),
        *((THAI, name) for name in ("tis-620", "cp874")),
    ],
)
def test_a_text_in_each_encoding(written: str, encoding: str, tmp_path: Path) -> None:
    """Encodings have many letters in common: what matters is that it is read as it was written."""
    content = written.encode(encoding)
    found = text(content, tmp_path)

    assert content.decode(str(found["encoding"])).lstrip("\ufeff") == written
    assert found["characters"] == len(written)
    assert "unreadable_characters" not in found


def test_what_a_text_is_said_to_be(tmp_path: Path) -> None:
    assert text(making.RUSSIAN.encode("cp1251"), tmp_path) == {
        "encoding": "windows-1251",
        "encoding_source": "guess",
        "encoding_confidence": 0.99,
        "lines": 2,
        "words": 10,
        "characters": len(making.RUSSIAN),
    }
    assert text(making.ENGLISH.encode(), tmp_path)["encoding"] == "ascii"
    unsure = text("Où ?".encode("cp1252"), tmp_path)["encoding_confidence"]
    assert isinstance(unsure, float)
    assert unsure < 0.9


@pytest.mark.parametrize(
    ("content", "encoding", "source"),
    [
        (f'<?xml version="1.0" encoding="windows-1255"?>\n<a>{HEBREW}</a>', "cp1255", "declared"),
        (f"# -*- coding: latin-1 -*-\n# {FRENCH}", "latin-1", "declared"),
        (f'@charset "iso-8859-2";\n/* {POLISH} */', "iso8859-2", "declared"),
        (f'msgid ""\n"Content-Type: text/plain; charset=KOI8-U\\n"\n# {UKRAINIAN}',
         "koi8-u", "declared"),
        (f'<?xml version="1.0" encoding="iso-8859-1"?><a>{RUSSIAN}</a>', "utf-8", "content"),
        (f'<?xml version="1.0" encoding="no such one"?><a>{RUSSIAN}</a>', "cp1251", "guess"),
        (f"\ufeff{GREEK}", "utf-8", "mark"),
        *(
            (f"# coding: {codec}\n# {making.ENGLISH}", "ascii", "content")
            for codec in ("punycode", "idna", "unicode_escape", "rot13", "hex", "utf-7", "utf-16")
        ),
    ],
)  # fmt: skip
def test_what_a_text_declares_goes_first(
    content: str, encoding: str, source: str, tmp_path: Path
) -> None:
    """Unless it cannot be read so, or is clearly UTF-8."""
    written = content.encode(encoding)
    found = text(written, tmp_path)

    assert written.decode(str(found["encoding"])) == content
    if source != "guess":
        assert found["encoding_source"] == source


@pytest.mark.parametrize(
    ("content", "written"),
    [
        (b"Hello\r\n\x1a", "Hello\n"),
        (b"Hello\x1a", "Hello"),
        (b"Hello\n" + b"\x1a" * 100, "Hello\n"),
        (b"Page one\x02,\nwhich goes on\n", "Page one\x02,\nwhich goes on\n"),
        (b"A bell\x07, ESC \x1b[1m, form feed\x0c\n", "A bell\x07, ESC \x1b[1m, form feed\x0c\n"),
        (b"a line\n" * 200 + b"one with a\0NUL\n", "a line\n" * 200 + "one with a\0NUL\n"),
        *(
            ("Привет, мир. Это текст из DOS.\r\n".encode(encoding) * 5 + b"\x1a",
             "Привет, мир. Это текст из DOS.\n" * 5)
            for encoding in ("cp866", "utf-8", "cp1251")
        ),
    ],
)  # fmt: skip
def test_control_characters_do_not_make_a_text_binary(
    content: bytes, written: str, tmp_path: Path
) -> None:
    found = text(content, tmp_path)

    lines = written.count("\n") + (not written.endswith("\n"))
    assert (found["characters"], found["lines"]) == (len(written), lines)


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
    assert text(start + making.RUSSIAN.encode("cp1251"), tmp_path)["encoding"] == "windows-1251"


def test_another_encoding_behind_the_sample_is_noticed(tmp_path: Path) -> None:
    """UTF-8 so far, then something else."""
    start = "Ещё слова\n".encode() * 10_000

    broken = text(start + b"\xff\xff\n", tmp_path)
    assert (broken["encoding"], broken["unreadable_characters"]) == ("utf-8", True)
    mixed = text(b"plain\n" * 20_000 + "é".encode() + FRENCH.encode("cp1252") * 900, tmp_path)
    assert str(mixed["encoding"]) in {"windows-1252", "iso-8859-1"}


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


def simple_pdf(
    drawing: bytes = b"BT ET", *, before: bytes = b"", startxref: bool = True, packed: bool = False
) -> bytes:
    """Return a PDF of one page, which is drawn so."""
    stream = zlib.compress(drawing) if packed else drawing
    filtered = b"/Filter/FlateDecode" if packed else b""
    fonts = b"<</Font<</F1<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>>>"
    content = pdf_of(
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 99 99]/Contents 4 0 R/Resources%b>>" % fonts,
        b"<</Length %d%b>>stream\n%b\nendstream" % (len(stream), filtered, stream),
    )
    if not startxref:
        content = content[: content.rindex(b"startxref")] + b"%%EOF"
    return before + content


@pytest.mark.parametrize(
    "before",
    [b"\r\n", codecs.BOM_UTF8, b"Content-Type: application/pdf\r\n\r\n", bytes(900), b"\xff" * 90],
)
def test_a_pdf_may_begin_within_its_first_1024_bytes(before: bytes, tmp_path: Path) -> None:
    found = run_here(simple_pdf(before=before), tmp_path / "book.pdf").metadata
    assert found["pages"] == 1


def test_what_only_mentions_pdf_is_a_text(tmp_path: Path) -> None:
    found = run_here(b"A file that begins with %PDF-1.4 is a PDF.\n", tmp_path / "note").metadata
    assert found["lines"] == 1


@pytest.mark.parametrize(
    "content",
    [
        simple_pdf(b"BT (abc Tj\nET"),
        simple_pdf(startxref=False),
        simple_pdf().replace(b"startxref\n", b"startxref\n9"),
        simple_pdf(packed=True).replace(b"stream\nx", b"stream\n?"),
    ],
    ids=["content", "no startxref", "wrong startxref", "stream"],
)
def test_a_pdf_that_can_be_repaired_is(content: bytes, tmp_path: Path) -> None:
    result = run_here(content, tmp_path / "book.pdf")

    assert result.metadata["pages"] == 1
    assert Image.open(io.BytesIO(result.thumbnail or b"")).size == (320, 320)


def test_the_first_page_is_the_thumbnail(tmp_path: Path) -> None:
    drawing = b"1 0 0 rg 0 0 50 99 re f BT /F1 9 Tf 60 50 Td (Hello) Tj ET"

    result = run_here(simple_pdf(drawing), tmp_path / "book.pdf")

    picture = Image.open(io.BytesIO(result.thumbnail or b"")).convert("RGB")
    left, right = picture.getpixel((60, 160)), picture.getpixel((310, 20))
    assert (picture.format or "WEBP", result.metadata["text_length"]) == ("WEBP", 5)
    assert left[0] > 200 > 90 > left[1]  # type: ignore[index]
    assert min(right) > 240  # type: ignore[arg-type]


def test_a_page_that_takes_long_does_not_hold_up_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PDFium cannot be interrupted within a page, so it is left alone."""
    released = Event()
    monkeypatch.setattr(pdf, "TEXT_SECONDS", -0.99)
    monkeypatch.setattr(pdf.Text, "count", lambda *_: released.wait(30))

    result = run_here(simple_pdf(), tmp_path / "book.pdf")
    released.set()

    assert (result.metadata["pages"], result.metadata["text_pages"]) == (1, 0)
    assert result.thumbnail is None


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
