"""The mails to a user, in their language: text and HTML from the same words.

Of what a client has sent, a mail shows the name alone, and only one that is no message or link:
the reader may never have heard of this service.
"""

from django.conf import settings
from django.contrib.auth.tokens import default_token_generator
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.translation import gettext as _

from accounts.links import confirmation_tokens, uid_of
from accounts.models import Confirmation, User
from accounts.names import is_plain


def welcome(user: User) -> EmailMultiAlternatives:
    """Return the mail that greets a new user."""
    with speaking_to(user):
        return _letter(
            user,
            _("Welcome to Footfall"),
            _("Your account is there. Sign in with your username or with this e-mail address."),
            settings.SITE_URL,
            _("If it was not you who registered, you need not do anything."),
        )


def reset(user: User) -> EmailMultiAlternatives:
    """Return the mail with the link that sets a new password, once and within 3 days."""
    token = default_token_generator.make_token(user)
    with speaking_to(user):
        return _letter(
            user,
            _("A new password for Footfall"),
            _("Somebody, probably you, asked for a new password. This page sets it:"),
            f"{settings.SITE_URL}/password/{uid_of(user)}/{token}/",
            _("If it was not you, you need not do anything: your password stays as it is."),
        )


def confirm(row: Confirmation) -> EmailMultiAlternatives:
    """Return the mail with the link that makes an account or changes an address, within 3 days."""
    token = confirmation_tokens.make_token(row)  # type: ignore[arg-type]  # all it needs is there
    with speaking_to(row):
        if row.user_id:
            text = _("Your account is to have this e-mail address. This page confirms it:")
        else:
            text = _("An account was asked for with this e-mail address. This page confirms it:")
        return _letter(
            row.user or row,
            _("Confirm your e-mail address"),
            text,
            f"{settings.SITE_URL}/confirm/{uid_of(row)}/{token}/",
            _("If it was not you, you need not do anything: nothing will happen."),
            to=row.email,
        )


def registered_already(user: User) -> EmailMultiAlternatives:
    """Return the mail that tells the owner of an address that it was given again."""
    with speaking_to(user):
        return _letter(
            user,
            _("You have an account at Footfall"),
            _(
                "This e-mail address was given for another account, but it is the address of"
                " yours. Sign in with it; if you have forgotten the password, ask for a new one."
            ),
            settings.SITE_URL,
            _("If it was not you, you need not do anything: nothing will happen."),
        )


def speaking_to(reader: User | Confirmation) -> "translation.override":
    """Return a context in which texts are in the reader's language."""
    return translation.override(reader.language or settings.LANGUAGE_CODE)


def _letter(
    reader: User | Confirmation, subject: str, text: str, link: str, closing: str, to: str = ""
) -> EmailMultiAlternatives:
    name = reader.username
    words = {
        "subject": subject,
        "greeting": _("Hello %s,") % name if is_plain(name) else _("Hello,"),
        "text": text,
        "link": link,
        "closing": closing,
    }
    letter = EmailMultiAlternatives(
        subject,
        render_to_string("accounts/mail/letter.txt", words),
        to=[to or reader.email],
        headers={"Auto-Submitted": "auto-generated"},  # no answer from people on holiday
    )
    letter.attach_alternative(render_to_string("accounts/mail/letter.html", words), "text/html")
    return letter
