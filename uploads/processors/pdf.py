"""PDF, by pypdf: pages, title, length of the text."""

import time
from pathlib import Path

from pypdf import PageObject, PdfReader

from uploads.processors.base import Result, blaming
from uploads.processors.base import gettext_noop as _

TEXT_SECONDS = 8.0
"""Of a processor's time. The text of a thick book is counted as far as that lasts."""


def process(path: Path, content_type: str) -> Result:
    with blaming(_("The PDF is broken.")), path.open("rb") as file:
        reader = PdfReader(file)
        if reader.is_encrypted and not _opened(reader):
            return Result({"encrypted": True, "pages": None, "title": None})
        text_pages, text_length = _text(reader)
        return Result(
            {
                "encrypted": reader.is_encrypted,
                "pages": len(reader.pages),
                "title": _title(reader),
                "text_pages": text_pages,
                "text_length": text_length,
            }
        )


def _opened(reader: PdfReader) -> bool:
    """Tell whether it opens without a password: many are encrypted only against changes."""
    try:
        return bool(reader.decrypt(""))
    except Exception:  # ciphers that are not installed raise, too
        return False


def _title(reader: PdfReader) -> str | None:
    title = reader.metadata.title if reader.metadata else None
    return str(title) if title else None


def _text(reader: PdfReader) -> tuple[int, int]:
    """Return of how many pages the text was looked at, and its characters without white space."""
    until = time.process_time() + TEXT_SECONDS
    length = 0
    for number, page in enumerate(reader.pages, 1):
        length += _characters(page)
        if time.process_time() > until:
            return number, length
    return len(reader.pages), length


def _characters(page: PageObject) -> int:
    # By itself extract_text() takes a page whose stream is a bomb for an empty one.
    if (contents := page.get_contents()) is not None:
        contents.get_data()
    return len("".join(page.extract_text().split()))
