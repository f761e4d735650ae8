"""Realistic categories and films, in bulk."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from django.db import models
from faker import Faker

from catalog.films import tree
from catalog.films.models import Category, Film, GenerationJob

ROOTS = 12
"""Categories that are generated for films if there are none."""
ROOT_SHARE = 5
"""Every fifth category has no parent."""
MAX_PARENTS = 200
"""Parents, and categories of films, are chosen from the newest ones."""

GENRES = (
    "Adventures", "Animation", "Chamber plays", "Comedies", "Crime stories", "Documentaries",
    "Family films", "Ghost stories", "Musicals", "Road movies", "Short films", "Silent films",
    "Thrillers", "Westerns",
)  # fmt: skip
CATEGORY_TITLES = ("{genre} from {place}", "{genre} of the {decade}s", "{genre} about {place}")
TITLES = (
    "The {job} of {place}",
    "{name} and the {job}",
    "Last train to {place}",
    "A winter in {place}",
    "{name}, {name2} and the sea",
    "What {name} saw",
    "Letters from {street}",
    "The house in {street}",
)
OPENINGS = (
    "{name}, a {job} from {place}, comes home after {years} years and finds everything as it was.",
    "When the {job} of {place} disappears, only {name} asks questions.",
    "{years} days, one house in {street}, and nobody who would leave first.",
    "{name} has never left {place}; then {name2} moves in next door.",
)
ENDINGS = (
    "Filmed with the people of {place}.",
    "Nothing happens twice, says {name2}, and is wrong.",
    "With {name2} as the {job2}.",
    "After the memoirs of a {job2}.",
)
EARLIEST, LATEST = datetime(1925, 1, 1, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC)


def make_faker(job: GenerationJob) -> Faker:
    """Return a source of words for the next batch; if the batch is repeated, of the same words."""
    fake = Faker("en_US")
    fake.seed_instance(f"{job.pk}:{job.done}")
    return fake


def make_categories(count: int, job: GenerationJob) -> None:
    """Insert `count` categories, most of them below others."""
    fake = make_faker(job)
    tree.lock(Category)  # so that the parents stay on the first level
    roots = -(-count // ROOT_SHARE)
    insert_categories(fake, roots, job, [])
    parents = newest(Category.objects.filter(parent=None))
    insert_categories(fake, count - roots, job, parents)


def make_films(count: int, job: GenerationJob) -> None:
    """Insert `count` films into existing categories, or else into new ones."""
    fake = make_faker(job)
    if not (categories := newest(Category.objects.all())):
        insert_categories(fake, ROOTS, job, [])
        categories = newest(Category.objects.all())
    Film.objects.bulk_create(
        Film(
            title=fill(fake, TITLES),
            description=f"{fill(fake, OPENINGS)} {fill(fake, ENDINGS)}",
            category_id=fake.random_element(categories),
            time_filmed=fake.date_time_between(EARLIEST, LATEST, tzinfo=UTC),
            owner_id=job.owner_id,
        )
        for _ in range(count)
    )


def insert_categories(fake: Faker, count: int, job: GenerationJob, parents: list[int]) -> None:
    Category.objects.bulk_create(
        Category(
            title=fill(fake, CATEGORY_TITLES),
            parent_id=fake.random_element(parents) if parents else None,
            owner_id=job.owner_id,
        )
        for _ in range(count)
    )


def newest(rows: "models.QuerySet[Category]") -> list[int]:
    return list(rows.order_by("-pk").values_list("pk", flat=True)[:MAX_PARENTS])


def fill(fake: Faker, patterns: tuple[str, ...]) -> str:
    """Return one of the patterns, filled with random words."""
    return fake.random_element(patterns).format_map(Words(fake))


class Words(dict[str, Any]):
    """The words of one pattern, generated on access: "{name}", and another one for "{name2}"."""

    SOURCES: Mapping[str, Callable[[Faker], Any]] = {
        "genre": lambda fake: fake.random_element(GENRES),
        "place": lambda fake: fake.city(),
        "decade": lambda fake: fake.random_int(1920, 2010, 10),
        "street": lambda fake: fake.street_name(),
        "name": lambda fake: fake.first_name(),
        "job": lambda fake: fake.job().partition(",")[0].lower(),
        "years": lambda fake: fake.random_int(3, 40),
    }

    def __init__(self, fake: Faker) -> None:
        super().__init__()
        self._fake = fake

    def __missing__(self, word: str) -> Any:
        return self.SOURCES[word.rstrip("2")](self._fake)
