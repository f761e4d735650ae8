"""Pages to look at right after the installation. The first shows every type of content."""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

VIDEOS = {
    "climb": ("Climbing the tower in a gale", "climb"),
    "lamp": ("How a Fresnel lens throws light", "lamp"),
    "relief": ("Relief day: landing on the rock", "relief"),
    "drone": ("The reef at low tide, from above", "drone"),
    "storm": ("Forty waves in four minutes", "storm"),
    "starter": ("Waking a sourdough starter", "starter"),
    "shaping": ("Shaping a loaf without fear", "shaping"),
    "vienna": ("Boarding the 21:58 to Vienna", "vienna"),
    "anvil": ("An anvil cloud grows in nine minutes", "anvil"),
    "market": ("The fish market before sunrise", "market"),
}
AUDIOS = {
    "foghorn": ("The foghorn, recorded from the boat", 192_000),
    "keeper": ("A keeper remembers the last winter", 128_000),
    "wind": ("Wind in the lantern room", 320_000),
    "crust": ("A crust that sings as it cools", 256_000),
    "couchette": ("Wheels under a couchette, five minutes", 192_000),
    "tram": ("Line 9 takes the bend", 320_000),
    "bells": ("Bells at noon from three streets", 256_000),
}
TEXTS = {
    "rock": (
        "A rock that sinks ships",
        "At high water the reef is eleven miles of nothing. Between 1790 and 1844 more than thirty "
        "ships were lost on it, and those are only the ones whose names are known.",
    ),
    "plan": (
        "Drawing a tower that leans on its weight",
        "The engineer gave the tower a curve like that of an oak: wide below, where the waves hit, "
        "and narrow above, so that its own weight pins every course of stone to the next.",
    ),
    "barrack": (
        "Sleeping above the water",
        "In the first summer a storm took the wooden barrack in one night. The second one was "
        "built on stronger legs, and thirty men slept in it for four years.",
    ),
    "stone": (
        "4,300 tons by hand",
        "Each block was cut on the shore, fitted dry to its neighbours, numbered, and taken apart "
        "again. No course was out of true by more than an eighth of an inch.",
    ),
    "light": (
        "First light",
        "On 1 February 1844 the lamp was lit. Its eight lenses turned once a minute, and on a "
        "clear night it was seen from the hills of Barra.",
    ),
    "keepers": (
        "Four men and a garden",
        "Three kept watch while the fourth was ashore. They grew leeks in a box of soil that the "
        "supply boat had brought, and lost them every October.",
    ),
    "automatic": (
        "Nobody home",
        "Since 1994 the light looks after itself. A technician comes twice a year, by helicopter, "
        "with a sandwich.",
    ),
    "flour": (
        "What flour wants",
        "Wholemeal drinks more than white, and drinks slowly. Mix it with the water an hour before "
        "anything else, and the dough does half of the kneading by itself.",
    ),
    "patience": (
        "The slow rise",
        "A night in the cold does for flavour what no ingredient can: the yeast almost stops, and "
        "the bacteria, which do not mind, keep making acids.",
    ),
    "sleeper": (
        "The return of the sleeper",
        "Ten years ago the last night trains were being cut. Now a bed from Paris to Vienna has to "
        "be booked weeks ahead, and old coaches come back from the sidings.",
    ),
    "cirrus": (
        "Mares' tails",
        "Cirrus is ice that falls and never arrives. When the tails point the way the wind does "
        "not blow, the weather is about to change.",
    ),
    "cumulus": (
        "Weighing a cloud",
        "A fair-weather cumulus as big as a village holds some five hundred tons of water. It "
        "stays up because the air below it is heavier still.",
    ),
    "ears": (
        "How to listen to a street",
        "Stand still for ten minutes. The first two are traffic. After that come the doors, the "
        "shoes, the kitchens, and at last your own coat.",
    ),
}
PAGES = {
    "The lighthouse that stands in the sea": (
        "rock climb foghorn plan lamp barrack stone relief keeper light drone keepers wind storm "
        "automatic"
    ),
    "Bread, and what time does to it": "flour starter patience shaping crust",
    "Night trains across Europe": "sleeper vienna couchette",
    "A field guide to clouds": "cirrus anvil cumulus storm wind",
    "Listening to a city": "ears market tram bells foghorn ears",
}


def contents() -> dict[str, tuple[str, dict[str, object]]]:
    """Return every content: the name of its model, and its fields."""
    made: dict[str, tuple[str, dict[str, object]]] = {}
    for name, (title, path) in VIDEOS.items():
        address = f"http://example.com/videos/{path}"
        urls = {"video_url": f"{address}.mp4", "subtitles_url": f"{address}.vtt"}
        made[name] = ("Video", {"title": title, **urls})
    for name, (title, bitrate) in AUDIOS.items():
        made[name] = ("Audio", {"title": title, "bitrate": bitrate})
    for name, (title, text) in TEXTS.items():
        made[name] = ("Text", {"title": title, "text": text})
    return made


def load(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    Page, PageContent = apps.get_model("pages", "Page"), apps.get_model("pages", "PageContent")
    ids = {
        name: apps.get_model("pages", model).objects.create(**fields).pk
        for name, (model, fields) in contents().items()
    }
    for title, names in PAGES.items():
        page = Page.objects.create(title=title)
        PageContent.objects.bulk_create(
            PageContent(page=page, content_id=ids[name], position=position)
            for position, name in enumerate(names.split())
        )


def unload(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Remove what is still as it was made: what an editor changed or uses is the editor's."""
    made = contents()
    placements = apps.get_model("pages", "PageContent").objects.order_by("position", "pk")
    for title, names in PAGES.items():
        page = apps.get_model("pages", "Page").objects.filter(title=title).order_by("pk").first()
        if page is None:
            continue
        titles = placements.filter(page=page).values_list("content__title", flat=True)
        if list(titles) == [made[name][1]["title"] for name in names.split()]:
            page.delete()
    for model, fields in made.values():
        unused = apps.get_model("pages", model).objects.exclude(pk__in=placements.values("content"))
        if content := unused.filter(**fields).order_by("pk").first():
            content.delete()


class Migration(migrations.Migration):
    dependencies = [("pages", "0001_initial")]

    operations = [migrations.RunPython(load, unload)]
