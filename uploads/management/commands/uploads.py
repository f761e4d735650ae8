"""`manage.py uploads`: the trash of the stored files."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from uploads.storage import trash
from uploads.storage.trash import Trashed


class Command(BaseCommand):
    help = "Lists what is in the trash of the uploaded files, or restores it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        jobs = parser.add_subparsers(dest="job", required=True)
        jobs.add_parser("trash", help="list what is in the trash")
        restore = jobs.add_parser("restore", help="move files back to where they were")
        restore.add_argument("names", nargs="*", help="their paths, as `trash` lists them")
        restore.add_argument("--all", action="store_true", help="everything that is in the trash")
        restore.add_argument("--reason", help="with --all: only what is there for this reason")

    def handle(self, **options: Any) -> None:
        found = sorted(trash.contents(), key=lambda one: (one.epoch, one.name))
        if options["job"] == "trash":
            for one in found:
                self.stdout.write(f"{one.at}  {one.reason:8}  {one.name}  {named(one)}".rstrip())
            self.stdout.write(f"{len(found)} files are in the trash.")
        else:
            self.restore(found, options)

    def restore(self, found: list[Trashed], options: dict[str, Any]) -> None:
        names = set(options["names"])
        if bool(names) == options["all"]:
            raise CommandError("Name the files to restore, or say --all.")
        if missing := names - {one.name for one in found}:
            raise CommandError(f"Not in the trash: {', '.join(sorted(missing))}")
        reasons = {options["reason"]} if options["reason"] else {one.reason for one in found}
        wanted = [one for one in found if options["all"] or one.name in names]
        restored = [one for one in wanted if one.reason in reasons and self.put_back(one)]
        self.stdout.write(f"{len(restored)} files were restored.")

    def put_back(self, trashed: Trashed) -> bool:
        try:
            if trash.restore(trashed):
                return True
        except FileExistsError:
            self.stderr.write(f"{trashed.name}: there is such a file again; it stays in the trash")
        else:
            self.stderr.write(f"{trashed.name}: its content is not in the trash")
        return False


def named(trashed: Trashed) -> str:
    return str(trashed.row["name"]) if trashed.row else ""
