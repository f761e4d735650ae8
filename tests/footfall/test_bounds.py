"""Every table, and every key in Redis, says in docs/how-to/operate.md what bounds it."""

import re
from pathlib import Path

import pytest
import redis
from django.apps import apps
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from catalog.pages.models import Page
from footfall.cache.entries import get_page_cache
from uploads.queue import get_queue

DOCUMENT = Path(__file__).parents[2] / "docs" / "how-to" / "operate.md"


def bounded() -> set[str]:
    """Return every name in the first column of a row that says what bounds it."""
    rows = re.findall(r"^\| (`.+?`) \| (\S.*) \|$", DOCUMENT.read_text(), re.MULTILINE)
    return {name for names, _ in rows for name in re.findall(r"`(.+?)`", names)}


def test_every_table_has_a_bound() -> None:
    models = apps.get_models(include_auto_created=True)
    tables = {
        one._meta.db_table
        for one in models
        if one._meta.managed and not one._meta.proxy and not one.__module__.startswith("tests.")
    }

    assert tables == {name for name in bounded() if re.fullmatch(r"[a-z_]+", name)} - {
        "celery", "counters", "uploads"
    }  # fmt: skip


@pytest.mark.django_db
def test_every_key_has_a_bound(
    client: Client, page: Page, server: redis.Redis, prefix: str, settings: Settings
) -> None:
    for _ in range(2):
        client.get(reverse("page-detail", args=[page.pk]))
    get_page_cache().lease(0, "pages.page:0")
    queue = get_queue()
    queue.append(b"{}", 0)
    entry = queue.first()
    assert entry
    queue.move_to_dead_letters(entry, "given up")
    queue.append(b"{}", 0)

    keys = {key.decode() for key in server.scan_iter(f"{prefix}:*")}

    found = {
        re.sub(r"^(footfall:\{\w+\}:\w+):.*", r"\1:...", re.sub(r"\{\d+\}", "{p}", key))
        for key in (key.replace(prefix, "footfall", 1) for key in keys)
    }
    assert found == {name for name in bounded() if name.startswith("footfall:")}
