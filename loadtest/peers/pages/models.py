"""The same page as Footfall's, in the same tables."""

from django.db import models
from model_utils.managers import InheritanceManager


class Page(models.Model):
    title = models.CharField(max_length=200)


class Content(models.Model):
    title = models.CharField(max_length=200)
    counter = models.BigIntegerField(default=0)

    objects = InheritanceManager()


class Video(Content):
    video_url = models.URLField(max_length=500)
    subtitles_url = models.URLField(max_length=500)


class Audio(Content):
    bitrate = models.PositiveIntegerField()


class Text(Content):
    content_ptr = models.OneToOneField(
        Content, models.CASCADE, parent_link=True, primary_key=True, related_name="as_text"
    )
    text = models.TextField()


class PageContent(models.Model):
    page = models.ForeignKey(Page, models.CASCADE, related_name="places")
    content = models.ForeignKey(Content, models.CASCADE, related_name="places")
    position = models.PositiveIntegerField()
