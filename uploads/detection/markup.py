"""Detects HTML and SVG as browsers do, even if it is disguised."""

import re

from uploads.detection.tokens import skip

# The tags that make a file HTML if it begins with them: https://mimesniff.spec.whatwg.org/ (7.1).
# Libraries that only compare first bytes miss those after a byte order mark, white space or a
# comment, and take an SVG with a comment for HTML.
DOCUMENT_TAG = re.compile(
    r"<(!doctype\s+html|html|head|script|iframe|style|title|body)[\s/>]", re.I
)
FRAGMENT_TAG = re.compile(r"<(h1|div|font|table|a|b|br|p)[\s/>]", re.I)
SKIPPED = re.compile(
    r"\s+|\ufeff|<!--.*?-->|<\?.*?\?>|<!doctype\s(?!\s*html)(?:[^>\[]|\[[^\]]*\])*>",
    re.I | re.S,
)
ROOT = re.compile(r"<(?:[\w.-]+:)?([\w.-]+)([^>]*)")
TAG = re.compile(r"<[a-z!/]", re.I)


def markup_type(text: str, suffix: str) -> str | None:
    """Return the content type of HTML, SVG or other XML; None for any other text."""
    start = text[skip(SKIPPED, text) :]
    root = ROOT.match(start)
    name, attributes = (root[1].lower(), root[2]) if root else ("", "")
    if name == "svg" or "http://www.w3.org/2000/svg" in attributes:
        return "image/svg+xml"
    if "http://www.w3.org/1999/xhtml" in attributes:
        return "application/xhtml+xml"
    if DOCUMENT_TAG.match(start):
        return "text/html"
    if suffix in {".md", ".markdown"}:
        return None  # often begins with a comment or a heading in HTML; is never shown
    if FRAGMENT_TAG.match(start) or (text.lstrip("\ufeff \t\r\n").startswith("<!--") and not root):
        return "text/html"
    if suffix in {".html", ".htm", ".xhtml", ".svg"} and TAG.search(text):
        return "image/svg+xml" if suffix == ".svg" else "text/html"
    return "text/xml" if text.lstrip("\ufeff").startswith("<?xml") and root else None
