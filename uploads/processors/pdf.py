"""PDF, by PDFium: pages, title, text length; the first page as a picture."""

import ctypes
import mmap
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Any

from pypdfium2 import PdfDocument, PdfiumError, raw

from uploads.processors.base import Result, Unprocessable, errors_as
from uploads.processors.base import gettext_noop as _
from uploads.processors.thumbnails import MAX_SIDE, make_thumbnail

TEXT_SECONDS = 3.0
"""For counting characters; then the remaining pages are not counted."""
RENDER_SECONDS = 5.0
"""For drawing the first page; then there is no thumbnail."""
BROKEN = _("The PDF is broken.")


def process(path: Path, content_type: str) -> Result:
    with errors_as(BROKEN):
        document = _open(path)
        if document is None:
            return Result({"encrypted": True, "pages": None, "title": None})
        pages = len(document)
        if not pages:
            raise Unprocessable(_("The PDF has no pages."))
        metadata = {
            "encrypted": raw.FPDF_GetSecurityHandlerRevision(document) != -1,
            "pages": pages,
            "title": document.get_metadata_value("Title").strip() or None,
        }
        text = Text()
        is_done = _within(TEXT_SECONDS, lambda: text.count(document, time.monotonic()))
        metadata |= {"text_pages": text.pages, "text_length": text.length}
        # A call that goes on elsewhere must not be joined by another one: PDFium has no threads.
        return Result(metadata, _thumbnail(document) if is_done else None)


def _open(path: Path) -> PdfDocument | None:
    """Return the document; None if it needs a password."""
    with path.open("rb") as file:
        content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    try:
        return PdfDocument((ctypes.c_char * len(content)).from_buffer(content))
    except PdfiumError as error:
        code = getattr(error, "err_code", None)
        if code == raw.FPDF_ERR_PASSWORD:
            return None
        if code == raw.FPDF_ERR_SECURITY:
            raise Unprocessable(_("The PDF is encrypted in a way that is not supported.")) from None
        raise


class Text:
    """The characters of the first pages, without white space."""

    def __init__(self) -> None:
        self.pages = self.length = 0

    def count(self, document: PdfDocument, started: float) -> None:
        for number in range(len(document)):
            with suppress(PdfiumError):  # one broken page does not make the document broken
                text = document[number].get_textpage().get_text_bounded()
                self.length += len("".join(text.split()))
            self.pages += 1
            if time.monotonic() - started > TEXT_SECONDS:
                return


def _thumbnail(document: PdfDocument) -> bytes | None:
    made: list[bytes] = []
    _within(RENDER_SECONDS, lambda: made.append(_draw(document)))
    return made[0] if made else None


def _draw(document: PdfDocument) -> bytes:
    page = document[0]
    scale = 2 * MAX_SIDE / max(*page.get_size(), 1.0)
    image: Any = page.render(scale=scale, fill_color=(255, 255, 255, 255)).to_pil()
    return make_thumbnail(image)


def _within(seconds: float, work: Callable[[], object]) -> bool:
    """Do `work`, and return whether it ended in time; if not, it goes on until the process ends.

    Some pages keep PDFium in one call for minutes. Its calls leave Python free to go on.
    """

    def guarded() -> None:
        with suppress(PdfiumError, ValueError, OSError):  # what cannot be drawn has no picture
            work()

    thread = Thread(target=guarded, daemon=True)
    thread.start()
    thread.join(seconds + 1)
    return not thread.is_alive()
