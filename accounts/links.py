"""The links in mails: `/<uid>/<token>/`, where the token is Django's."""

from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_decode, urlsafe_base64_encode

from accounts.models import Confirmation, User


class ConfirmationTokens(PasswordResetTokenGenerator):
    """They end with the row, and after `PASSWORD_RESET_TIMEOUT`."""

    key_salt = "accounts.confirmation"


confirmation_tokens = ConfirmationTokens()


def uid_of(row: User | Confirmation) -> str:
    return urlsafe_base64_encode(force_bytes(row.pk))


def pk_in(uid: str) -> str:
    """Return what `uid_of` was made of. Raises ValueError for what it has not made."""
    return urlsafe_base64_decode(uid).decode()
