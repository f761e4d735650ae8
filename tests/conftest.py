import pytest
from django.apps import apps
from django.contrib.contenttypes.models import ContentType
from pytest_django import DjangoAssertNumQueries


@pytest.fixture
def django_assert_num_queries(
    django_assert_num_queries: DjangoAssertNumQueries, db: None
) -> DjangoAssertNumQueries:
    """As usual, with the content types known: a process asks for each once in its life.

    A test with transactions of its own empties their cache, and tests run in any order.
    """
    ContentType.objects.get_for_models(*apps.get_models(), for_concrete_models=False)
    return django_assert_num_queries
