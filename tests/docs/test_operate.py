"""What `docs/how-to/operate.md` says to do in Python is done here as it stands there."""

import re
from textwrap import dedent

import pytest
from django.conf import settings
from django.contrib.contenttypes.models import ContentType

from footfall.models import KeptCounter, Rollup

TEXT = (settings.BASE_DIR / "docs/how-to/operate.md").read_text()


@pytest.mark.django_db
def test_the_history_of_a_removed_model_can_be_removed() -> None:
    removed = ContentType.objects.create(app_label="shop", model="item")
    other = ContentType.objects.create(app_label="shop", model="other")
    for kind in (removed, other):
        KeptCounter.objects.create(content_type=kind, target_id=1, counter=3)
        Rollup.objects.create(content_type=kind, target_id=1, hour="2026-11-30T08:00Z", views=3)
    (code,) = re.findall(r"(?ms)^( +from django\.apps import apps\n.*?)\n\n", TEXT)

    exec(dedent(code))  # noqa: S102

    assert [*ContentType.objects.filter(app_label="shop")] == [other]
    assert KeptCounter.objects.filter(content_type=other).exists()
    assert Rollup.objects.filter(content_type=other).exists()
