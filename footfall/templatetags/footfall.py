"""Tags for the pages of a project: `{% load footfall %}`."""

from django import template
from django.apps import apps
from django.db import models
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from footfall.common.wording import number
from footfall.models import CountableQuerySet
from footfall.ops.charts import SPARK_HEIGHT, SPARK_WIDTH, sparkline
from footfall.projections.series import Interval, series_of_many
from footfall.registry import counter_field, counter_of, key_of

register = template.Library()


@register.filter
def views(target: models.Model) -> str:
    """`{{ article|views }}`: its counter as it was read, as 1,234 in the reader's language."""
    return number(counter_of(target))


@register.simple_tag
def most_viewed(model: str, days: float | None = None, limit: int = 10) -> QuerySet[models.Model]:
    """`{% most_viewed "news.article" days=7 limit=5 as articles %}`: see `CountableQuerySet`."""
    rows: CountableQuerySet[models.Model] = CountableQuerySet(apps.get_model(model))
    return rows.most_viewed(days=days)[:limit]


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
