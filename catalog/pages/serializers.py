"""Pages and their contents as JSON."""

from functools import cache
from typing import Any

from drf_spectacular.extensions import OpenApiSerializerFieldExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema_field
from rest_framework import serializers
from rest_framework.serializers import Serializer

from catalog.pages.models import Audio, Content, Page, Text, Video
from catalog.pages.payload import Payload


class TypeField(serializers.CharField):
    """The type of a content: the name of its model, in lower case."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(source="_meta.model_name", read_only=True, **kwargs)


class TypeFieldExtension(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """Has the schema say that each type of content has one value for `type`, its own."""

    target_class = TypeField

    def map_serializer_field(self, auto_schema: AutoSchema, direction: str) -> dict[str, Any]:
        return {"type": "string", "enum": [self.target.parent.Meta.model._meta.model_name]}


class ContentSerializer(serializers.ModelSerializer[Content]):
    """Something that stands on a page."""

    # A class that inherits from this one becomes the serializer of its `Meta.model`.
    by_model: dict[type[Content], type["ContentSerializer"]] = {}

    type = TypeField()

    class Meta:
        model: type[Content] = Content
        fields: tuple[str, ...] = ("id", "type", "title", "counter")

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        ContentSerializer.by_model[cls.Meta.model] = cls


class VideoSerializer(ContentSerializer):
    """A video, elsewhere."""

    class Meta(ContentSerializer.Meta):
        model = Video
        fields = (*ContentSerializer.Meta.fields, "video_url", "subtitles_url")


class AudioSerializer(ContentSerializer):
    """An audio; its bit rate is in bits per second."""

    class Meta(ContentSerializer.Meta):
        model = Audio
        fields = (*ContentSerializer.Meta.fields, "bitrate")


class TextSerializer(ContentSerializer):
    """A text, without markup."""

    class Meta(ContentSerializer.Meta):
        model = Text
        fields = (*ContentSerializer.Meta.fields, "text")


@cache
def serializer_of(model: type[Content]) -> ContentSerializer:
    """Return the serializer that is shared by all contents of one type.

    A content whose type has none, since its app was removed, shows what all contents show.
    """
    return ContentSerializer.by_model.get(model, ContentSerializer)()


def types() -> dict[str, Serializer[Any] | type[Serializer[Any]]]:
    """Return the serializer of each value of `type`."""
    return {str(model._meta.model_name): made for model, made in ContentSerializer.by_model.items()}


class PageSerializer(serializers.ModelSerializer[Page]):
    url = serializers.HyperlinkedIdentityField(view_name="page-detail")

    class Meta:
        model = Page
        fields = ("id", "title", "url")


class PageDetailSerializer(serializers.Serializer[Payload]):
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
    def get_contents(self, payload: Payload) -> list[dict[str, Any]]:
        return [
            serializer_of(type(content)).to_representation(content) for content in payload.contents
        ]


class PageSearchSerializer(serializers.Serializer[object]):
    """The parameters of the list of pages."""

    search = serializers.CharField(
        default="",
        allow_blank=True,
        help_text="Only pages whose title starts with this, in upper or lower case.",
    )
