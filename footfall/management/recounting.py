"""The commands about what is counted again, and about what is given up."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from footfall.store.discard import NotCorrupt, discard
from footfall.store.retain import retention


class Recounting(BaseCommand):
    """`manage.py counters discard`."""

    def add_recounting(self, commands: Any) -> None:
        """Add the commands to the parser of `manage.py counters`."""
        discard = commands.add_parser("discard", help="give up the events of a corrupt segment")
        discard.add_argument("number", type=int, metavar="SEGMENT")

    def discard(self, number: int, **options: Any) -> None:
        try:
            given_up = discard(number)
        except NotCorrupt as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"{given_up} events of segment {number} are given up")

    def retention(self) -> None:
        """Say what is in the event store, and what keeps it from getting smaller."""
        now = retention()
        left = f", the first {now.removed} segments have left" if now.removed else ""
        self.stdout.write(f"event store: {now.data_bytes / 1024**2:,.1f} MiB of events{left}")
        if now.held_up_by:
            self.stdout.write(f"it keeps more than it should: {now.held_up_by}")
