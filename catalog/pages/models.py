"""Pages, contents of several types, and the placements of contents on pages.

A new type of content is a model that inherits from `Content`, here or in an app of its own, with a
`ContentSerializer` in that app's `serializers` module and a `ContentTypeAdmin` in its `admin`.
"""

from django.core.validators import MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _
from model_utils.managers import InheritanceManager

from catalog.models import Titled


class Page(Titled):
    """A page with contents. Its own views are counted, too."""

    class Meta:
        verbose_name = _("page")
        verbose_name_plural = _("pages")
        indexes = [models.Index(fields=["title"], name="pages_page_title")]


class Content(Titled):
    """The base of all types of content. A content may be on any number of pages."""

    objects = InheritanceManager()  # type: ignore[assignment, misc]  # in place of Countable's

    class Meta:
        verbose_name = _("content")
        verbose_name_plural = _("contents")
        indexes = [models.Index(fields=["title"], name="pages_content_title")]


class Video(Content):
    video_url = models.URLField(_("video"), max_length=500)
    subtitles_url = models.URLField(_("subtitles"), max_length=500, blank=True)

    class Meta:
        verbose_name = _("video")
        verbose_name_plural = _("videos")


class Audio(Content):
    bitrate = models.PositiveIntegerField(
        _("bit rate"), help_text=_("Bits per second."), validators=[MinValueValidator(1)]
    )

    class Meta:
        verbose_name = _("audio")
        verbose_name_plural = _("audios")


class Text(Content):
    # Under its default name, `text`, the reverse relation would hide the field `text`
    # (models.E006).
    content_ptr = models.OneToOneField(
        Content, models.CASCADE, parent_link=True, primary_key=True, related_name="as_text"
    )
    text = models.TextField(_("text"))

    class Meta:
        verbose_name = _("text")
        verbose_name_plural = _("texts")


class PageContent(models.Model):
    """The placement of a content on a page. A content may be on a page twice."""

    page = models.ForeignKey(
        Page, models.CASCADE, related_name="placements", verbose_name=_("page")
    )
    content = models.ForeignKey(
        Content, models.CASCADE, related_name="placements", verbose_name=_("content")
    )
    position = models.PositiveIntegerField(_("position"), default=0)

    class Meta:
        verbose_name = _("content on the page")
        verbose_name_plural = _("contents on the page")
        # Positions are not unique: the admin saves a new order row by row.
        ordering = ["position", "pk"]

    def __str__(self) -> str:
        return f"{self.position}. {self.content}"
