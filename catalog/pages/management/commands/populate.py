"""`manage.py populate --pages N`: creates many pages, each with its own contents."""

from argparse import ArgumentTypeError
from collections.abc import Callable, Sequence
from functools import cache
from random import Random
from typing import Any

from django.apps.registry import Apps
from django.core.management.base import BaseCommand, CommandParser
from django.db import connection, models, reset_queries, transaction
from tqdm import tqdm

from catalog.pages.models import Audio, Content, Page, PageContent, Text, Video

BATCH = 3_000
"""Contents in memory and in one transaction."""

random = Random()  # noqa: S311  # not for secrets

OPENINGS = (
    "A field guide to the {} of {}",
    "An evening with the {} of {}",
    "Four views of the {} of {}",
    "In praise of the {} of {}",
    "Notes on the {} of {}",
    "The quiet life of the {} of {}",
    "The second history of the {} of {}",
    "What is left of the {} of {}",
    "Where to find the {} of {}",
    "Why we still need the {} of {}",
)
# fmt: off
THINGS = (
    "bridges", "clocks", "gardens", "harbours", "kitchens", "libraries", "markets", "orchards",
    "rivers", "rooftops", "stations", "staircases", "theatres", "tides", "winters",
)
PLACES = (
    "Aberdeen", "Bergen", "Cadiz", "Dresden", "Esztergom", "Faro", "Ghent", "Haarlem", "Innsbruck",
    "Kazan", "Lviv", "Matera", "Narva", "Odense", "Porto", "Riga", "Split", "Tartu", "Uppsala",
    "Vilnius", "Yaroslavl", "Zadar",
)
# fmt: on
SENTENCES = (
    "It opens at six, and by half past the first regulars have taken their places.",
    "Nobody remembers who drew the plans, but everybody has an opinion about them.",
    "In the photographs from 1911 the trees are no taller than the children.",
    "You hear it before you see it, and you smell it before that.",
    "The repair was to last for two winters; this is the thirtieth.",
)


def title() -> str:
    return random.choice(OPENINGS).format(random.choice(THINGS), random.choice(PLACES))


def video() -> dict[str, Any]:
    address = f"http://example.com/videos/{random.getrandbits(40):010x}"
    return {"video_url": f"{address}.mp4", "subtitles_url": f"{address}.vtt"}


TYPES: dict[type[Content], Callable[[], dict[str, Any]]] = {
    Video: video,
    Audio: lambda: {"bitrate": random.choice((96_000, 128_000, 192_000, 256_000, 320_000))},
    Text: lambda: {"text": " ".join(random.sample(SENTENCES, 3))},
}
"""Returns the fields of a new content of each type."""


class Command(BaseCommand):
    help = "Creates pages with videos, audios and texts, for demonstrations and load tests."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--pages", type=number(1, 10_000_000), required=True, metavar="N")
        parser.add_argument(
            "--contents", type=number(0, 1_000), default=15, metavar="N", help="on each page (15)"
        )

    def handle(self, *, pages: int, contents: int, **options: Any) -> None:
        step = BATCH // max(1, contents)
        with tqdm(total=pages, unit=" pages") as progress:
            for start in range(0, pages, step):
                count = min(step, pages - start)
                make_pages(count, contents)
                progress.update(count)
                reset_queries()  # in DEBUG, Django keeps the text of every statement
        self.stdout.write(f"Made {pages} pages with {contents} contents on each.")


def number(least: int, most: int) -> Callable[[str], int]:
    """Return a type for argparse: whole numbers in that range."""

    def parse(argument: str) -> int:
        if argument.isdecimal() and least <= int(argument) <= most:
            return int(argument)
        raise ArgumentTypeError(f"expected a whole number from {least} to {most}: {argument!r}")

    return parse


@transaction.atomic
def make_pages(count: int, contents_each: int) -> None:
    pages = [Page(title=title()) for _ in range(count)]
    insert(pages)
    contents = make_contents(count * contents_each)
    PageContent.objects.bulk_create(
        PageContent(page=pages[i // contents_each], content=content, position=i % contents_each)
        for i, content in enumerate(contents)
    )


def make_contents(count: int) -> list[Content]:
    contents = [Content(title=title()) for _ in range(count)]
    insert(contents)
    for turn, (model, fields) in enumerate(TYPES.items()):
        table = table_of(model)
        table._base_manager.bulk_create(
            table(pk=content.pk, **fields()) for content in contents[turn :: len(TYPES)]
        )
    return contents


def insert(rows: Sequence[models.Model]) -> None:
    """Insert rows of one model in one statement, and set their primary keys."""
    if not rows:
        return
    type(rows[0])._base_manager.bulk_create(rows)
    if rows[0].pk is None:
        # MySQL does not return the keys, but numbers the rows of a statement in order.
        with connection.cursor() as cursor:
            cursor.execute("SELECT LAST_INSERT_ID(), @@auto_increment_increment")
            first, step = cursor.fetchone()
        for i, row in enumerate(rows):
            row.pk = first + i * step


@cache
def table_of(child: type[Content]) -> type[models.Model]:
    """Return a model for the child's own table alone: Django's bulk_create refuses the child."""
    link = child._meta.pk
    attributes = {
        field.name: field.clone() for field in child._meta.local_concrete_fields if field != link
    }
    meta = {"app_label": "populate", "apps": Apps(), "db_table": child._meta.db_table}
    return type(
        child.__name__,
        (models.Model,),
        {
            "__module__": __name__,
            "Meta": type("Meta", (), meta),
            "key": models.BigIntegerField(primary_key=True, db_column=link.column),
            **attributes,
        },
    )
