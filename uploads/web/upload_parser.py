"""Takes a file off the wire: to the disk, piece by piece, hashed and judged on its way.

However a request ends, whatever has not been stored by then is gone with it.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from tempfile import NamedTemporaryFile
from threading import BoundedSemaphore
from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler
from django.http import HttpRequest, QueryDict, UnreadablePostError
from django.http.multipartparser import MultiPartParser, MultiPartParserError
from django.utils.datastructures import MultiValueDict
from django.utils.translation import gettext as _
from rest_framework.exceptions import ParseError, UnsupportedMediaType, ValidationError

from api.encodings import UnsupportedEncoding
from uploads.detection.content_type import HEAD_BYTES, Detected, Refused, detect
from uploads.web import filenames
from uploads.web.errors import Busy, StorageAway, TooLarge, TypeRefused

FIELD = "file"
MULTIPART = "multipart/form-data"
BESIDE = 1024**2
"""Bytes that a request may have beside those of its file: the other fields, the boundaries."""

MOST_PARTS = 20
"""There is the file, and what a form may have beside it; to find the start of each takes time."""

SLOT_TIMEOUT = 0.25
"""Seconds for which a request waits for a slot; a small file is received in less."""

# A body takes a thread of the server for as long as its client takes to send it.
body_slots = BoundedSemaphore(settings.UPLOADS_AT_ONCE)


class Received(UploadedFile):  # type: ignore[type-arg]  # it takes none at run time
    """A file on the disk, where a local storage can take it over by renaming."""

    file: Any
    name: str
    size: int

    def __init__(self, name: str) -> None:
        file = NamedTemporaryFile(dir=folder(), suffix=".part")  # noqa: SIM115  # closed by `receive`
        super().__init__(file, name, size=0)
        self.head = b""
        self.hash = sha256()
        self.detected: Detected | None = None
        self.is_complete = False

    def append(self, chunk: bytes) -> None:
        """Take the next piece. Raises TypeRefused as soon as that is certain."""
        self.file.write(chunk)
        self.hash.update(chunk)
        self.size += len(chunk)
        if missing := HEAD_BYTES - len(self.head):
            self.head += chunk[:missing]
            if len(self.head) == HEAD_BYTES:
                self.verdict()

    def verdict(self) -> Detected:
        """Return what it is. Raises TypeRefused."""
        if self.detected is None:
            try:
                self.detected = detect(self.head, self.name)
            except Refused as refused:
                raise TypeRefused(str(refused)) from refused
        return self.detected

    def finish(self) -> None:
        """Put it on the disk for good: what was answered with 201 survives a power failure."""
        self.verdict()
        self.file.flush()
        os.fsync(self.file.fileno())
        self.file.seek(0)
        self.is_complete = True

    def temporary_file_path(self) -> str:
        """Return where it lies. Django's storage renames what has this method."""
        return str(self.file.name)

    def close(self) -> None:
        with suppress(FileNotFoundError):  # the storage has taken it over
            self.file.close()


def folder() -> Path | None:
    """Return where files arrive: on the disk of the storage, if it has one."""
    try:
        path = Path(default_storage.path("incoming"))
    except NotImplementedError:
        return None
    path.mkdir(parents=True, exist_ok=True)
    return path


class Receiver(FileUploadHandler):
    """Django's way to stream: one file in the field `file`; what is in other fields is dropped."""

    chunk_size = 256 * 1024

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.limit = limit
        self.received: Received | None = None
        self.current: Received | None = None

    def new_file(self, field_name: str, file_name: str, *args: Any, **kwargs: Any) -> None:
        self.current = None
        if field_name == FIELD:
            if self.received:
                raise ValidationError({FIELD: [_("Send one file at a time.")]})
            self.current = self.received = Received(filenames.clean(file_name))

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        if self.current:
            if start + len(raw_data) > self.limit:
                raise TooLarge(self.limit)
            self.current.append(raw_data)

    def file_complete(self, file_size: int) -> Received | None:
        if self.current:
            if not file_size:
                raise ValidationError({FIELD: [_("The file is empty.")]})
            self.current.finish()
        return self.current


class Body:
    """The body of a request, up to a limit in bytes, and in parts; one of unknown length, too."""

    def __init__(self, request: HttpRequest, limit: int) -> None:
        boundary = (request.content_params or {}).get("boundary", "")
        self.boundary = b"\r\n--" + boundary.encode()  # which no part of a form may contain
        self.parts = 0
        endless = "CONTENT_LENGTH" not in request.META and request.META.get("wsgi.input_terminated")
        self.stream = request.META["wsgi.input"] if endless else request
        self.limit = self.left = limit

    def read(self, size: int) -> bytes:
        try:
            data: bytes = self.stream.read(size)
        except OSError as error:
            raise UnreadablePostError(*error.args) from error
        self.left -= len(data)
        if self.left < 0:
            raise TooLarge(self.limit - BESIDE)
        self.parts += data.count(self.boundary)
        if self.parts > MOST_PARTS:
            raise ParseError(_("Send one file at a time."))
        return data


class Multipart(MultiPartParser):
    """Django's parser; a name is cleaned once it is that of the file, as `uploads.web.filenames` has it."""

    def sanitize_file_name(self, file_name: str) -> str:
        return file_name


@contextmanager
def receive(request: HttpRequest) -> Iterator[Received]:
    """Read the body of `request`, and yield its file; afterwards it is gone, unless it was moved.

    Raises an APIException that tells what is wrong with the request, perhaps before it is all read.
    """
    receiver = Receiver(settings.UPLOADS_MAX_BYTES)
    if not body_slots.acquire(timeout=SLOT_TIMEOUT):
        raise Busy
    try:
        read(request, receiver)
        if receiver.received is None:
            raise ValidationError({FIELD: [_("No file was sent.")]})
        if not receiver.received.is_complete:
            raise ParseError(_("The body ends before the file does."))
        yield receiver.received
    finally:
        body_slots.release()
        if receiver.received:
            receiver.received.close()


def read(request: HttpRequest, receiver: Receiver) -> None:
    """Have `receiver` read the body. Its fields are in `request.POST` then: the CSRF token."""
    try:
        length = int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        raise ParseError(_("The length of the body is not a number.")) from None
    if length > receiver.limit + BESIDE:
        raise TooLarge(receiver.limit)
    fields: QueryDict = QueryDict()
    files: MultiValueDict[str, Any] = MultiValueDict()
    if request.content_type == MULTIPART:
        fields, files = parse(request, receiver)
    elif request.content_type or length:
        raise UnsupportedMediaType(request.content_type or "")
    # As if Django had read it: nothing tries again.
    request._post = fields  # type: ignore[attr-defined]
    request._files = files  # type: ignore[attr-defined]


def parse(request: HttpRequest, receiver: Receiver) -> tuple[QueryDict, MultiValueDict[str, Any]]:
    # The parser asks for the length only to know whether there is a body.
    meta = {**request.META, "CONTENT_LENGTH": "1"}
    body = Body(request, receiver.limit + BESIDE)
    try:
        return Multipart(meta, body, [receiver], "utf-8").parse()  # type: ignore[arg-type]
    except RequestDataTooBig as error:
        raise TooLarge(receiver.limit) from error
    except UnsupportedEncoding:
        raise
    except (MultiPartParserError, SuspiciousOperation) as error:
        if "header size" in str(error):  # Django reads 1,024 bytes before each part
            raise ValidationError({FIELD: [_("The name of the file is too long.")]}) from error
        raise ParseError(_("The multipart body is broken: %s") % error) from error
    except UnreadablePostError as error:
        raise ParseError(_("The body ends before the file does.")) from error
    except OSError as error:  # the disk is full
        raise StorageAway from error
