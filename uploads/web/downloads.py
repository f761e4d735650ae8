"""Downloads: from the disk, or by a redirect to a signed address of the object store."""

import os
import re
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

from django.conf import settings
from django.db.models.fields.files import FieldFile
from django.http import FileResponse, Http404, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.utils.cache import get_conditional_response
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.generics import GenericAPIView
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from whitenoise.responders import SlicedFile

from api.openapi_responses import errors
from uploads.detection.encoding import CHARSETS
from uploads.detection.media_type import SAFE_TO_SHOW
from uploads.models import File

RANGE = OpenApiParameter(
    "Range", str, OpenApiParameter.HEADER, description="One range of bytes: `bytes=0-1023`."
)
REDIRECT = OpenApiResponse(description="With an object store: to a signed address there.")
NOT_MODIFIED = OpenApiResponse(description="The ETag is the one in `If-None-Match`.")
UNSATISFIABLE = OpenApiResponse(description="The range begins after the end.")

# nginx would compare these rare headers with an ETag of its own, so they are not left to it.
PRECONDITIONS = {"If-Match", "If-Unmodified-Since"}


class Download(GenericAPIView[File]):
    queryset = File.objects.all()
    authentication_classes = ()
    permission_classes = (AllowAny,)

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        """Ignore the `Accept` header: a file is sent with its own type."""
        renderer = self.get_renderers()[0]
        return renderer, renderer.media_type

    def respond(self, stored: FieldFile, etag: str, headers: dict[str, str]) -> HttpResponseBase:
        """Return the file, a range of it, a redirect, or 304. etag: without quotes."""
        request = self.request._request
        try:
            path = Path(stored.path)
        except NotImplementedError:
            return redirect(stored, headers, str(request.method))
        headers = {
            "ETag": f'"{etag}"',
            "Accept-Ranges": "bytes",
            "X-Content-Type-Options": "nosniff",
            # A file that is opened as a page has no scripts, no forms, and no origin.
            "Content-Security-Policy": "sandbox; default-src 'none'",
            **headers,
        }
        if response := get_conditional_response(request, etag=headers["ETag"]):
            for name, value in headers.items():
                response[name] = value
            return response
        try:
            file = path.open("rb")
        except FileNotFoundError:
            raise Http404(_("The file is no longer in the storage.")) from None
        if settings.DOWNLOADS_ACCEL_PREFIX and not PRECONDITIONS & request.headers.keys():
            file.close()
            return accel_redirect(stored, headers)
        range_header = request.headers.get("Range", "")
        if request.headers.get("If-Range", headers["ETag"]) != headers["ETag"]:
            range_header = ""  # the client has a part of another file
        return send(file, range_header, headers, body=request.method != "HEAD")


class Content(Download):
    """The file itself."""

    @extend_schema(
        operation_id="file_content",
        parameters=[RANGE],
        responses={
            (200, "*/*"): OpenApiTypes.BINARY,
            (206, "*/*"): OpenApiTypes.BINARY,
            302: REDIRECT,
            304: NOT_MODIFIED,
            416: UNSATISFIABLE,
            **errors(404, 503),
        },
    )
    def get(self, request: Request, pk: int) -> HttpResponseBase:
        file = self.get_object()
        attachment = file.content_type not in SAFE_TO_SHOW
        headers = {
            "Content-Type": content_type(file),
            "Content-Disposition": content_disposition_header(attachment, file.name) or "inline",
            "Cache-Control": "no-cache",  # it may be deleted; the ETag saves sending it again
        }
        return self.respond(file.file, file.sha256, headers)


def content_type(file: File) -> str:
    """Return the type with the encoding of a text: UTF-8 until processing has found it."""
    if not file.content_type.startswith("text/"):
        return file.content_type
    encoding = str(file.metadata.get("encoding"))
    if not re.fullmatch(r"[a-z0-9_.-]{3,30}", encoding):
        encoding = "utf-8"
    return f"{file.content_type}; charset={CHARSETS.get(encoding, encoding)}"


class Thumbnail(Download):
    """The thumbnail of the file, if it has one."""

    @extend_schema(
        operation_id="file_thumbnail",
        responses={
            (200, "image/webp"): OpenApiTypes.BINARY,
            302: REDIRECT,
            304: NOT_MODIFIED,
            **errors(404, 503),
        },
    )
    def get(self, request: Request, pk: int) -> HttpResponseBase:
        file = self.get_object()
        if not file.thumbnail:
            raise Http404(_("The file has no thumbnail."))
        headers = {
            "Content-Type": "image/webp",
            "Content-Disposition": "inline",
            "Cache-Control": "public, max-age=604800",
        }
        return self.respond(file.thumbnail, f"thumbnail-{file.sha256}", headers)


def redirect(stored: FieldFile, headers: dict[str, str], method: str) -> HttpResponse:
    parameters = {
        "ResponseContentType": headers["Content-Type"],
        "ResponseContentDisposition": headers["Content-Disposition"],
    }
    storage: Any = stored.storage  # of django-storages
    address = storage.url(stored.name, parameters=parameters, http_method=method)
    headers = {"Cache-Control": "no-store"}  # the signature expires
    return HttpResponseRedirect(address, headers=headers)


def accel_redirect(stored: FieldFile, headers: dict[str, str]) -> HttpResponse:
    """Have nginx send the file with these headers, or a range of it."""
    path = f"{settings.DOWNLOADS_ACCEL_PREFIX}{quote(stored.name or '')}"
    headers = {**headers, "X-Accel-Redirect": path}
    del headers["Accept-Ranges"]  # nginx sends its own
    return HttpResponse(headers=headers)


def send(
    file: BinaryIO, range_header: str, headers: dict[str, str], *, body: bool
) -> HttpResponseBase:
    """Return `file` or the requested range of it (RFC 9110)."""
    size = os.fstat(file.fileno()).st_size
    status, start, stop = 200, 0, size
    if found := parse_range(range_header, size):
        status, (start, stop) = 206, found
        if start >= stop:
            file.close()
            return HttpResponse(status=416, headers={"Content-Range": f"bytes */{size}"})
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
    headers["Content-Length"] = str(stop - start)
    if not body:
        file.close()
        return HttpResponse(status=status, headers=headers)
    part: Any = SlicedFile(file, start, stop - 1)
    return RangeResponse(part, status=status, headers=headers)


class RangeResponse(FileResponse):
    block_size = 64 * 1024

    def set_headers(self, filelike: BinaryIO) -> None:
        """Keep the headers that were given."""


def parse_range(header: str, size: int) -> tuple[int, int] | None:
    """Return the start and the end (exclusive) of the requested range.

    None for an invalid header or several ranges: then the whole file is sent, as the RFC allows.
    """
    found = re.fullmatch(r"bytes=(\d{0,18})-(\d{0,18})", header.strip())
    if not found or not any(found.groups()):
        return None
    first, last = found.groups()
    if not first:
        return max(size - int(last), 0), size
    if last and int(last) < int(first):
        return None
    return int(first), min(int(last) + 1, size) if last else size
