"""Text in requests must be UTF-8, or ASCII, which is a subset of it.

JSON is UTF-8 (RFC 8259), and so are browser forms and file names in the form of RFC 8187. Django
accepts any codec that Python has. Some of them are a way to attack: 300 kB of punycode take a
minute, and Python caches every unknown name for ever. So a name from a client is compared with a
fixed list before it is looked up. Django has no setting for this.
"""

import codecs
from types import SimpleNamespace
from typing import Any

from django.core.exceptions import SuspiciousOperation
from django.core.handlers.wsgi import WSGIRequest
from django.http import multipartparser
from django.http.multipartparser import MultiPartParserError
from django.utils import http
from django.utils.http import parse_header_parameters
from django.utils.translation import gettext as _

SUPPORTED = {"utf-8", "utf8", "us-ascii", "ascii"}
MAX_PARAMETERS = 32
"""Semicolons in a header, those in a file name included. Parsing takes quadratic time."""


class UnsupportedEncoding(SuspiciousOperation):
    """The client names an encoding that is not supported or does not exist. Answered with 415."""

    def __str__(self) -> str:
        return _("Only UTF-8 text is supported.")


def lookup(name: str) -> codecs.CodecInfo:
    """Like `codecs.lookup`. Raises UnsupportedEncoding."""
    if name.lower() not in SUPPORTED:
        raise UnsupportedEncoding
    return codecs.lookup(name)


def parse_part_header(line: str) -> tuple[str, dict[str, str]]:
    """Like `parse_header_parameters`, for a part of a form; a form may have a thousand parts.

    Raises UnsupportedEncoding, MultiPartParserError.
    """
    if line.count(";") > MAX_PARAMETERS:
        raise MultiPartParserError("A part has too many parameters.")
    return parse_header_parameters(line)


def install() -> None:
    """Make Django use this module for all headers, including those of the parts of a form."""
    # Django decodes a header's `name*=encoding''text` by it.
    http.codecs = SimpleNamespace(lookup=lookup)  # type: ignore[attr-defined]
    multipartparser.parse_header_parameters = parse_part_header  # type: ignore[attr-defined]


def parse_content_type(header: str) -> tuple[str, dict[str, str]]:
    """Return the media type and its parameters. Raises UnsupportedEncoding."""
    if header.count(";") > MAX_PARAMETERS:
        raise UnsupportedEncoding
    try:
        media_type, parameters = parse_header_parameters(header)
    except ValueError as error:  # a wrong number, as in "x*99...9*="
        raise UnsupportedEncoding from error
    if charset := parameters.get("charset"):
        lookup(charset)
    return media_type, parameters


class UTF8Request(WSGIRequest):
    """A request that is read as UTF-8; `ConcurrentBodyLimit` refuses a body in another encoding."""

    def _set_content_type_params(self, meta: dict[str, Any]) -> None:
        try:
            found = parse_content_type(meta.get("CONTENT_TYPE", ""))
        except UnsupportedEncoding:
            # Django would fail here, before there is a request that could be answered.
            found = "", {}
        self.content_type, self.content_params = found
