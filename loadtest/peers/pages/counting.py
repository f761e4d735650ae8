"""The two statements that add views to counters."""

from collections.abc import Collection, Mapping

from django.db import connection
from django.db.models import F

from loadtest.peers.pages.models import Content


def add_one(ids: Collection[int]) -> None:
    """Add a view to each content, in one statement."""
    Content.objects.filter(pk__in=sorted(ids)).update(counter=F("counter") + 1)


def add(counts: Mapping[int, int]) -> None:
    """Add each content's views, in one statement whatever their number."""
    if not counts:
        return
    ids = sorted(counts)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE pages_content SET counter = counter + n"
            " FROM unnest(%s::bigint[], %s::bigint[]) AS counted (id, n)"
            " WHERE pages_content.id = counted.id",
            [ids, [counts[one] for one in ids]],
        )
