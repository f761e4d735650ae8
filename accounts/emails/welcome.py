"""Sends each welcome e-mail at most once: an e-mail that may have been sent is never sent again.

The connection to the mail server is opened before the e-mail is claimed, so that a server that is
down costs only a retry. Then the row is claimed by compare-and-set, the e-mail sent, and the row
marked as sent. If the server refuses it, the claim is released for a retry. If the process dies
between claim and mark, or the connection breaks while sending, the server may have accepted it: the
claim stays, no second e-mail is sent, and the admin shows it as "perhaps sent". There, staff may
send it again, or mark it as sent.
"""

import logging
import smtplib
from datetime import datetime, timedelta

from django.core.mail import EmailMultiAlternatives, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.db.models import F, QuerySet
from django.utils import timezone

from accounts.emails import messages
from accounts.models import Welcome
from footfall.common import outbox

logger = logging.getLogger(__name__)

FIRST_RETRY, LONGEST_RETRY = timedelta(seconds=10), timedelta(hours=1)
GIVE_UP_AFTER = timedelta(days=7)

LONGEST_SENDING = timedelta(minutes=2)
"""A claim that is older belongs to no process that is still sending."""

# The server has answered, and has refused the e-mail.
REFUSED = (
    smtplib.SMTPResponseException,
    smtplib.SMTPRecipientsRefused,
    smtplib.SMTPNotSupportedError,
)


def unclear(welcomes: QuerySet[Welcome]) -> QuerySet[Welcome]:
    """Return those that may or may not have been sent, and that no process is sending now."""
    return welcomes.filter(sent_at=None, claimed_at__lt=timezone.now() - LONGEST_SENDING)


def send_again(welcomes: QuerySet[Welcome]) -> int:
    """Make those due that are perhaps sent or given up; return how many."""
    now = timezone.now()
    given_up = welcomes.filter(sent_at=None, claimed_at=None, due_at=None)
    again = {"asked_at": now, "due_at": now, "claimed_at": None, "tries": 0, "error": ""}
    return unclear(welcomes).update(**again) + given_up.update(**again)


def mark_as_sent(welcomes: QuerySet[Welcome]) -> int:
    """Mark those as sent that are perhaps sent, at the time of that attempt; return how many."""
    return unclear(welcomes).update(sent_at=F("claimed_at"), error="")


def send_due() -> None:
    """Send the e-mails that are due, oldest first, until the mail server is unreachable."""
    outbox.send_due(Welcome.objects.filter(due_at__lte=timezone.now()).order_by("due_at"), send)


def send(pk: int) -> bool:
    """Send the welcome e-mail of the user `pk`, if it is still due.

    Returns False if the mail server is unreachable. The row says how the e-mail stands.
    """
    welcome = Welcome.objects.select_related("user").filter(pk=pk, due_at__isnull=False).first()
    if welcome is None:
        return True
    connection = get_connection()
    try:
        connection.open()
    except OSError as error:
        retry_later(welcome, error)
        return False
    try:
        claim_and_send(welcome, messages.welcome(welcome.user), connection)
    finally:
        close(connection)
    return True


def claim_and_send(
    welcome: Welcome, message: EmailMultiAlternatives, connection: BaseEmailBackend
) -> None:
    """Claim, send, mark as sent. Of several concurrent calls, one gets the claim."""
    now = timezone.now()
    due = Welcome.objects.filter(pk=welcome.pk, due_at__isnull=False, claimed_at=None)
    if not due.update(claimed_at=now, due_at=None):
        return
    claimed = Welcome.objects.filter(pk=welcome.pk, claimed_at=now)
    try:
        connection.send_messages([message])
    except Exception as error:
        if isinstance(error, OSError) and not isinstance(error, REFUSED):
            claimed.update(error=describe(error))
            logger.warning("welcome of user %s perhaps sent: %s", welcome.pk, describe(error))
            return
        # The server refused it, or it could not be rendered.
        retry_later(welcome, error, claimed_at=now)
        return
    claimed.update(sent_at=timezone.now(), error="")


def retry_later(welcome: Welcome, error: Exception, claimed_at: datetime | None = None) -> None:
    """Note a failed attempt, and release the e-mail for the next one."""
    now = timezone.now()
    is_old = now - welcome.asked_at > GIVE_UP_AFTER
    logger.warning("welcome of user %s not sent: %s", welcome.pk, describe(error))
    Welcome.objects.filter(pk=welcome.pk, claimed_at=claimed_at).update(
        claimed_at=None,
        due_at=None if is_old else now + retry_delay(welcome.tries),
        tries=F("tries") + 1,
        error=describe(error),
    )


def retry_delay(tries: int) -> timedelta:
    """Return how long to wait for the next attempt, with jitter.

    tries: failed attempts before the current one.
    """
    return outbox.backoff(tries + 1, FIRST_RETRY, LONGEST_RETRY, fixed_share=0.5)


def describe(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:500]


def close(connection: BaseEmailBackend) -> None:
    """Close the connection; an error here says nothing about the e-mail."""
    try:
        connection.close()
    except OSError as error:
        logger.info("the connection to the mail server was not closed cleanly: %s", error)
