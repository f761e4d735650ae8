"""The OpenAPI schema, and whether responses match it."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from jsonschema import Draft4Validator  # type: ignore[import-untyped]

from catalog.pages.models import Content, Page
from footfall.projections.ranking import rank_due
from tests.catalog.pages.quotes.models import Quote
from tests.support.pages import make_contents, make_page


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    path: Path = tmp_path_factory.mktemp("schema") / "schema.json"
    call_command(
        "spectacular", "--validate", "--fail-on-warn", "--format=openapi-json", f"--file={path}"
    )
    document: dict[str, Any] = json.loads(path.read_text(), object_hook=allow_null)
    return document


def test_schema_names_the_parameters_of_the_list(schema: dict[str, Any]) -> None:
    parameters = schema["paths"]["/api/v1/pages/"]["get"]["parameters"]
    assert {parameter["name"] for parameter in parameters} == {"page", "page_size", "search"}


def test_schema_names_the_answers_of_a_page(schema: dict[str, Any]) -> None:
    detail = schema["paths"]["/api/v1/pages/{id}/"]
    assert set(detail) == {"get"}
    assert set(detail["get"]["responses"]) == {"200", "400", "404", "503"}


@pytest.mark.django_db
def test_answers_are_as_the_schema_says(client: Client, schema: dict[str, Any]) -> None:
    quote = Quote.objects.create(title="On rivers", author="Heraclitus")
    page = make_page(*make_contents(6), quote)
    Page.objects.bulk_create(Page(title="One of many") for _ in range(30))
    check(client, schema, f"/api/v1/pages/{page.pk}/", "PageDetail")
    check(client, schema, "/api/v1/pages/", "PaginatedPageList")
    check(client, schema, "/api/v1/pages/0/", "Problem")
    check(client, schema, f"/api/v1/contents/{quote.pk}/views/", "ContentViews")
    Content.objects.filter(pk=quote.pk).update(counter=5)
    rank_due()
    check(client, schema, "/api/v1/contents/top/?window=all", "Top")


def check(client: Client, schema: dict[str, Any], address: str, component: str) -> None:
    expected = {"$ref": f"#/components/schemas/{component}", "components": schema["components"]}
    Draft4Validator(expected).validate(client.get(address).json())


def allow_null(found: dict[str, Any]) -> dict[str, Any]:
    """Translate OpenAPI's `nullable` to JSON Schema."""
    return {"anyOf": [found, {"type": "null"}]} if found.pop("nullable", False) else found
