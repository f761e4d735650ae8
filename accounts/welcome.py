"""Sends the welcome mails: each once or, if that cannot be known, not again; never twice.

The mail server is reached before the mail is claimed: while it is away, nothing but a later try
follows. Then the row is claimed by compare-and-set, the mail handed over, and marked as sent. If
the server refuses it, the claim is released for another try. If the process dies between claim
and mark, or the connection breaks in the middle, the server may have taken it: the claim stays,
no second one is sent, and the admin shows the mail as "perhaps sent".
"""

import logging
import random
import smtplib
import time
from datetime import datetime, timedelta

from django.core.mail import EmailMultiAlternatives, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.db.models import F
from django.utils import timezone

from accounts import letters
from accounts.models import Welcome

logger = logging.getLogger(__name__)

FIRST_WAIT, LONGEST_WAIT = 10.0, 3600.0  # seconds between two tries; doubled after each
KEEP_TRYING = timedelta(days=7)
SLICE = 20.0  # seconds that one sweep goes on

# The server has answered, and the answer is no.
REFUSED = (
    smtplib.SMTPResponseException,
    smtplib.SMTPRecipientsRefused,
    smtplib.SMTPNotSupportedError,
)


def send_due() -> None:
    """Send what is due, the longest waiting first, until the mail server is found away."""
    deadline = time.monotonic() + SLICE
    due = Welcome.objects.filter(due_at__lte=timezone.now()).order_by("due_at")
    for pk in due.values_list("pk", flat=True)[:1000]:
        if time.monotonic() > deadline or not send(pk):
            return


def send(pk: int) -> bool:
    """Send the welcome mail of the user `pk`, if it is still owed; return whether to go on.

    False: the mail server is away. Whatever happens to the mail, it is written down in its row.
    """
    welcome = Welcome.objects.select_related("user").filter(pk=pk, due_at__isnull=False).first()
    if welcome is None:
        return True
    connection = get_connection()
    try:
        connection.open()
    except OSError as error:
        put_off(welcome, error)
        return False
    try:
        hand_over(welcome, letters.welcome(welcome.user), connection)
    finally:
        hang_up(connection)
    return True


def hand_over(
    welcome: Welcome, letter: EmailMultiAlternatives, connection: BaseEmailBackend
) -> None:
    """Claim, send, mark as sent; of several who try at once, one gets the claim."""
    claim = timezone.now()
    owed = Welcome.objects.filter(pk=welcome.pk, due_at__isnull=False, claimed_at=None)
    if not owed.update(claimed_at=claim, due_at=None):
        return
    claimed = Welcome.objects.filter(pk=welcome.pk, claimed_at=claim)
    try:
        connection.send_messages([letter])
    except Exception as error:
        if isinstance(error, OSError) and not isinstance(error, REFUSED):
            claimed.update(error=reason(error))
            logger.warning("perhaps sent, the welcome of user %s: %s", welcome.pk, reason(error))
            return
        # A refusal, or a mail that could not even be put together.
        put_off(welcome, error, claimed_at=claim)
        return
    claimed.update(sent_at=timezone.now(), error="")


def put_off(welcome: Welcome, error: Exception, claimed_at: datetime | None = None) -> None:
    """Note a try that has failed for certain, and release the mail for the next one."""
    now = timezone.now()
    next_try = None if now - welcome.asked_at > KEEP_TRYING else now + wait_after(welcome.tries)
    logger.warning("not sent, the welcome of user %s: %s", welcome.pk, reason(error))
    Welcome.objects.filter(pk=welcome.pk, claimed_at=claimed_at).update(
        claimed_at=None, due_at=next_try, tries=F("tries") + 1, error=reason(error)
    )


def wait_after(tries: int) -> timedelta:
    """Return how long to wait after so many failed tries; the jitter spreads those of an outage."""
    longest = min(FIRST_WAIT * 2.0 ** min(tries, 30), LONGEST_WAIT)
    return timedelta(seconds=random.uniform(longest / 2, longest))  # noqa: S311


def reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:500]


def hang_up(connection: BaseEmailBackend) -> None:
    """Close; what goes wrong in saying goodbye says nothing about the mail."""
    try:
        connection.close()
    except OSError as error:
        logger.info("the mail server did not say goodbye: %s", error)
