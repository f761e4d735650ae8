"""Pages and contents for the tests, each in one line."""

from itertools import count

from django.apps import apps
from django.db.models import Model

from catalog.pages.models import Audio, Content, Page, PageContent, Text, Video

numbers = count(1)


def remove_all_pages() -> None:
    """Delete every page and every content, such as those that a migration has made.

    No signals are sent: for each row they look for what shows it.
    """
    kinds = [model for model in apps.get_models() if issubclass(model, Content)]
    kinds.sort(key=lambda model: model is Content)  # their tables refer to its table
    models: list[type[Model]] = [PageContent, *kinds, Page]
    for model in models:
        rows = model._base_manager.all()
        rows._raw_delete(rows.db)


def make_page(*contents: Content, title: str = "A page") -> Page:
    page = Page.objects.create(title=title)
    for position, content in enumerate(contents):
        PageContent.objects.create(page=page, content=content, position=position)
    return page


def make_video(title: str = "A video") -> Video:
    address = f"http://example.com/{next(numbers)}"
    return Video.objects.create(
        title=title, video_url=f"{address}.mp4", subtitles_url=f"{address}.vtt"
    )


def make_audio(title: str = "An audio") -> Audio:
    return Audio.objects.create(title=title, bitrate=128_000)


def make_text(title: str = "A text") -> Text:
    return Text.objects.create(title=title, text=f"Words, {next(numbers)} of them.")


def make_contents(number: int) -> list[Content]:
    makers = (make_video, make_audio, make_text)
    return [makers[i % 3](f"Content {i}") for i in range(number)]


def placements(*rows: tuple[PageContent | None, Content, int]) -> dict[str, str]:
    """Return the part of the page's form that is about its contents."""
    form = {
        "placements-TOTAL_FORMS": str(len(rows)),
        "placements-INITIAL_FORMS": str(sum(placement is not None for placement, _, _ in rows)),
    }
    # The rows that exist come first, as Django's formsets want it.
    for i, (placement, content, position) in enumerate(rows):
        form |= {
            f"placements-{i}-id": str(placement.pk) if placement else "",
            f"placements-{i}-page": str(placement.page_id) if placement else "",
            f"placements-{i}-content": str(content.pk),
            f"placements-{i}-position": str(position),
        }
    return form
