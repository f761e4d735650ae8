"""Celery tasks of accounts."""

from typing import Any

from celery import shared_task
from django.contrib.sessions.models import Session
from django.utils import timezone

from accounts.emails import messages
from accounts.emails import welcome as welcome_emails
from accounts.models import Confirmation, User

welcome = shared_task(name="accounts.welcome")(welcome_emails.send)
welcome_due = shared_task(name="accounts.welcome_due")(welcome_emails.send_due)

RETRY: dict[str, Any] = {
    "autoretry_for": (OSError,),  # includes smtplib's errors
    "retry_backoff": 5,  # seconds
    "retry_backoff_max": 600,
    "retry_jitter": True,
    "max_retries": 6,
}


@shared_task(name="accounts.reset_password", **RETRY)
def reset_password(address: str) -> None:
    """Send the link for a new password, if an active user with a password has the address."""
    user = User.objects.with_email(address).filter(is_active=True).first()
    if user is not None and user.has_usable_password():
        messages.reset(user).send()


@shared_task(name="accounts.confirm", **RETRY)
def confirm(pk: int) -> None:
    """Send the link that confirms an address; if another user has the address, tell them."""
    row = Confirmation.objects.select_related("user").filter(pk=pk).first()
    if row is not None:
        users = User.objects.with_email(row.email)
        owner = next((user for user in users if user != row.user), None)
        (messages.address_taken(owner) if owner else messages.confirm(row)).send()


@shared_task(name="accounts.clear_sessions")
def clear_sessions() -> None:
    """Remove expired sessions and confirmations."""
    Session.objects.filter(expire_date__lt=timezone.now()).delete()
    Confirmation.objects.expired().delete()
