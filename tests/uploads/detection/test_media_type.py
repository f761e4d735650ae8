"""Which type a file has, and which types are not allowed."""

import codecs
import json
from contextlib import suppress

import pytest
from pytest_django import Settings

from tests.support import files as making
from tests.uploads.run_processor import detected_as
from uploads.detection.media_type import HEAD_BYTES, SAFE_TO_SHOW, Detected, TypeRefused
from uploads.models import Kind

SVG = '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
HTML = "<!DOCTYPE html><title>t</title><script>alert(1)</script>"
BOUNDARY = "é".encode()  # two bytes, of which the head may have one


@pytest.mark.parametrize(
    ("name", "kind", "content_type"),
    [
        ("picture.png", Kind.IMAGE, "image/png"),
        ("picture.jpg", Kind.IMAGE, "image/jpeg"),
        ("picture.gif", Kind.IMAGE, "image/gif"),
        ("picture.webp", Kind.IMAGE, "image/webp"),
        ("picture.bmp", Kind.IMAGE, "image/bmp"),
        ("picture.tiff", Kind.IMAGE, "image/tiff"),
        ("utf-8.txt", Kind.TEXT, "text/plain"),
        ("utf-16.txt", Kind.TEXT, "text/plain"),
        ("cp1251.txt", Kind.TEXT, "text/plain"),
        ("book.pdf", Kind.PDF, "application/pdf"),
        ("tone.wav", Kind.AUDIO, "audio/wav"),
        ("tone.mp3", Kind.AUDIO, "audio/mpeg"),
        ("tone.flac", Kind.AUDIO, "audio/flac"),
        ("tone.ogg", Kind.AUDIO, "audio/ogg"),
        ("tone.webm", Kind.AUDIO, "audio/webm"),
        ("film.mp4", Kind.VIDEO, "video/mp4"),
        ("film.webm", Kind.VIDEO, "video/webm"),
        ("table.csv", Kind.TABLE, "text/csv"),
        ("table.tsv", Kind.TABLE, "text/tab-separated-values"),
        ("document.json", Kind.TABLE, "application/json"),
        ("archive.zip", Kind.ARCHIVE, "application/zip"),
        ("anything.bin", Kind.OTHER, "application/octet-stream"),
    ],
)
def test_a_file_is_taken_for_what_it_is(name: str, kind: Kind, content_type: str) -> None:
    content = making.of_every_kind()[name]

    for called in (name, "", "harmless.txt.png"):
        found = detected_as(content, called)
        named_by_suffix = content_type.startswith("text/") and called != name
        assert found.kind == kind or named_by_suffix
        assert found.content_type == content_type or named_by_suffix


@pytest.mark.parametrize(
    ("content", "name", "content_type"),
    [
        (b"Hello.\n", "letter.png", "text/plain"),
        (b"# Title\n\nText.\n", "read.md", "text/markdown"),
        (b"<!-- toc -->\n<h1 align=center>Title</h1>\n", "read.md", "text/markdown"),
        (b"BMW, MZ and others build motorcycles.", "text", "text/plain"),
        ("BMW — мотоцикл".encode("cp1251"), "text", "text/plain"),
        (b"\x1b[31mred\x1b[0m\n", "colours.log", "text/plain"),
        ((b"x" * (HEAD_BYTES - 1) + BOUNDARY)[:HEAD_BYTES], "cut.txt", "text/plain"),
        (b"<?xml version='1.0'?><note/>", "note", "text/xml"),
        (b"a < b > c, and <b is no tag", "sum.txt", "text/plain"),
        (b"{\\rtf1 Hello}", "letter.doc", "application/rtf"),
        (b"Dear Ada, dear Bob,\nthanks, see you,\nyours, Eve\n", "letter", "text/plain"),
        (making.table(), "table", "text/csv"),
        (making.table(delimiter=";"), "table", "text/csv"),
        (making.table(), "notes.txt", "text/plain"),
        (b"just words", "words.csv", "text/csv"),
        (b'{"a": [1, 2.5e3, true, null, "\\u00e9 \\" "]}', "anything", "application/json"),
        (b'{"broken": ', "broken.json", "application/json"),
        (b"Not at all.", "prose.json", "text/plain"),
        (b"[1] A footnote", "notes", "text/plain"),
        (b"12", "number", "text/plain"),
        (b"12", "number.json", "application/json"),
        (json.dumps(["a" * 50] * 2_000).encode()[:HEAD_BYTES], "long", "application/json"),
        (b"[1] A footnote. " * 5_000, "long", "text/plain"),
        (b"[" * HEAD_BYTES, "deep", "application/json"),
        (b"[" * 5_000 + b"]" * 5_000, "deep", "application/json"),
        ('{"a": 1}'.encode("utf-16"), "a.json", "application/json"),
        (b"", "nothing", "application/octet-stream"),
        (b"\xff\xfe\0\xd8" + b"\0\0", "half.txt", "application/octet-stream"),
        (making.sound("mp4", "aac"), "tone", "audio/mp4"),
        (making.sound("mp4", "aac")[:900], "tone", "video/mp4"),  # it tells at its end
        (making.film("ogg", "libvpx"), "film", "video/ogg"),
    ],
)
def test_content_decides_and_names_tell_texts_apart(
    content: bytes, name: str, content_type: str
) -> None:
    assert detected_as(content, name).content_type == content_type


def marked(text: str) -> dict[str, bytes]:
    return {
        "plain": text.encode(),
        "upper": text.replace("svg ", "SVG ").replace("<script", "<SCRIPT").encode(),
        "mark": codecs.BOM_UTF8 + text.encode(),
        "utf-16": text.encode("utf-16"),
        "utf-16-be": codecs.BOM_UTF16_BE + text.encode("utf-16-be"),
        "utf-32": text.encode("utf-32"),
        "space": b"\n\t \r\n" + text.encode(),
        "comment": b"<!-- -- > <svg> -->\n<!---->" + text.encode(),
        "xml": b'<?xml version="1.0"?>\n<!-- x -->' + text.encode(),
        "cyrillic": b"<!-- \xcf\xf0\xe8\xe2\xe5\xf2 -->" + text.encode(),
    }


@pytest.mark.parametrize("way", marked(""))
@pytest.mark.parametrize("name", ["picture.png", "picture.svg", "page.html", "read.md", ""])
def test_svg_and_html_are_refused_however_disguised(way: str, name: str) -> None:
    with pytest.raises(TypeRefused, match="type image/svg"):
        detected_as(marked(SVG)[way], name)
    with pytest.raises(TypeRefused, match="type text/html are not allowed"):
        detected_as(marked(HTML)[way], name)


@pytest.mark.parametrize(
    "content",
    [
        b"<html>",
        b"  <BODY onload=alert(1)>",
        b"<script>alert(1)</script>",
        b"<iframe src=x>",
        b"<p>Hello",
        b"<!-- only a comment",
        b"<?xml version='1.0'?><html xmlns='http://www.w3.org/1999/xhtml'/>",
        b"<x:html xmlns:x='http://www.w3.org/1999/xhtml'/>",
        b"<s:svg xmlns:s='http://www.w3.org/2000/svg'/>",
        b"<x xmlns='http://www.w3.org/2000/svg'/>",
        b'<!DOCTYPE svg PUBLIC "a" "b" [<!ENTITY a "b">]>\n<svg/>',
        b"#!/bin/sh\nrm -rf /",
        making.executable(),
        b"MZ\x90\0\3\0\0\0" + bytes(100),
        b"\xcf\xfa\xed\xfe\7\0\0\1" + bytes(50),
        b"\xca\xfe\xba\xbe\0\0\0\2" + bytes(50),
        b"L\0\0\0\1\x14\2\0" + bytes(60),
    ],
)
def test_what_could_run_is_refused(content: bytes) -> None:
    with pytest.raises(TypeRefused):
        detected_as(content, "picture.png")


def test_a_text_with_tags_is_html_if_it_is_called_so() -> None:
    content = b"Hello <script>alert(1)</script>"

    with pytest.raises(TypeRefused):
        detected_as(content, "page.html")
    with pytest.raises(TypeRefused):
        detected_as(content, "page.svg")
    assert detected_as(content, "page.txt").content_type == "text/plain"
    assert detected_as(b"no tags", "page.html").content_type == "text/plain"


def test_what_is_not_refused_is_taken_and_never_shown(settings: Settings) -> None:
    settings.UPLOADS_REFUSED = []

    found = [detected_as(content, "") for content in (SVG.encode(), HTML.encode(), b"#!/bin/sh")]
    found.append(detected_as(making.executable(), ""))

    assert [each.kind for each in found] == [Kind.OTHER, Kind.TEXT, Kind.TEXT, Kind.OTHER]
    assert not SAFE_TO_SHOW & {each.content_type for each in found}


def test_only_what_runs_no_scripts_is_shown() -> None:
    families = {content_type.partition("/")[0] for content_type in SAFE_TO_SHOW - {"text/plain"}}

    assert families == {"image", "audio", "video"}
    assert "image/svg+xml" not in SAFE_TO_SHOW


@pytest.mark.parametrize("piece", [b"<!--", b"<!-", b"<?", b"<!doctype [", b'"\\', b"[1,", b" "])
def test_no_text_takes_long(piece: bytes) -> None:
    """A pattern that tries again would need hours for these."""
    detect_or_refuse((piece * HEAD_BYTES)[:HEAD_BYTES])
    detect_or_refuse(b'["' + (piece * HEAD_BYTES)[: HEAD_BYTES - 2])


def detect_or_refuse(head: bytes) -> None:
    with suppress(TypeRefused):
        detected_as(head, "")


@pytest.mark.parametrize("lines", [4, 4_000])
@pytest.mark.parametrize("name", ["events.jsonl", "service.log", "events"])
def test_a_value_of_json_in_each_line_is_a_text(lines: int, name: str) -> None:
    content = b'{"at": 1, "level": "info", "said": "something"}\n' * lines
    assert detected_as(content, name) == Detected(Kind.TEXT, "text/plain")


XHTML = "http://www.w3.org/1999/xhtml"
SVG_SPACE = "http://www.w3.org/2000/svg"


@pytest.mark.parametrize(
    ("content", "name"),
    [
        ("<?xml version='1.0'?><urlset xmlns='urn:map' xmlns:x='" + XHTML + "'><url/>", "a.xml"),
        ("<?xml version='1.0'?>\n<doc xmlns='urn:x' xmlns:svg='" + SVG_SPACE + "'><p>hi</p>", ""),
        ("<?xml version='1.0'?><o:document xmlns:o='urn:o' xmlns:svg='urn:svg'/>", "a.fodt"),
        ("<?xml version='1.0'?><a:feed xmlns:a='urn:atom'><d xmlns='" + XHTML + "'/>", "a.atom"),
        *((f"<?xml version='1.0'?>\n<{tag} name='x'><b/>", "") for tag in ("table", "a", "style")),
        *((f"<?xml version='1.0'?>\n<{tag}/>", "a.xml") for tag in ("title", "p", "font", "head")),
        ("<?xml version='1.0'?><feed><p xmlns='" + XHTML + "' onclick='x()'/></feed>", "a.atom"),
        ("<style xmlns='http://purl.org/net/xbiblio/csl'><info/></style>", "a.csl"),
        ("<?xml version='1.0'?><!-- %s --><a/>" % ("long " * 30_000), "a.xml"),
        ("<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b ']>'>]><a>&b;</a>", "a.xml"),
    ],
)  # fmt: skip
def test_harmless_xml_is_taken(content: str, name: str) -> None:
    assert detected_as(content.encode(), name) == Detected(Kind.TEXT, "text/xml")


@pytest.mark.parametrize(
    "content",
    [
        "<!-- elements --><!ELEMENT a (b)>",
        "<!ENTITY % b 'c'>",
        "<?xml version='1.0'?><!ELEMENT a (b)>",
    ],
)
def test_a_document_type_definition_is_a_text(content: str) -> None:
    assert detected_as(content.encode(), "a.dtd").kind == Kind.TEXT


SCRIPT = "<script>alert(1)</script>"


@pytest.mark.parametrize(
    "content",
    [
        *(space * 65_600 + HTML.encode() for space in (b"\n", b" ", b"\r\n", b"\0", b"\t\v\f")),
        b"\xef\xbb\xbf" + b"\n" * 70_000 + SVG.encode(),
        ("\ufeff" + "\n" * 70_000 + HTML).encode("utf-16"),
        *(HTML.encode(name) for name in ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")),
        *(("\n" * 9 + SVG).encode(name) for name in ("utf-16-le", "utf-16-be")),
        ("\n" * 40_001 + HTML).encode("utf-16-be"),
        b"<!-- " + b"long " * 20_000 + b"-->" + HTML.encode(),
        b"<!-- -->" * 10_000 + HTML.encode(),
        b"<?xml version='1.0'?>" + b"<!-- -->" * 10_000 + SVG.encode(),
        b"<?xml version='1.0'?><!DOCTYPE html><p>x" + SCRIPT.encode(),
        f"<?xml version='1.0'?><d xmlns:h='{XHTML}'><h:script>alert(1)</h:script></d>".encode(),
        f"<?xml version='1.0'?><d xmlns:s='{SVG_SPACE}'><s:g onload='alert(1)'/></d>".encode(),
        f"<?xml version='1.0'?><d><s:script xmlns:s='{SVG_SPACE}' href='x'/></d>".encode(),
        b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b ']>'>]><svg onload='alert(1)'/>",
        b"<style xmlns='urn:x'></style>" + SCRIPT.encode(),
        b"<table xmlns='urn:x' onclick='alert(1)'>",
        b"<a xmlns='urn:x' href='javascript:alert(1)'>",
    ],
)
@pytest.mark.parametrize("name", ["page.html", "notes.txt"])
def test_markup_is_refused_wherever_it_begins(content: bytes, name: str) -> None:
    with pytest.raises(TypeRefused):
        detected_as(content, name)


@pytest.mark.parametrize("lead", [b"\x1a", b"\x02\n", b"\0\1\2\3", b"Hello "])
def test_what_is_called_html_and_has_its_tags_is_refused(lead: bytes) -> None:
    for name in ("page.html", "page.xhtml", "picture.svg"):
        with pytest.raises(TypeRefused):
            detected_as(lead + HTML.encode() + b"\3" * 100, name)
