"""Files as JSON."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.reverse import reverse

from uploads.models import File


class UploadSerializer(serializers.Serializer[Any]):
    """The body of an upload. Only for the schema: `upload_parser` reads the body."""

    file = serializers.FileField(help_text="One file, with any name.")


class UploadTermsSerializer(serializers.Serializer[Any]):
    """How to upload."""

    field = serializers.CharField(help_text="The name of the multipart field for the file.")
    max_bytes = serializers.IntegerField(help_text="The size of the largest file that is accepted.")
    anonymous_days = serializers.IntegerField(
        help_text="For how many days a file is kept that no account has sent; 0: for good."
    )


class FileSerializer(serializers.ModelSerializer[File]):
    url = serializers.HyperlinkedIdentityField(view_name="file-detail")
    file = serializers.HyperlinkedIdentityField(
        view_name="file-content", help_text="Where to download it."
    )
    metadata = serializers.DictField(
        read_only=True, help_text="The result of processing; the names depend on the kind."
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
