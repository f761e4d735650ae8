"""`manage.py firstadmin`: creates the first administrator, if there is none."""

import os
import secrets
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import IntegrityError, transaction

from accounts.models import User


class Command(BaseCommand):
    help = (
        "Makes the first administrator, if there is none, from DJANGO_SUPERUSER_USERNAME, "
        "DJANGO_SUPERUSER_EMAIL and DJANGO_SUPERUSER_PASSWORD. Without a password a random one "
        "is made and printed once. An existing user is never changed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--migrate", action="store_true", help="Migrate the database first.")

    def handle(self, *, migrate: bool, **options: Any) -> None:
        if migrate:  # in this process: to start another takes longer than both
            call_command("migrate", interactive=False, verbosity=0)
        if self.print_existing():
            return
        username = os.environ.get("DJANGO_SUPERUSER_USERNAME") or "admin"
        email = os.environ.get("DJANGO_SUPERUSER_EMAIL") or f"{username}@localhost"
        password, shown = os.environ.get("DJANGO_SUPERUSER_PASSWORD"), "password as configured"
        if not password:
            password = secrets.token_urlsafe(12)
            shown = f"password {password} (shown once)"
        try:
            User._meta.get_field("email").run_validators(email)
            with transaction.atomic():
                User.objects.create_superuser(username, email, password)
        except ValidationError as error:
            raise CommandError(
                f"DJANGO_SUPERUSER_USERNAME {username!r} or DJANGO_SUPERUSER_EMAIL {email!r} is "
                f"not valid: {' '.join(error.messages)}"
            ) from error
        except IntegrityError as error:
            # Of two concurrent commands, the unique username lets one succeed.
            if not self.print_existing():
                raise CommandError(
                    f"The name {username!r} or the address {email!r} belongs to an ordinary user: "
                    "set DJANGO_SUPERUSER_USERNAME and DJANGO_SUPERUSER_EMAIL to others."
                ) from error
        else:
            self.stdout.write(f"Administrator {username}, {shown}")

    def print_existing(self) -> bool:
        """Print who the administrator is; return False if there is none."""
        first = User.objects.filter(is_superuser=True).order_by("pk").first()
        if first is None:
            return False
        self.stdout.write(f"Administrator {first.username}, made before")
        return True
