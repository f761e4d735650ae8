"""How an account is made."""

from functools import partial

from django.db import transaction
from django.utils.translation import get_language

from accounts import tasks
from accounts.models import User, Welcome


def register(username: str, email: str, password: str, welcome: bool = True) -> User:
    """Make the user and owe them a welcome mail in the language of the current request.

    `welcome` is False if that address has got enough mails already. Raises IntegrityError if the
    name or the address is taken. Waits for no mail server, and does not fail when the broker is
    away.
    """
    with transaction.atomic():
        user = User.objects.create_user(username, email, password, language=get_language() or "")
        if welcome:
            owe_welcome(user)
    return user


def owe_welcome(user: User) -> None:
    """Have the welcome mail go out once the transaction has committed."""
    Welcome.objects.create(user=user)
    transaction.on_commit(partial(tasks.ask_for_welcome, user.pk))
