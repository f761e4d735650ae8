"""Text in requests is UTF-8, or ASCII, which is a part of it.

JSON is UTF-8 (RFC 8259), and so are the forms of browsers and names in the form of RFC 8187. Python
knows a hundred encodings more: of punycode 300 kB take a minute, some are no texts, and a name that
it does not know it keeps for good. So a name that a client sends is compared, and not looked up.
"""

import codecs
from typing import Any

from django.core.exceptions import SuspiciousOperation
from django.core.handlers.wsgi import WSGIRequest
from django.http import multipartparser
from django.http.multipartparser import MultiPartParserError
from django.utils import http
from django.utils.http import parse_header_parameters
from django.utils.translation import gettext as _

READ = {"utf-8", "utf8", "us-ascii", "ascii"}
MOST_PARAMETERS = 32
"""Semicolons in a header; the name of a file may have some, too. It takes quadratic time."""


class UnsupportedEncoding(SuspiciousOperation):
    """A client names an encoding that is not read here, or none that is found; answered 415."""

    def __str__(self) -> str:
        return _("Text is read as UTF-8 only.")


def lookup(name: str) -> codecs.CodecInfo:
    """As `codecs.lookup`. Raises UnsupportedEncoding."""
    if name.lower() not in READ:
        raise UnsupportedEncoding
    return codecs.lookup(name)


class Codecs:
    """The part of `codecs` that Django uses where it decodes a header's `name*=encoding''text`."""

    lookup = staticmethod(lookup)


def part_header(line: str) -> tuple[str, dict[str, str]]:
    """As `parse_header_parameters`, for a part of a form: there may be a thousand.

    Raises UnsupportedEncoding, MultiPartParserError.
    """
    if line.count(";") > MOST_PARAMETERS:
        raise MultiPartParserError("A part has too many parameters.")
    return parse_header_parameters(line)


def install() -> None:
    """Have Django ask here in all headers, those of the parts of a form included."""
    http.codecs = Codecs  # type: ignore[attr-defined]
    multipartparser.parse_header_parameters = part_header  # type: ignore[attr-defined]


def content_type(header: str) -> tuple[str, dict[str, str]]:
    """Return the type and its parameters. Raises UnsupportedEncoding."""
    if header.count(";") > MOST_PARAMETERS:
        raise UnsupportedEncoding
    try:
        kind, parameters = parse_header_parameters(header)
    except ValueError as error:  # it is numbered wrongly, "x*99...9*="
        raise UnsupportedEncoding from error
    if charset := parameters.get("charset"):
        lookup(charset)
    return kind, parameters


class Readable(WSGIRequest):
    """A request that is UTF-8, whatever it says: `project.bodies` refuses a body of another."""

    def _set_content_type_params(self, meta: dict[str, Any]) -> None:
        try:
            self.content_type, self.content_params = content_type(meta.get("CONTENT_TYPE", ""))
        except UnsupportedEncoding:
            # Django would break off here, before there is a request that could be answered.
            self.content_type, self.content_params = "", {}
