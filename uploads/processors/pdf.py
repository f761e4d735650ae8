"""PDF, by pypdf: pages, title, text length."""

import time
from pathlib import Path

from pypdf import PageObject, PdfReader

from uploads.processors.base import Result, errors_as
from uploads.processors.base import gettext_noop as _

TEXT_SECONDS = 8.0
"""Processor time for counting characters; then the remaining pages are not counted."""


def process(path: Path, content_type: str) -> Result:
    with errors_as(_("The PDF is broken.")), path.open("rb") as file:
        reader = PdfReader(file)
        if reader.is_encrypted and not _is_readable(reader):
            return Result({"encrypted": True, "pages": None, "title": None})
        title = reader.metadata.title if reader.metadata else None
        text_pages, text_length = _text(reader)
        return Result(
            {
                "encrypted": reader.is_encrypted,
                "pages": len(reader.pages),
                "title": str(title) if title else None,
                "text_pages": text_pages,
                "text_length": text_length,
            }
        )


def _is_readable(reader: PdfReader) -> bool:
    """Return whether it opens without a password: many are encrypted only against changes."""
    try:
        return bool(reader.decrypt(""))
    except Exception:  # also for ciphers that are not installed
        return False


def _text(reader: PdfReader) -> tuple[int, int]:
    """Return how many pages were counted, and their characters without white space."""
    until = time.process_time() + TEXT_SECONDS
    length = 0
    for number, page in enumerate(reader.pages, 1):
        length += _characters(page)
        if time.process_time() > until:
            return number, length
    return len(reader.pages), length


def _characters(page: PageObject) -> int:
    # extract_text() alone would take a page with a decompression bomb for an empty one.
    if (contents := page.get_contents()) is not None:
        contents.get_data()
    return len("".join(page.extract_text().split()))
