from rest_framework import serializers

from loadtest.peers.pages.models import Audio, Content, Page, Text, Video

COMMON = ("id", "type", "title", "counter")


class ContentSerializer(serializers.ModelSerializer):
    type = serializers.CharField(source="_meta.model_name", read_only=True)


class VideoSerializer(ContentSerializer):
    class Meta:
        model = Video
        fields = (*COMMON, "video_url", "subtitles_url")


class AudioSerializer(ContentSerializer):
    class Meta:
        model = Audio
        fields = (*COMMON, "bitrate")


class TextSerializer(ContentSerializer):
    class Meta:
        model = Text
        fields = (*COMMON, "text")


# Made once: to build a serializer's fields for every row would be the peers' greatest cost.
BY_MODEL = {Video: VideoSerializer(), Audio: AudioSerializer(), Text: TextSerializer()}


class PageSerializer(serializers.ModelSerializer):
    url = serializers.HyperlinkedIdentityField(view_name="page-detail")
    contents = serializers.SerializerMethodField()

    class Meta:
        model = Page
        fields = ("id", "title", "url", "contents")

    def get_contents(self, page: Page) -> list[dict[str, object]]:
        contents: list[Content] = self.context["contents"]
        return [BY_MODEL[type(content)].to_representation(content) for content in contents]
