"""Pages and their contents as JSON."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from django.utils import timezone
from django.utils.module_loading import autodiscover_modules
from django.utils.translation import gettext as _
from drf_spectacular.extensions import OpenApiSerializerFieldExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema_field
from rest_framework import serializers
from rest_framework.serializers import Serializer

from catalog.pages.models import Audio, Content, Page, Text, Video
from catalog.pages.queries import LoadedPage
from footfall.events import EARLIEST, LATEST
from footfall.projections.ranking import KEPT, Window
from footfall.projections.series import Interval


class TypeField(serializers.CharField):
    """The type of a content: the name of its model, in lower case."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(source="_meta.model_name", read_only=True, **kwargs)


class TypeFieldExtension(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """Makes the OpenAPI schema list the one value of `type` that each type of content has."""

    target_class = TypeField

    def map_serializer_field(self, auto_schema: AutoSchema, direction: str) -> dict[str, Any]:
        return {"type": "string", "enum": [self.target.parent.Meta.model._meta.model_name]}


class ContentSerializer(serializers.ModelSerializer[Content]):
    """A content of a page."""

    # A subclass becomes the serializer of its `Meta.model`. See `by_model()`.
    registered: dict[type[Content], type["ContentSerializer"]] = {}

    type = TypeField()

    class Meta:
        model: type[Content] = Content
        fields: tuple[str, ...] = ("id", "type", "title", "counter")

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        ContentSerializer.registered[cls.Meta.model] = cls


class VideoSerializer(ContentSerializer):
    """A video, by its URL."""

    class Meta(ContentSerializer.Meta):
        model = Video
        fields = (*ContentSerializer.Meta.fields, "video_url", "subtitles_url")


class AudioSerializer(ContentSerializer):
    """An audio. The bit rate is in bits per second."""

    class Meta(ContentSerializer.Meta):
        model = Audio
        fields = (*ContentSerializer.Meta.fields, "bitrate")


class TextSerializer(ContentSerializer):
    """A text, without markup."""

    class Meta(ContentSerializer.Meta):
        model = Text
        fields = (*ContentSerializer.Meta.fields, "text")


@cache
def by_model() -> Mapping[type[Content], type[ContentSerializer]]:
    """Return every serializer of a type of content, which may be in any app.

    They register themselves on import. Only who serializes something imports them: a Celery worker
    would need 20 MB more, and start a third slower.
    """
    autodiscover_modules("serializers")
    return ContentSerializer.registered


@cache
def serializer_of(model: type[Content]) -> ContentSerializer:
    """Return the serializer for all contents of one type.

    If the app of a type was removed, its contents are serialized as plain `Content`.
    """
    return by_model().get(model, ContentSerializer)()


def types() -> dict[str, Serializer[Any] | type[Serializer[Any]]]:
    """Return the serializer of each value of `type`."""
    return {str(model._meta.model_name): made for model, made in by_model().items()}


class PageSerializer(serializers.ModelSerializer[Page]):
    url = serializers.HyperlinkedIdentityField(view_name="page-detail")

    class Meta:
        model = Page
        fields = ("id", "title", "url")


class PageDetailSerializer(serializers.Serializer[LoadedPage]):
    id = serializers.IntegerField(source="page.pk")
    title = serializers.CharField(source="page.title")
    url = serializers.HyperlinkedRelatedField[Page](
        source="page", view_name="page-detail", read_only=True
    )
    contents = serializers.SerializerMethodField()

    @extend_schema_field(
        PolymorphicProxySerializer(
            component_name="AnyContent",
            serializers=types,
            resource_type_field_name="type",
            many=True,
        )
    )
    def get_contents(self, loaded: LoadedPage) -> list[dict[str, Any]]:
        return [
            serializer_of(type(content)).to_representation(content) for content in loaded.contents
        ]


def validate_time(at: datetime) -> None:
    earliest, latest = (datetime.fromtimestamp(ms / 1000, UTC) for ms in (EARLIEST, LATEST))
    if not earliest + timedelta(days=366) <= at <= latest:
        raise serializers.ValidationError(_("This time is out of range."))


class RangeQuerySerializer(serializers.Serializer[dict[str, Any]]):
    """Query parameters of a range of time. Hours and days are in UTC."""

    MAX_POINTS = 5_000
    DEFAULT_POINTS = {Interval.HOUR: 24, Interval.DAY: 30}

    since = serializers.DateTimeField(
        required=False,
        default_timezone=UTC,
        validators=[validate_time],
        help_text="Default: 24 hours or 30 days before `until`. Rounded down to the hour or day.",
    )
    until = serializers.DateTimeField(
        required=False,
        default_timezone=UTC,
        validators=[validate_time],
        help_text=f"Exclusive. Default: now. At most {MAX_POINTS} points from `since`.",
    )

    def validate(self, query: dict[str, Any]) -> dict[str, Any]:
        interval = Interval(query.get("interval", Interval.DAY.value))
        until = query.get("until") or interval.latest(1, timezone.now())[1]
        since = query.get("since") or until - self.DEFAULT_POINTS[interval] * interval.step
        if since >= until:
            raise serializers.ValidationError({"since": [_("Must be before `until`.")]})
        if (until - interval.start(since)) / interval.step > self.MAX_POINTS:
            raise serializers.ValidationError(
                {"since": [_("More than %d points before `until`.") % self.MAX_POINTS]}
            )
        return {**query, "interval": interval, "since": since, "until": until}


class ViewsQuerySerializer(RangeQuerySerializer):
    """Query parameters of the views of a content."""

    BY_AGENT = "agent"

    interval = serializers.ChoiceField(
        [interval.value for interval in Interval],
        default=Interval.HOUR.value,
        help_text="The length of one point of the series.",
    )
    by = serializers.ChoiceField(
        [BY_AGENT],
        required=False,
        help_text="`agent`: each point also has its views by kind of agent, in `agents`.",
    )


class AgentsSerializer(serializers.Serializer[Any]):
    """Views by the kind of agent that has made them. Together they are all views."""

    person = serializers.IntegerField()
    robot = serializers.IntegerField()
    prefetch = serializers.IntegerField(help_text="By a browser, for a page that may be opened.")
    monitor = serializers.IntegerField()
    library = serializers.IntegerField(help_text="A program, for example `curl`.")
    unknown = serializers.IntegerField()


class PointSerializer(serializers.Serializer[Any]):
    at = serializers.DateTimeField(default_timezone=UTC, help_text="The start of the hour or day.")
    views = serializers.IntegerField()
    people = serializers.IntegerField(help_text="Views by people.")
    robots = serializers.IntegerField(
        help_text="Views by robots, monitors, libraries and prefetches. The rest is unknown."
    )
    agents = AgentsSerializer(source="*", required=False, help_text="With `?by=agent` alone.")
    visitors = serializers.IntegerField(
        required=False,
        help_text="Different people on the day, UTC: exactly up to 3,000, within 2 % beyond. In"
        " points of a day alone.",
    )


class ContentViewsSerializer(serializers.Serializer[Any]):
    """Its points have `agents` if the context says `by_agent`, and visitors if it says `by_day`."""

    total = serializers.IntegerField(help_text="The counter.")
    as_of = serializers.DateTimeField(
        allow_null=True,
        help_text="Views up to this time are in the counter. Null while the log is unavailable.",
    )
    pending = serializers.IntegerField(
        allow_null=True,
        help_text="Events that are not in all counters yet, wherever they wait: in the log, in the"
        " spill or in the event store. Null like `as_of`.",
    )
    series = PointSerializer(many=True, help_text="In order and without gaps.")
    series_as_of = serializers.DateTimeField(
        allow_null=True,
        help_text="Views up to this time are in the series, some seconds later than in the counter."
        " Null like `as_of`.",
    )
    visitors = serializers.IntegerField(
        required=False,
        help_text="Different people in the whole range, of a daily series alone. The sum of the"
        " days: who comes again on another day is another visitor, since the salt of their hash is"
        " new each day. With a longer salt (`COUNTERS_VISITOR_DAYS`) they are different people for"
        " as long as that lasts.",
    )
    visitors_as_of = serializers.DateTimeField(
        required=False,
        allow_null=True,
        help_text="Visitors up to this time are in the series: some minutes later than views. Null"
        " like `as_of`.",
    )

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        if self.instance is None:
            return
        series: Any = self.fields["series"]
        if not self.context.get("by_agent"):
            series.child.fields.pop("agents")
        if not self.context.get("by_day"):
            series.child.fields.pop("visitors")
            self.fields.pop("visitors")
            self.fields.pop("visitors_as_of")


class TopQuerySerializer(serializers.Serializer[dict[str, Any]]):
    """Query parameters of the most viewed contents."""

    window = serializers.ChoiceField([window.value for window in Window], default=Window.DAY.value)
    limit = serializers.IntegerField(default=10, min_value=1, max_value=KEPT)


class TopContentSerializer(serializers.Serializer[Any]):
    """One of the most viewed contents."""

    id = serializers.IntegerField(source="content.pk")
    type = serializers.CharField(source="content._meta.model_name")
    title = serializers.CharField(source="content.title")
    counter = serializers.IntegerField(source="content.counter")
    views = serializers.IntegerField(source="ranked.views", help_text="In the window.")
    people = serializers.IntegerField(
        source="ranked.people",
        allow_null=True,
        help_text="Views by people, in the window. Null while only an older version computed it.",
    )
    robots = serializers.IntegerField(
        source="ranked.robots",
        allow_null=True,
        help_text="Views by robots, monitors, libraries and prefetches, in the window.",
    )
    visitors = serializers.IntegerField(
        source="ranked.visitors",
        allow_null=True,
        help_text="Different people on the days, UTC, that began in the window: in `24h` today."
        " Days are summed up, as in the views of a content. Null like `people`.",
    )
    views_before = serializers.IntegerField(
        source="ranked.before",
        allow_null=True,
        help_text="In the period of the same length before the window. Null for all time.",
    )
    trend = serializers.FloatField(
        source="ranked.trend",
        allow_null=True,
        help_text="0.25: 25 % more views per hour than before. Null: nothing to compare with.",
    )


class TopSerializer(serializers.Serializer[Any]):
    window = serializers.CharField()
    as_of = serializers.DateTimeField(
        allow_null=True, help_text="When this was computed; null if never."
    )
    results = TopContentSerializer(many=True)
