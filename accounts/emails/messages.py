"""The e-mails to a user, in the user's language, as text and HTML.

Anyone can have an e-mail sent to an address of someone else. So the only client-supplied text in an
e-mail is the username, and only if it looks like a plain name.
"""

from typing import Any

from django.conf import settings
from django.contrib.auth.tokens import PasswordResetTokenGenerator, default_token_generator
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode
from django.utils.translation import gettext_lazy as _

from accounts.models import Confirmation, User
from accounts.usernames import is_plain


class ConfirmationTokens(PasswordResetTokenGenerator):
    """Valid until the row is deleted, and for `PASSWORD_RESET_TIMEOUT` at most."""

    key_salt = "accounts.confirmation"


confirmation_tokens = ConfirmationTokens()


def welcome(user: User) -> EmailMultiAlternatives:
    """Return the welcome e-mail of a new user."""
    return _message(
        user,
        _("Welcome to Footfall"),
        _("Your account is ready. Sign in with your username or this e-mail address."),
        settings.SITE_URL,
        _("If you did not register, you can ignore this e-mail."),
    )


def reset(user: User) -> EmailMultiAlternatives:
    """Return the e-mail with the link to set a new password, valid once and for 3 days."""
    return _message(
        user,
        _("Reset your Footfall password"),
        _("We received a request to reset your password. Set a new one here:"),
        _link("password", user, default_token_generator),
        _("If you did not request it, ignore this e-mail: your password stays the same."),
    )


def confirm(row: Confirmation) -> EmailMultiAlternatives:
    """Return the e-mail with the link to confirm an account or a new address, valid for 3 days."""
    if row.user_id:
        text = _("You changed the e-mail address of your account. Confirm it here:")
    else:
        text = _("A new account was registered with this e-mail address. Confirm it here:")
    return _message(
        row.user or row,
        _("Confirm your e-mail address"),
        text,
        _link("confirm", row, confirmation_tokens),
        _("If you did not request it, you can ignore this e-mail."),
        to=row.email,
    )


def address_taken(user: User) -> EmailMultiAlternatives:
    """Return the e-mail that tells a user that their address was entered for another account."""
    return _message(
        user,
        _("You already have a Footfall account"),
        _(
            "This e-mail address was entered for another account, but it belongs to yours."
            " Sign in with it, or reset your password if you have forgotten it."
        ),
        settings.SITE_URL,
        _("If you did not request it, you can ignore this e-mail."),
    )


def _link(path: str, row: Any, tokens: PasswordResetTokenGenerator) -> str:
    # As djoser has it, which would load Django's test client into every process.
    uid = urlsafe_base64_encode(force_bytes(row.pk))
    return f"{settings.SITE_URL}/{path}/{uid}/{tokens.make_token(row)}/"


def _message(
    reader: User | Confirmation, subject: Any, text: Any, link: str, closing: Any, to: str = ""
) -> EmailMultiAlternatives:
    name = reader.username
    context = {
        "subject": subject,
        "greeting": _("Hello %s,") % name if is_plain(name) else _("Hello,"),
        "text": text,
        "link": link,
        "closing": closing,
    }
    with translation.override(reader.language or settings.LANGUAGE_CODE):
        message = EmailMultiAlternatives(
            str(subject),
            render_to_string("accounts/emails/message.txt", context),
            to=[to or reader.email],
            headers={"Auto-Submitted": "auto-generated"},  # asks for no automatic replies
        )
        html = render_to_string("accounts/emails/message.html", context)
    message.attach_alternative(html, "text/html")
    return message
