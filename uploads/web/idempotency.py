"""`Idempotency-Key`: a client that repeats an upload gets the file that the first one has made.

The key is committed together with the row of its file: there is never one without the other,
however the first request ended.
"""

from hashlib import sha256

from rest_framework.request import Request

from api import idempotency
from footfall import identity
from uploads.models import File, UploadKey

PARAMETER = idempotency.parameter(
    "For 24 hours, the same key of the same client (account, or address and user agent) answers "
    "the file that the first request has made, and stores nothing."
)


def digest_of(request: Request) -> str | None:
    """Return what client and key are known by; None without a key. Raises InvalidKey."""
    key = request.META.get(idempotency.HEADER)
    if key is None:
        return None
    if not idempotency.is_valid(key):
        raise idempotency.InvalidKey
    client: tuple[str, ...] = ("account", str(request.user.pk))
    if not request.user.is_authenticated:
        client = idempotency.client_of(request.META)
    return sha256("\n".join((key, *client)).encode(errors="replace")).hexdigest()


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
