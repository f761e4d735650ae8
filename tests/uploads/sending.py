"""Sends files as clients do, in good ways and in bad ones."""

from pathlib import Path
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

UPLOAD = "/api/v1/upload/"
BOUNDARY = "----boundary"
MULTIPART = f"multipart/form-data; boundary={BOUNDARY}"


def send(
    client: Client,
    body: bytes = b"Hello\n",
    name: str = "a.txt",
    address: str = UPLOAD,
    **more: Any,
) -> Any:
    """Return the response to an upload."""
    return client.post(address, {"file": SimpleUploadedFile(name, body)}, **more)


def send_raw(client: Client, body: bytes, content_type: str = MULTIPART, **more: Any) -> Any:
    return client.post(UPLOAD, body, content_type=content_type, **more)


def part(body: bytes, name: str = "a.txt", field: str = "file") -> bytes:
    """Return a file as it stands in a multipart body."""
    disposition = f'form-data; name="{field}"; filename="{name}"'
    head = f"--{BOUNDARY}\r\nContent-Disposition: {disposition}\r\n\r\n"
    return head.encode("utf-8", "surrogatepass") + body + b"\r\n"


END = f"--{BOUNDARY}--\r\n".encode()


def stored(media: Path) -> list[Path]:
    """Return every file that lies in the storage, finished or not."""
    return [path for path in media.rglob("*") if path.is_file()]
