"""Tags for the pages of a project: `{% load footfall %}`."""

from typing import Any

from django import template
from django.apps import apps
from django.db import models
from django.db.models import QuerySet
from django.templatetags.static import static
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from footfall.common.wording import number
from footfall.models import CountableQuerySet
from footfall.models.querysets import beginning_of
from footfall.ops.figures.charts import SPARK_HEIGHT, SPARK_WIDTH, sparkline
from footfall.projections.series import Interval, days_of, series, series_of_many
from footfall.projections.visitors.distinct import visitors_in
from footfall.registry import counter_field, counter_of, key_attribute, key_of, owner_of
from footfall.web.beacon import token_of

register = template.Library()


@register.filter
def views(target: models.Model) -> str:
    """`{{ article|views }}`: its counter as it was read, as 1,234 in the reader's language."""
    return number(counter_of(target))


@register.simple_tag
def most_viewed(model: str, days: float | None = None, limit: int = 10) -> QuerySet[models.Model]:
    """`{% most_viewed "news.article" days=7 limit=5 as articles %}`: see `CountableQuerySet`.

    Of what the model's default manager has: drafts that it leaves out are not shown.
    """
    listed: Any = apps.get_model(model)._default_manager.all()
    rows: CountableQuerySet[models.Model] = CountableQuerySet.of(listed)
    return rows.most_viewed(days=days)[:limit]


@register.simple_tag
def views_since(target: models.Model, days: float = 7) -> str:
    """`{% views_since article days=7 %}`: its views of the last so many times 24 hours."""
    owner = owner_of(type(target))
    key = getattr(target, key_attribute(type(target)))
    rows: CountableQuerySet[models.Model] = CountableQuerySet.of(owner._base_manager.filter(pk=key))
    found: Any = rows.with_views(since=beginning_of(days)).values_list("views", flat=True)
    return number(found.first() or 0)


@register.simple_tag
def people(target: models.Model, days: int = 30) -> str:
    """`{% people article days=30 %}`: its views by people in the last days, today included."""
    if key_of(target) is None:
        return number(0)
    points = series(target, Interval.DAY, *Interval.DAY.latest(days, timezone.now()))
    return number(sum(point.people for point in points))


@register.simple_tag
def visitors(target: models.Model, days: int = 30) -> str:
    """`{% visitors article days=30 %}`: its visitors in the last days, some minutes old.

    A sum of days, unless COUNTERS_VISITOR_DAYS is more than one.
    """
    model, key = counter_field(type(target)).model, key_of(target)
    if key is None:
        return number(0)
    since, until = days_of(*Interval.DAY.latest(days, timezone.now()))
    return number(visitors_in(model, [key], since, until)[key])


@register.simple_tag
def views_beacon(target: models.Model) -> SafeString:
    """`{% views_beacon article %}`: the script that reports a view once the page is seen.

    For pages that a cache answers; needs `include("footfall.urls")`.
    """
    return format_html(
        '<script src="{}" data-view="{}" data-url="{}" defer></script>',
        static("counters/beacon.js"),
        token_of(target),
        reverse("footfall:beacon"),
    )


@register.simple_tag
def views_sparkline(target: models.Model, days: int = 30) -> SafeString:
    """`{% views_sparkline article days=30 %}`: an SVG of views by day; nothing without any.

    It has the class `views-sparkline` and the colour of the text.
    """
    model, key = counter_field(type(target)).model, key_of(target)
    if key is None:
        return SafeString("")
    since, until = Interval.DAY.latest(days, timezone.now())
    points = sparkline(series_of_many(model, [key], Interval.DAY, since, until)[key])
    if not points:
        return SafeString("")
    return format_html(
        '<svg class="views-sparkline" viewBox="0 0 {} {}" width="{}" height="{}"'
        ' aria-hidden="true">'
        '<polyline fill="none" stroke="currentColor" stroke-width="2" points="{}"/></svg>',
        *(int(side) for side in (SPARK_WIDTH, SPARK_HEIGHT) * 2),
        " ".join(points),
    )
