"""Creates accounts."""

from functools import partial

from django.db import transaction
from django.utils.translation import get_language

from accounts import tasks
from accounts.models import User, Welcome
from footfall.common.celery import enqueue_in_background


def register(username: str, email: str, password: str, welcome: bool = True) -> User:
    """Create a user, with a welcome e-mail in the language of the current request.

    welcome: False if the address has been sent enough e-mails already.

    Raises IntegrityError if the username or the address is taken. Does not wait for the mail server
    or the broker, and does not fail without them.
    """
    with transaction.atomic():
        user = User.objects.create_user(username, email, password, language=get_language() or "")
        if welcome:
            add_welcome(user)
    return user


def add_welcome(user: User) -> None:
    """Have the welcome e-mail sent after the commit; `tasks.welcome_due` retries."""
    Welcome.objects.create(user=user)
    transaction.on_commit(partial(enqueue_in_background, tasks.welcome, user.pk))
