"""The mails to a user, in their language: text and HTML from the same words."""

from django.conf import settings
from django.contrib.auth.tokens import default_token_generator
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode
from django.utils.translation import gettext as _

from accounts.models import User


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
    uid = urlsafe_base64_encode(force_bytes(user.pk))
    token = default_token_generator.make_token(user)
    with speaking_to(user):
        return _letter(
            user,
            _("A new password for Footfall"),
            _("Somebody, probably you, asked for a new password. This page sets it:"),
            f"{settings.SITE_URL}/password/{uid}/{token}/",
            _("If it was not you, you need not do anything: your password stays as it is."),
        )


def speaking_to(user: User) -> "translation.override":
    """Return a context in which texts are in the user's language."""
    return translation.override(user.language or settings.LANGUAGE_CODE)


def _letter(user: User, subject: str, text: str, link: str, closing: str) -> EmailMultiAlternatives:
    words = {
        "subject": subject,
        "greeting": _("Hello %s,") % user.username,
        "text": text,
        "link": link,
        "closing": closing,
    }
    letter = EmailMultiAlternatives(
        subject,
        render_to_string("accounts/mail/letter.txt", words),
        to=[user.email],
        headers={"Auto-Submitted": "auto-generated"},  # no answer from people on holiday
    )
    letter.attach_alternative(render_to_string("accounts/mail/letter.html", words), "text/html")
    return letter
