"""Serializers of categories, films, comments and generation jobs. Owners are read-only."""

from typing import Any

from django.core.exceptions import ValidationError
from rest_framework import serializers

from catalog.films import tree
from catalog.films.models import Category, Comment, Film, GenerationJob

MAX_COUNT = 10_000
"""Most films of one generation job."""


class KeyField(serializers.PrimaryKeyRelatedField[Any]):
    """Accepts integers only: DRF's field takes 1.5 for 1, and fails with 1e400."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(pk_field=serializers.IntegerField(), **kwargs)


class CategorySerializer(serializers.ModelSerializer[Category]):
    serializer_related_field = KeyField

    class Meta:
        model = Category
        fields = ("id", "title", "parent", "owner")
        read_only_fields = ("owner",)

    def save(self, **kwargs: Any) -> Category:
        """Validate the parent, and save. The view has opened a transaction."""
        if "parent" in self.validated_data:
            pk = self.instance.pk if self.instance else None
            try:
                tree.validate_parent(Category(pk=pk, parent=self.validated_data["parent"]))
            except ValidationError as error:
                raise serializers.ValidationError(error.message_dict) from error
        return super().save(**kwargs)


class FilmSerializer(serializers.ModelSerializer[Film]):
    serializer_related_field = KeyField

    class Meta:
        model = Film
        fields = (
            "id",
            "title",
            "description",
            "category",
            "time_filmed",
            "owner",
            "created_at",
            "updated_at",
            "counter",
        )
        read_only_fields = ("owner",)
        extra_kwargs = {"counter": {"help_text": "Views of this film that are counted so far."}}


class CommentSerializer(serializers.ModelSerializer[Comment]):
    """A comment. Its film cannot be changed."""

    serializer_related_field = KeyField

    class Meta:
        model = Comment
        fields: tuple[str, ...] = ("id", "film", "author", "text", "created_at", "updated_at")
        read_only_fields: tuple[str, ...] = ("film", "author")


class NewCommentSerializer(CommentSerializer):
    class Meta(CommentSerializer.Meta):
        read_only_fields = ("author",)


class CountSerializer(serializers.Serializer[Any]):
    count = serializers.IntegerField(
        min_value=1, max_value=MAX_COUNT, help_text="How many to generate."
    )


class StartedSerializer(serializers.Serializer[Any]):
    task = serializers.UUIDField(help_text="Its progress is at `/api/v1/tasks/{task}/`.")


class GenerationJobSerializer(serializers.ModelSerializer[GenerationJob]):
    """The progress of a task. `error` is empty unless it has failed."""

    task = serializers.UUIDField(source="pk", read_only=True)

    class Meta:
        model = GenerationJob
        fields = ("task", "kind", "state", "done", "total", "error", "created_at", "updated_at")
        read_only_fields = fields
