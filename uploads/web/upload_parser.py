"""Reads the body of an upload: writes the file to the disk in chunks while it arrives."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.core.files.uploadhandler import FileUploadHandler
from django.http import HttpRequest, QueryDict, UnreadablePostError
from django.http.multipartparser import MultiPartParser, MultiPartParserError
from django.template.defaultfilters import filesizeformat
from django.utils.datastructures import MultiValueDict
from django.utils.translation import gettext as _
from rest_framework import status
from rest_framework.exceptions import (
    APIException,
    ParseError,
    UnsupportedMediaType,
    ValidationError,
)

from api.encodings import UnsupportedEncoding
from uploads.detection.names import header_encoding
from uploads.web import filenames
from uploads.web.body_slots import body_slot
from uploads.web.received_file import ReceivedFile, StorageUnavailable

FIELD = "file"
MULTIPART = "multipart/form-data"
MAX_OTHER_BYTES = 1024**2
"""Longest rest of a body beside the file: other fields and boundaries."""
MAX_HEADER_BYTES = 1024
"""Longest header of a part, as Django reads it."""
MAX_PARTS = 20
"""The file and the other fields. Django takes time to find the start of each part."""


class FileTooLarge(APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_code = "file_too_large"

    def __init__(self, max_bytes: int) -> None:
        super().__init__(_("The file is too large: at most %s.") % filesizeformat(max_bytes))


class UploadHandler(FileUploadHandler):
    """Accepts one file, in the field `file`; files in other fields are ignored."""

    chunk_size = 256 * 1024

    def __init__(self, max_bytes: int) -> None:
        super().__init__()
        self.max_bytes = max_bytes
        self.received: ReceivedFile | None = None
        self.current: ReceivedFile | None = None

    def new_file(self, field_name: str, file_name: str, *args: Any, **kwargs: Any) -> None:
        self.current = None
        if field_name == FIELD:
            if self.received:
                raise ValidationError({FIELD: [_("Send one file at a time.")]})
            self.current = self.received = ReceivedFile(filenames.clean(file_name))

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        if self.current:
            if start + len(raw_data) > self.max_bytes:
                raise FileTooLarge(self.max_bytes)
            self.current.append(raw_data)

    def file_complete(self, file_size: int) -> ReceivedFile | None:
        if self.current:
            if not file_size:
                raise ValidationError({FIELD: [_("The file is empty.")]})
            self.current.finish()
        return self.current


class LimitedBody:
    """The body of a request, limited in bytes and parts, even if its length is unknown.

    Headers that are not in UTF-8 are turned into it, since Django ignores them: some programs
    write the file's name as it is on their disk.
    """

    def __init__(self, request: HttpRequest, max_file_bytes: int) -> None:
        boundary = (request.content_params or {}).get("boundary", "")
        self.delimiter = b"\r\n--" + boundary.encode()  # no part can contain it
        self.parts = 0
        is_chunked = "CONTENT_LENGTH" not in request.META and request.META.get(
            "wsgi.input_terminated"
        )
        self.stream = request.META["wsgi.input"] if is_chunked else request
        self.max_file_bytes = max_file_bytes
        self.left = max_file_bytes + MAX_OTHER_BYTES
        self.held = b"\r\n"  # before the first boundary, and never returned
        self.extra = len(self.held)

    def read(self, size: int) -> bytes:
        """Return the next bytes: about `size`; none at the end."""
        ready = b""
        while not ready and (data := self.receive(size)):
            ready, self.held = self._split(self.held + data)
            ready, self.extra = ready[self.extra :], max(0, self.extra - len(ready))
        if not ready:
            ready, self.held = self.held[self.extra :], b""
        return ready

    def receive(self, size: int) -> bytes:
        """Return bytes as they come. Raises FileTooLarge."""
        try:
            data: bytes = self.stream.read(size)
        except OSError as error:
            raise UnreadablePostError(*error.args) from error
        self.left -= len(data)
        if self.left < 0:
            raise FileTooLarge(self.max_file_bytes)
        return data

    def _split(self, data: bytes) -> tuple[bytes, bytes]:
        """Return what can be parsed, and what may be the beginning of a boundary or a header."""
        ready: list[bytes] = []
        while (start := data.find(self.delimiter)) >= 0:
            end = data.find(b"\r\n\r\n", start)
            if end < 0 and len(data) - start < MAX_HEADER_BYTES:
                return b"".join((*ready, data[:start])), data[start:]
            if end < 0 or data.startswith(b"--", start + len(self.delimiter)):
                end = start + len(self.delimiter)
            self.parts += 1
            if self.parts > MAX_PARTS:
                raise ParseError(_("Send one file at a time."))
            ready += [data[:start], in_utf8(data[start:end])]
            data = data[end:]
        kept = max(0, len(data) - len(self.delimiter))
        return b"".join((*ready, data[:kept])), data[kept:]


def in_utf8(header: bytes) -> bytes:
    """Return the header of a part in UTF-8, if it was in another encoding."""
    if header.isascii():
        return header
    return header.decode(header_encoding(header), "replace").encode()


class UploadParser(MultiPartParser):
    """Django's parser, without its cleaning of file names: `filenames.clean` does that."""

    def sanitize_file_name(self, file_name: str) -> str:
        return file_name


@contextmanager
def receive_file(request: HttpRequest) -> Iterator[ReceivedFile]:
    """Read the body and yield its file. Afterwards the file is deleted, unless it was stored.

    Raises an APIException if something is wrong with the request, often before all of it is read.
    """
    handler = UploadHandler(settings.UPLOADS_MAX_BYTES)
    try:
        with body_slot():
            read_body(request, handler)
            if handler.received is None:
                raise ValidationError({FIELD: [_("No file was sent.")]})
            if not handler.received.is_complete:
                raise ParseError(_("The body ends before the file does."))
            yield handler.received
    finally:
        if handler.received:
            handler.received.close()


def read_body(request: HttpRequest, handler: UploadHandler) -> None:
    """Pass the file to `handler`, and the other fields, like the CSRF token, to `request.POST`."""
    try:
        length = int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        raise ParseError(_("The length of the body is not a number.")) from None
    if length > handler.max_bytes + MAX_OTHER_BYTES:
        raise FileTooLarge(handler.max_bytes)
    fields: QueryDict = QueryDict()
    files: MultiValueDict[str, Any] = MultiValueDict()
    if request.content_type == MULTIPART:
        fields, files = parse_multipart(request, handler)
    elif request.content_type or length:
        raise UnsupportedMediaType(request.content_type or "")
    # As Django does after reading a body, so that it is not read again.
    request._post = fields  # type: ignore[attr-defined]
    request._files = files  # type: ignore[attr-defined]


def discard_body(request: HttpRequest) -> None:
    """Read the body and drop it: a client that still sends it does not see the response before."""
    with body_slot():
        body = LimitedBody(request, settings.UPLOADS_MAX_BYTES)
        while body.receive(UploadHandler.chunk_size):
            pass


def parse_multipart(
    request: HttpRequest, handler: UploadHandler
) -> tuple[QueryDict, MultiValueDict[str, Any]]:
    # The parser uses the length only to see whether there is a body.
    meta = {**request.META, "CONTENT_LENGTH": "1"}
    body: Any = LimitedBody(request, handler.max_bytes)
    try:
        return UploadParser(meta, body, [handler], "utf-8").parse()
    except RequestDataTooBig as error:
        raise FileTooLarge(handler.max_bytes) from error
    except UnsupportedEncoding:
        raise
    except (MultiPartParserError, SuspiciousOperation) as error:
        if "header size" in str(error):  # Django reads 1,024 bytes before each part
            raise ValidationError({FIELD: [_("The name of the file is too long.")]}) from error
        raise ParseError(_("The multipart body is broken: %s") % error) from error
    except UnreadablePostError as error:
        raise ParseError(_("The body ends before the file does.")) from error
    except OSError as error:  # the disk is full
        raise StorageUnavailable from error
