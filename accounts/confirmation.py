"""New accounts and new addresses that wait until the user follows the link in an e-mail.

A request does the same work whether or not the address belongs to another account: it stores a
`Confirmation`, and a worker looks the address up and decides which e-mail to send.
"""

from django.contrib.auth.hashers import make_password
from django.db import IntegrityError, transaction
from django.utils.translation import get_language
from djoser.utils import decode_uid

from accounts.emails.messages import confirmation_tokens
from accounts.models import Confirmation, User
from accounts.registration import add_welcome
from accounts.usernames import skeleton


class InvalidLink(Exception):
    """The link is wrong, has expired, or was followed before."""


class AlreadyTaken(Exception):
    """Another account got the username or the address since the e-mail was sent."""


def is_reserved(username: str) -> bool:
    """Return whether an account that waits for confirmation has a username that looks the same."""
    return Confirmation.objects.pending().filter(skeleton=skeleton(username)).exists()


def add_account(username: str, email: str, password: str) -> Confirmation:
    """Store a new account until its address is confirmed.

    Raises IntegrityError if another one that waits has a username that looks the same.
    """
    own_skeleton = skeleton(username)
    Confirmation.objects.expired().filter(skeleton=own_skeleton).delete()
    return Confirmation.objects.create(
        username=username,
        skeleton=own_skeleton,
        email=email,
        password=make_password(password),
        language=get_language() or "",
    )


def add_address(user: User, email: str) -> Confirmation:
    """Store a new address of a user until it is confirmed, instead of an earlier one.

    It becomes invalid with the user's password, which may have been changed because of a theft.
    """
    with transaction.atomic():
        Confirmation.objects.filter(user=user).delete()
        return Confirmation.objects.create(
            user=user, email=email, password=user.password, language=user.language
        )


def find(uid: str, token: str) -> Confirmation:
    """Return the confirmation of a link; inside a transaction, its row is locked.

    Raises InvalidLink.
    """
    try:
        rows = Confirmation.objects.pending().filter(pk=decode_uid(uid))
    except ValueError as error:
        raise InvalidLink from error
    if transaction.get_connection().in_atomic_block:
        rows = rows.select_for_update()
    row = rows.first()
    if row is None or not confirmation_tokens.check_token(row, token):  # type: ignore[arg-type]
        raise InvalidLink
    if row.user and not (row.user.is_active and row.user.password == row.password):
        raise InvalidLink
    return row


def confirm(uid: str, token: str) -> None:
    """Create the account, or change its address. Raises InvalidLink or AlreadyTaken."""
    try:
        with transaction.atomic():
            row = find(uid, token)
            if row.user:
                row.user.email = row.email
                row.user.save(update_fields=["email"])
            else:
                user = User.objects.create(
                    username=row.username,
                    email=row.email,
                    password=row.password,
                    language=row.language,
                )
                add_welcome(user)
            row.delete()
    except IntegrityError as error:
        raise AlreadyTaken from error
