"""New accounts and new addresses that wait until the link in a mail is followed.

A request does the same work whether the address belongs to another account or not: it keeps what
was asked for, and a worker looks the address up and decides which mail goes out.
"""

from django.contrib.auth.hashers import make_password
from django.db import IntegrityError, transaction
from django.utils.translation import get_language

from accounts.links import confirmation_tokens, pk_in
from accounts.models import Confirmation, User
from accounts.names import skeleton
from accounts.registration import owe_welcome


class Invalid(Exception):
    """The link is wrong, too old, or was followed before."""


class Taken(Exception):
    """Another account has got the name or the address since the mail went out."""


def is_reserved(username: str) -> bool:
    """Tell whether an account that is not confirmed yet has a name like this one."""
    return Confirmation.objects.waiting().filter(skeleton=skeleton(username)).exists()


def keep_account(username: str, email: str, password: str) -> Confirmation:
    """Keep a new account until its address is confirmed.

    Raises IntegrityError if another one that waits has a name like this.
    """
    shape = skeleton(username)
    Confirmation.objects.expired().filter(skeleton=shape).delete()
    return Confirmation.objects.create(
        username=username,
        skeleton=shape,
        email=email,
        password=make_password(password),
        language=get_language() or "",
    )


def keep_address(user: User, email: str) -> Confirmation:
    """Keep another address of a user until it is confirmed; it replaces one that waits.

    Another password ends it: its owner may have set one because the token was stolen.
    """
    with transaction.atomic():
        Confirmation.objects.filter(user=user).delete()
        return Confirmation.objects.create(
            user=user, email=email, password=user.password, language=user.language
        )


def find(uid: str, token: str) -> Confirmation:
    """Return what the link confirms, locked if it is in a transaction. Raises Invalid."""
    try:
        rows = Confirmation.objects.waiting().filter(pk=pk_in(uid))
    except ValueError as error:
        raise Invalid from error
    if transaction.get_connection().in_atomic_block:
        rows = rows.select_for_update()
    row = rows.first()
    if row is None or not confirmation_tokens.check_token(row, token):  # type: ignore[arg-type]
        raise Invalid
    if row.user and not (row.user.is_active and row.user.password == row.password):
        raise Invalid
    return row


def confirm(uid: str, token: str) -> None:
    """Make the account, or give it the address. Raises Invalid or Taken."""
    try:
        with transaction.atomic():
            row = find(uid, token)
            if row.user:
                row.user.email = row.email
                row.user.save(update_fields=["email"])
            else:
                _make_account(row)
            row.delete()
    except IntegrityError as error:
        raise Taken from error


def _make_account(row: Confirmation) -> None:
    user = User.objects.create(
        username=row.username, email=row.email, password=row.password, language=row.language
    )
    owe_welcome(user)
