"""Behaviour that is the same on every database, by code of ours."""

import pytest
from django.apps import apps
from django.db import connection, models

from catalog.pages.models import Page

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("other", ["Résumé ", "Resume", "résumé", "Re\u0301sume\u0301"])
def test_texts_are_compared_as_they_are(other: str) -> None:
    page = Page.objects.create(title="Résumé")

    assert Page.objects.filter(title="Résumé").get() == page
    assert not Page.objects.filter(title=other).exists()


@pytest.mark.parametrize(
    ("lookup", "text"),
    [
        ("iexact", "the SEA_100%"),
        ("icontains", "SEA_1"),
        ("istartswith", "THE SEA_"),
        ("iendswith", "_100%"),
    ],
)
def test_who_asks_for_it_ignores_the_case(lookup: str, text: str) -> None:
    page = Page.objects.create(title="The sea_100%")
    Page.objects.create(title="The seax1000")
    by_expression = models.functions.Concat(models.Value(text), models.Value(""))

    assert Page.objects.filter(**{f"title__{lookup}": text}).get() == page
    assert Page.objects.filter(**{f"title__{lookup}": by_expression}).get() == page


def test_what_is_unique_is_so_in_the_database() -> None:
    """MariaDB ignores constraints on expressions: a migration replaces them."""
    for model in apps.get_models():
        named = {c.name for c in model._meta.constraints if isinstance(c, models.UniqueConstraint)}
        if named:
            with connection.cursor() as cursor:
                found = connection.introspection.get_constraints(cursor, model._meta.db_table)
            assert {name for name, constraint in found.items() if constraint["unique"]} >= named
