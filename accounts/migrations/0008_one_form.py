"""Names get their skeleton and addresses their one form, where no other account has it already.

What is left as it was still signs in: with the name, and with the address as it was registered.
"""

from collections.abc import Iterator
from typing import Any

from django.apps.registry import Apps
from django.core.exceptions import ValidationError
from django.db import IntegrityError, migrations, transaction
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from accounts.emails.addresses import normalize
from accounts.usernames import skeleton

BATCH = 500  # rows in a transaction


def fill(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    users = apps.get_model("accounts", "User").objects.using(schema_editor.connection.alias)
    last = 0
    while rows := list(users.filter(pk__gt=last).order_by("pk")[:BATCH]):
        with transaction.atomic(users.db):
            for user in rows:
                for field, value in changes(user):
                    change(users, user, field, value)
        last = rows[-1].pk


def changes(user: Any) -> Iterator[tuple[str, str]]:
    yield "skeleton", skeleton(user.username)
    try:
        address = normalize(user.email)
    except ValidationError:
        return
    if address != user.email:
        yield "email", address


def change(users: Any, user: Any, field: str, value: str) -> None:
    """Change it, unless it is taken or the user has changed it meanwhile."""
    read = {"username": user.username, "email": user.email, "skeleton": None}
    same = {name: read[name] for name in ("username", field)}
    try:
        with transaction.atomic(users.db):
            users.filter(pk=user.pk, **same).update(**{field: value})
    except IntegrityError:
        pass


class Migration(migrations.Migration):
    atomic = False
    dependencies = (("accounts", "0007_unique_skeleton"),)
    operations = (migrations.RunPython(fill, migrations.RunPython.noop, atomic=False),)
