"""The links in e-mails: `/<uid>/<token>/`, with Django's tokens."""

from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_decode, urlsafe_base64_encode

from accounts.models import Confirmation, User


class ConfirmationTokens(PasswordResetTokenGenerator):
    """Valid until the row is deleted, and for `PASSWORD_RESET_TIMEOUT` at most."""

    key_salt = "accounts.confirmation"


confirmation_tokens = ConfirmationTokens()


def encode_uid(row: User | Confirmation) -> str:
    return urlsafe_base64_encode(force_bytes(row.pk))


def decode_uid(uid: str) -> str:
    """Return the primary key that `encode_uid` has encoded. Raises ValueError for anything else."""
    return urlsafe_base64_decode(uid).decode()
