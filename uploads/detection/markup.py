"""Detects HTML and SVG as browsers do, even if it is disguised."""

import re
from contextlib import suppress
from typing import Any
from xml.parsers import expat

from uploads.detection.tokens import skip

# The tags that make a file HTML if it begins with them: https://mimesniff.spec.whatwg.org/ (7.1).
# Libraries that only compare first bytes miss those after a byte order mark, white space or a
# comment, and take an SVG with a comment for HTML.
DOCUMENT_TAG = re.compile(
    r"<(!doctype\s+html|html|head|script|iframe|style|title|body)[\s/>]", re.I
)
FRAGMENT_TAG = re.compile(r"<(h1|div|font|table|a|b|br|p)[\s/>]", re.I)
SKIPPED = re.compile(
    r"\s+|\ufeff|\x1a|\0|<!--.*?-->|<\?.*?\?>|<!doctype\s(?!\s*html)(?:[^>\[]|\[[^\]]*\])*>",
    re.I | re.S,
)
LEADING = "\ufeff\0 \t\r\n\f"
ROOT = re.compile(r"<(?:[\w.-]+:)?([\w.-]+)([^>]*)")
TAG = re.compile(r"<[a-z!/]", re.I)
ACTIVE_TAG = re.compile(r"<\s*(!doctype\s+html|html|script|svg|iframe|body)[\s/>]", re.I)
DTD = re.compile(r"(<!(element|entity|attlist|notation)\s|<!\[|%[\w.-]+;)", re.I)

XHTML = "http://www.w3.org/1999/xhtml"
SVG = "http://www.w3.org/2000/svg"
NEVER_XML = {"html", "script", "iframe", "body"}
"""Roots of HTML that no other language has, whatever their namespace."""
HTML_SUFFIXES = frozenset({".html", ".htm", ".xhtml", ".xht", ".shtml", ".svg"})
RUNS = re.compile(r"<(script|iframe|svg|img)\b|\bon\w+\s*=|javascript:", re.I)
RUNS_AT_ONCE = {"onload", "onerror", "onbegin", "onpageshow", "onanimationstart"}
"""Handlers that need no click. Feeds have others in their pages: these are taken."""


def markup_type(text: str, suffix: str) -> str | None:
    """Return the content type of HTML, SVG or other XML; None for any other text.

    text: the first characters of the file after white space, all of it if possible. Only XML that
    says so in its first characters, or in its namespace, may begin with a tag that HTML has.
    """
    text = text.lstrip(LEADING)
    if not text.startswith("<"):
        return _named_html(text, suffix)
    declared = text.startswith("<?xml")
    start = text[skip(SKIPPED, text) :]
    root = parse_root(text)
    if root and (active := root.active_type(start, declared=declared)):
        return active
    if root and (declared or root.is_foreign) and suffix not in HTML_SUFFIXES:
        return "text/xml"
    if (by_tags := _tags_type(start, suffix)) or suffix in {".md", ".markdown"}:
        return by_tags  # Markdown often begins with a comment or a heading in HTML
    if DTD.match(start):
        return "text/xml" if declared else None
    if declared and not root and ROOT.match(start) and not RUNS.search(start):
        return "text/xml"  # broken before its root
    return _fragment_type(text, start) or _named_html(text, suffix) or _xml_type(text, suffix, root)


def _fragment_type(text: str, start: str) -> str | None:
    """Return HTML for a part of a page, and for comments with nothing behind them."""
    is_comment = text.startswith("<!--") and not ROOT.match(start)
    return "text/html" if FRAGMENT_TAG.match(start) or not start or is_comment else None


def _xml_type(text: str, suffix: str, root: "Root | None") -> str | None:
    return "text/xml" if root and (text.startswith("<?xml") or suffix == ".xml") else None


def hidden_markup(head: bytes) -> str | None:
    """Return the type of HTML or SVG in UTF-16 or UTF-32 without a byte order mark.

    Browsers do not detect these, but other programs do.
    """
    for encoding in ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"):
        text = head[: len(head) & ~3].decode(encoding, "replace").lstrip(LEADING)
        if text.startswith("<") and (found := markup_type(text, "")):
            return found
    return None


def is_active_html(head: bytes, suffix: str) -> bool:
    """Return whether binary data is called HTML, and has tags of it: a double click runs it."""
    text = head.replace(b"\0", b"").decode("latin-1")
    return suffix in HTML_SUFFIXES and bool(ACTIVE_TAG.search(text))


def _tags_type(start: str, suffix: str) -> str | None:
    """Return the type of a text that begins with these characters, as browsers do."""
    root = ROOT.match(start)
    name, attributes = (root[1].lower(), root[2]) if root else ("", "")
    if name == "svg" or re.search(rf"""\sxmlns=["']{SVG}["']""", attributes):
        return "image/svg+xml"
    if name == "html" and XHTML in attributes:
        return "application/xhtml+xml"
    if re.search(rf"""\sxmlns=["']{XHTML}["']""", attributes):
        return "application/xhtml+xml"
    return "text/html" if DOCUMENT_TAG.match(start) else None


def _named_html(text: str, suffix: str) -> str | None:
    """Return the type of a text with tags that is called HTML or SVG."""
    if suffix in HTML_SUFFIXES and TAG.search(text):
        return "image/svg+xml" if suffix == ".svg" else "text/html"
    return None


class Root:
    """The root element of XML, and whether anything in it runs when a browser shows it."""

    def __init__(self) -> None:
        self.namespace = self.name = self.doctype = ""
        self.found = False
        self.runs: str | None = None

    def declaration(self, name: str, *_ids: object) -> None:
        self.doctype = name.lower()

    def element(self, qualified: str, attributes: dict[str, str]) -> None:
        namespace, _, name = qualified.rpartition(" ")
        if not self.found:
            self.found, self.namespace, self.name = True, namespace, name.lower()
        if namespace in {XHTML, SVG} and not self.runs:
            handlers = {attribute.lower() for attribute in attributes}
            if name.lower() in {"script", "handler"} or handlers & RUNS_AT_ONCE:
                self.runs = "image/svg+xml" if namespace == SVG else "application/xhtml+xml"

    @property
    def is_foreign(self) -> bool:
        return bool(self.namespace) and self.name not in NEVER_XML

    def active_type(self, start: str, *, declared: bool) -> str | None:
        """Return the type of what a browser would render or run; None for harmless XML."""
        if self.name == "svg" or self.namespace == SVG:
            return "image/svg+xml"
        if self.namespace == XHTML:
            return "application/xhtml+xml"
        if self.name in NEVER_XML:
            return "text/html"
        if self.doctype in {"html", "svg"}:
            return "image/svg+xml" if self.doctype == "svg" else "text/html"
        is_html_tag = DOCUMENT_TAG.match(start) or FRAGMENT_TAG.match(start)
        if not declared and is_html_tag and RUNS.search(start):
            return "text/html"
        return self.runs


def parse_root(text: str) -> Root | None:
    """Return the root element of the text if it is XML so far; None if it is not.

    Nothing outside the text is read, and no entity is expanded.
    """
    root = Root()
    parser: Any = expat.ParserCreate("utf-8", " ")
    parser.StartElementHandler = root.element
    parser.StartDoctypeDeclHandler = root.declaration
    parser.DefaultHandler = lambda data: None  # leaves entities as they are
    with suppress(expat.ExpatError):  # broken later on
        parser.Parse(text.encode("utf-8", "replace"), False)
    return root if root.found else None
