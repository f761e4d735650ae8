"""What Celery runs for accounts, and how a request asks for it."""

import logging
import threading
from typing import Any

from celery import shared_task
from django.contrib.sessions.models import Session
from django.utils import timezone
from kombu.exceptions import OperationalError

from accounts import letters
from accounts import welcome as welcoming
from accounts.models import Confirmation, User

logger = logging.getLogger(__name__)

_asking = threading.BoundedSemaphore(4)


@shared_task(name="accounts.welcome")
def welcome(pk: int) -> None:
    """Send the welcome mail of one user; when it fails, `welcome_due` tries again."""
    welcoming.send(pk)


@shared_task(name="accounts.welcome_due")
def welcome_due() -> None:
    """Send the welcome mails that wait: what the broker lost, and what has failed before."""
    welcoming.send_due()


RETRYING: dict[str, Any] = {
    "autoretry_for": (OSError,),  # smtplib's errors, too
    "retry_backoff": 5,  # seconds
    "retry_backoff_max": 600,
    "retry_jitter": True,
    "max_retries": 6,
}


@shared_task(name="accounts.reset_password", **RETRYING)
def reset_password(address: str) -> None:
    """Send the link for a new password, if an active user who has a password has the address."""
    user = User.objects.addressed(address).filter(is_active=True).first()
    if user is not None and user.has_usable_password():
        letters.reset(user).send()


@shared_task(name="accounts.confirm", **RETRYING)
def confirm(pk: int) -> None:
    """Send the link that confirms an address; the owner of one that is taken is told instead."""
    row = Confirmation.objects.select_related("user").filter(pk=pk).first()
    if row is not None:
        owner = next((user for user in User.objects.addressed(row.email) if user != row.user), None)
        (letters.registered_already(owner) if owner else letters.confirm(row)).send()


@shared_task(name="accounts.clear_sessions")
def clear_sessions() -> None:
    """Remove the sessions that have ended, and what was never confirmed."""
    Session.objects.filter(expire_date__lt=timezone.now()).delete()
    Confirmation.objects.expired().delete()


def ask_for_welcome(pk: int) -> None:
    """Have a worker send the mail now; if that cannot be asked for, `welcome_due` will.

    The caller does not wait: the client of Redis takes seconds to find out that it is away.
    """
    if _asking.acquire(blocking=False):
        threading.Thread(target=_ask_for_welcome, args=(pk,), daemon=True).start()


def _ask_for_welcome(pk: int) -> None:
    try:
        welcome.apply_async((pk,), retry=False)
    except (OperationalError, OSError) as error:
        logger.warning("the welcome of user %s waits for the next sweep: %s", pk, error)
    finally:
        _asking.release()


def ask_for_reset(address: str) -> bool:
    """Have a worker look the address up; return False if the broker takes no tasks now."""
    return _ask(reset_password, address)


def ask_for_confirmation(pk: int) -> bool:
    """Have a worker send the mail of a `Confirmation`; False if the broker takes no tasks now."""
    return _ask(confirm, pk)


def _ask(task: Any, argument: int | str) -> bool:
    try:
        task.apply_async((argument,), retry=False)
    except (OperationalError, OSError) as error:
        logger.warning("%s cannot be asked for now: %s", task.name, error)
        return False
    return True
