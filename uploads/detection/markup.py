"""Finds the HTML and SVG that a browser would find, however it is disguised."""

import re

from uploads.detection.tokens import skip

# Which tags make HTML of a file that begins with them: https://mimesniff.spec.whatwg.org/ (7.1).
# Libraries that know files by their first bytes miss what stands behind a byte order mark, white
# space or a comment, and call an SVG with a comment HTML.
PAGE = re.compile(r"<(!doctype\s+html|html|head|script|iframe|style|title|body)[\s/>]", re.I)
FRAGMENT = re.compile(r"<(h1|div|font|table|a|b|br|p)[\s/>]", re.I)
NOTHING = re.compile(
    r"\s+|\ufeff|<!--.*?-->|<\?.*?\?>|<!doctype\s(?!\s*html)(?:[^>\[]|\[[^\]]*\])*>",
    re.I | re.S,
)
ROOT = re.compile(r"<(?:[\w.-]+:)?([\w.-]+)([^>]*)")
TAG = re.compile(r"<[a-z!/]", re.I)


def markup_type(text: str, suffix: str) -> str | None:
    """Return the type of a text that is HTML, SVG or other XML, or None for any other text."""
    start = text[skip(NOTHING, text) :]
    root = ROOT.match(start)
    name, attributes = (root[1].lower(), root[2]) if root else ("", "")
    if name == "svg" or "http://www.w3.org/2000/svg" in attributes:
        return "image/svg+xml"
    if "http://www.w3.org/1999/xhtml" in attributes:
        return "application/xhtml+xml"
    if PAGE.match(start):
        return "text/html"
    if suffix in {".md", ".markdown"}:
        return None  # they often begin with a comment or a centred heading, and are never shown
    if FRAGMENT.match(start) or (text.lstrip("\ufeff \t\r\n").startswith("<!--") and not root):
        return "text/html"
    if suffix in {".html", ".htm", ".xhtml", ".svg"} and TAG.search(text):
        return "image/svg+xml" if suffix == ".svg" else "text/html"
    return "text/xml" if text.lstrip("\ufeff").startswith("<?xml") and root else None
