"""Files as JSON."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.reverse import reverse

from uploads.models import File


class UploadSerializer(serializers.Serializer[Any]):
    """What is sent. It is only described here: `uploads.web.upload_parser` reads it as it comes."""

    file = serializers.FileField(help_text="One file, whatever it is called.")


class TermsSerializer(serializers.Serializer[Any]):
    """How to upload."""

    field = serializers.CharField(help_text="The field of the multipart body that has the file.")
    max_bytes = serializers.IntegerField(help_text="The size of the largest file that is taken.")


class FileSerializer(serializers.ModelSerializer[File]):
    url = serializers.HyperlinkedIdentityField(view_name="file-detail")
    file = serializers.HyperlinkedIdentityField(
        view_name="file-content", help_text="Where to download it."
    )
    metadata = serializers.DictField(
        read_only=True, help_text="What was found out; by names that depend on the kind."
    )
    thumbnail = serializers.SerializerMethodField()

    class Meta:
        model = File
        fields = (
            *("id", "url", "file", "name", "size", "kind", "content_type", "sha256", "owner"),
            *("uploaded_at", "processed", "status", "error", "attempts", "metadata", "thumbnail"),
        )
        read_only_fields = fields

    @extend_schema_field({"type": "string", "format": "uri", "nullable": True})
    def get_thumbnail(self, file: File) -> str | None:
        if not file.thumbnail:
            return None
        return reverse("file-thumbnail", args=[file.pk], request=self.context.get("request"))
