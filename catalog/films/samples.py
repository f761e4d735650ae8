"""Realistic categories and films, in bulk."""

from collections.abc import Callable
from datetime import UTC, datetime

from django.db import models
from faker import Faker
from faker.providers import BaseProvider

from catalog.films import tree
from catalog.films.models import Category, Film, GenerationJob, Kind

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
CATEGORY_TITLES = (
    "{{genre}} from {{city}}",
    "{{genre}} of the {{decade}}s",
    "{{genre}} about {{city}}",
)
TITLES = (
    "The {{craft}} of {{city}}",
    "{{first_name}} and the {{craft}}",
    "Last train to {{city}}",
    "A winter in {{city}}",
    "{{first_name}}, {{first_name}} and the sea",
    "What {{first_name}} saw",
    "Letters from {{street_name}}",
    "The house in {{street_name}}",
)
OPENINGS = (
    "{{first_name}}, a {{craft}} from {{city}}, comes home after {{years}} years"
    " and finds everything as it was.",
    "When the {{craft}} of {{city}} disappears, only {{first_name}} asks questions.",
    "{{years}} days, one house in {{street_name}}, and nobody who would leave first.",
    "{{first_name}} has never left {{city}}; then {{first_name}} moves in next door.",
)
ENDINGS = (
    "Filmed with the people of {{city}}.",
    "Nothing happens twice, says {{first_name}}, and is wrong.",
    "With {{first_name}} as the {{craft}}.",
    "After the memoirs of a {{craft}}.",
)
EARLIEST, LATEST = datetime(1925, 1, 1, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC)


class Words(BaseProvider):
    """The words that Faker does not have."""

    def genre(self) -> str:
        return self.random_element(GENRES)

    def decade(self) -> int:
        return self.random_int(1920, 2010, 10)

    def craft(self) -> str:
        return str(self.generator.job()).partition(",")[0].lower()

    def years(self) -> int:
        return self.random_int(3, 40)


def make_faker(job: GenerationJob) -> Faker:
    """Return a source of words for the next batch; if the batch is repeated, of the same words."""
    fake = Faker("en_US")
    fake.add_provider(Words)
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
            title=pick(fake, TITLES),
            description=f"{pick(fake, OPENINGS)} {pick(fake, ENDINGS)}",
            category_id=fake.random_element(categories),
            time_filmed=fake.date_time_between(EARLIEST, LATEST, tzinfo=UTC),
            owner_id=job.owner_id,
        )
        for _ in range(count)
    )


def insert_categories(fake: Faker, count: int, job: GenerationJob, parents: list[int]) -> None:
    Category.objects.bulk_create(
        Category(
            title=pick(fake, CATEGORY_TITLES),
            parent_id=fake.random_element(parents) if parents else None,
            owner_id=job.owner_id,
        )
        for _ in range(count)
    )


def newest(rows: "models.QuerySet[Category]") -> list[int]:
    return list(rows.order_by("-pk").values_list("pk", flat=True)[:MAX_PARENTS])


def pick(fake: Faker, patterns: tuple[str, ...]) -> str:
    """Return one of the patterns, filled with random words."""
    return str(fake.parse(fake.random_element(patterns)))


MAKERS: dict[str, Callable[[int, GenerationJob], None]] = {
    Kind.CATEGORIES: make_categories,
    Kind.FILMS: make_films,
}
