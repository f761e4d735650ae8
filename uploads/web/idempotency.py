"""`Idempotency-Key`: a client that repeats an upload gets the file that the first one has made.

The key is committed together with the row of its file: there is never one without the other,
however the first request ended.
"""

import re
from hashlib import sha256

from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter
from rest_framework.exceptions import ParseError
from rest_framework.request import Request

from api.throttling import client_ip
from footfall import identity
from footfall.identity import HOURS_PER_DAY, MAX_STEP
from uploads.models import File, UploadKey

HEADER = "Idempotency-Key"
PATTERN = "[A-Za-z0-9_-]{16,64}"
KEEP_EPOCHS = HOURS_PER_DAY + MAX_STEP + 1
"""A clock that jumps ages a key by `MAX_STEP`; it is known for a day at least."""

PARAMETER = OpenApiParameter(
    HEADER,
    {"type": "string", "pattern": f"^{PATTERN}$"},
    OpenApiParameter.HEADER,
    description="For 24 hours, the same key of the same client (account, or address and user "
    "agent) answers the file that the first request has made, and stores nothing.",
)


def digest_of(request: Request) -> str | None:
    """Return what client and key are known by; None without a key. Raises ParseError."""
    key = request.headers.get(HEADER)
    if key is None:
        return None
    if not re.fullmatch(PATTERN, key):
        raise ParseError(_("Idempotency-Key must have 16 to 64 of A-Z, a-z, 0-9, _ and -."))
    if request.user.is_authenticated:
        client = f"u{request.user.pk}"
    else:
        client = f"{client_ip(request)} {request.headers.get('User-Agent', '')}"
    return sha256(f"{key} {client}".encode(errors="replace")).hexdigest()


def find(digest: str | None) -> File | None:
    """Return the file that the first request has made."""
    if digest is None:
        return None
    found = UploadKey.objects.filter(digest=digest).select_related("file").first()
    return found.file if found else None


def note(digest: str, file: File) -> None:
    """Note the key, in the transaction that creates the row. Raises IntegrityError if it is known.

    While another request with it is about to commit, this waits.
    """
    UploadKey.objects.create(digest=digest, file=file, epoch=identity.epoch())


def forget_old(epoch: int) -> int:
    """Delete the keys that are older than a day; return how many."""
    deleted, _ = UploadKey.objects.filter(epoch__lte=epoch - KEEP_EPOCHS).delete()
    return deleted
