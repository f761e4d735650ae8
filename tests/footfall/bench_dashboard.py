"""What the dashboard costs beside 2,400,000 rollups: `pytest -s tests/footfall/bench_dashboard.py`.

Not a test: pytest does not collect it by itself.
"""

import time
from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from catalog.pages.models import Content
from footfall.models import Ranking
from footfall.ops.workers import Workers
from footfall.projections.ranking import Window, rank
from footfall.registry import content_type_of, countable_models
from tests.support.views import Answering

pytestmark = pytest.mark.django_db(transaction=True)

TARGETS, HOURS = 100_000, 24
VIEWS = reverse("admin:counters_dashboard_views")


def fill() -> None:
    """Give each of the contents views in each of the last hours: few have many, many have few."""
    kind = content_type_of(Content).pk
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO pages_content (title, counter, created_at, updated_at)
            SELECT 'Content ' || n, 0, now(), now() FROM generate_series(1, %s) n
            """,
            [TARGETS],
        )
        cursor.execute(
            """
            INSERT INTO counters_rollup
                (content_type_id, target_id, hour, views,
                person, robot, prefetch, monitor, library)
            SELECT %s, id, date_trunc('hour', now()) - hour * interval '1 hour',
                (100000 / (id %% %s + 1) + random() * 10)::bigint, 0, 0, 0, 0, 0
            FROM pages_content, generate_series(0, %s) hour ORDER BY hour DESC, random()
            """,
            [kind, TARGETS, HOURS - 1],
        )
        cursor.execute(
            """
            UPDATE pages_content SET counter = views FROM (
                SELECT target_id, sum(views) AS views FROM counters_rollup GROUP BY target_id
            ) sums WHERE id = target_id
            """
        )
        cursor.execute(
            """
            INSERT INTO counters_hourtotal
                (content_type_id, hour, views, person, robot, prefetch, monitor, library)
            SELECT content_type_id, hour, sum(views), 0, 0, 0, 0, 0
            FROM counters_rollup GROUP BY 1, 2
            """
        )
        cursor.execute(
            """
            INSERT INTO counters_hourtotal
                (content_type_id, hour, views, person, robot, prefetch, monitor, library)
            SELECT type, date_trunc('hour', now()) - hour * interval '1 hour', 9, 5, 2, 0, 0, 0
            FROM unnest(%s) type, generate_series(%s, 730 * 24) hour
            """,
            [[content_type_of(model).pk for model in countable_models().values()], HOURS],
        )
        cursor.execute("VACUUM ANALYZE")


def timed(name: str, work: Callable[[], object]) -> None:
    """Print the median of five runs, and how many queries one of them took."""
    seconds = []
    with CaptureQueriesContext(connection) as queries:
        for _ in range(5):
            began = time.perf_counter()
            work()
            seconds.append(time.perf_counter() - began)
    print(f"{name:<36} {sorted(seconds)[2] * 1000:8.1f} ms  {len(queries) // 5:3} queries")  # noqa: T201


def test_cost(admin_client: Client, answering: Answering) -> None:
    answering(Workers())  # asked beside the requests, so not in their time
    fill()
    print(f"\n{TARGETS * HOURS:,} rollups of {TARGETS:,} contents")  # noqa: T201

    for window in Window:

        def compute(window: Window = window) -> None:
            Ranking.objects.filter(window=window.value).update(computed_at=None)
            assert rank(Content, window)

        timed(f"the task: most viewed, {window.value}", compute)
    first = Content.objects.all()[0].pk
    for name, address in {
        "the dashboard": reverse("admin:counters_dashboard_changelist"),
        "its health, every 3 s": reverse("admin:counters_dashboard_health"),
        "its views, every 15 s": f"{VIEWS}?model=pages.content",
        "the same for 12 months": f"{VIEWS}?model=pages.content&range=12m",
        "the same for one content": f"{VIEWS}?model=pages.content&id={first}&range=12m",
        "GET /contents/top/": "/api/v1/contents/top/?window=24h&limit=100",
        "GET /contents/{id}/views/": f"/api/v1/contents/{first}/views/",
    }.items():

        def get(address: str = address) -> None:
            assert admin_client.get(address).status_code == 200

        get()
        timed(name, get)
