"""What would be counted wrong is refused by `manage.py check`, or by `record`."""

import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.core import checks
from django.core.management import load_command_class
from django.core.management.base import SystemCheckError
from django.db import models
from django.test import RequestFactory
from django.test.utils import isolate_apps
from django.urls import clear_url_caches, path, resolve, reverse
from pytest_django import Settings

from catalog.pages.models import Content, Page
from footfall.admin.sites import add_counting
from footfall.eventlog import RedisLog
from footfall.events import decode
from footfall.fields import CounterField
from footfall.models import Dashboard
from footfall.policies import Exclude
from footfall.record import record
from footfall.registry import Registered, forget_models
from footfall.routers import CountersRouter


def found(level: int = checks.WARNING) -> list[str]:
    """Return the ids of what the checks find of this level or above."""
    return [one.id or "" for one in checks.run_checks() if one.level >= level and not silenced(one)]


def silenced(message: checks.CheckMessage) -> bool:
    return message.is_silenced() and message.id != "counters.W002"


def test_the_counting_needs_time_zones(settings: Settings) -> None:
    assert "counters.E002" not in found()

    settings.USE_TZ = False

    assert "counters.E002" in found()


def test_the_command_refuses_what_would_be_counted_wrong_and_loads_no_views(
    settings: Settings,
) -> None:
    settings.ROOT_URLCONF = "nowhere.urls"
    command = load_command_class("footfall", "counters")
    asked = command.requires_system_checks
    command.check(tags=asked, databases=[])

    settings.USE_TZ = False

    with pytest.raises(SystemCheckError, match=r"counters\.E002"):
        command.check(tags=asked, databases=[])


class PagesElsewhere:
    """A router that has the pages in a database of their own."""

    def db_for_write(self, model: type[models.Model], **hints: Any) -> str | None:
        return "other" if model is Page else None

    db_for_read = db_for_write

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        return (db == "other") == (app_label == "pages")


class CountingElsewhere:
    def db_for_write(self, model: type[models.Model], **hints: Any) -> str | None:
        return "other" if model._meta.app_label == "counters" else None


def test_a_model_in_another_database_needs_a_table_there(settings: Settings) -> None:
    settings.DATABASE_ROUTERS = [PagesElsewhere()]

    (error,) = (one for one in checks.run_checks() if one.level >= checks.ERROR)

    assert error.id == "counters.E006"
    assert "'other'" in error.msg
    assert "pages.page" in error.msg
    settings.DATABASE_ROUTERS = [CountersRouter(), PagesElsewhere()]
    assert found(checks.ERROR) == []


@pytest.mark.parametrize("label", ["pages.nothing", "nothing"])
def test_a_registered_model_has_to_be_there(settings: Settings, label: str) -> None:
    settings.COUNTERS_MODELS = ["auth.User", label]

    (error,) = (one for one in checks.run_checks() if one.level >= checks.ERROR)

    assert error.id == "counters.E009"
    assert label in error.msg


def test_so_are_the_tables_of_the_counting(settings: Settings) -> None:
    settings.DATABASE_ROUTERS = [CountingElsewhere()]

    assert found(checks.ERROR) == ["counters.E005"]


class Replica:
    """A router that reads from a copy."""

    def db_for_read(self, model: type[models.Model], **hints: Any) -> str:
        return "replica"

    def db_for_write(self, model: type[models.Model], **hints: Any) -> str:
        return "default"


@pytest.mark.django_db
def test_a_row_of_another_database_is_not_counted_in_this_one(
    page: Page, log: RedisLog, settings: Settings
) -> None:
    page._state.db = "other"

    with pytest.raises(ValueError, match="database 'other'"):
        record(page)
    settings.DATABASE_ROUTERS = [Replica()]
    record(page)

    assert sum(map(log.length, (0, 1))) == 1


@pytest.mark.django_db
def test_a_row_of_a_replica_that_the_settings_name_is_counted(
    page: Page, log: RedisLog, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    page._state.db = "replica"
    mirror = {"TEST": {"MIRROR": "default"}}
    monkeypatch.setitem(settings.DATABASES, "replica", mirror)

    record(page)

    assert sum(map(log.length, (0, 1))) == 1


@pytest.mark.parametrize("engine", ["django_tenants.postgresql_backend", "tenant_schemas.x"])
def test_schemas_of_tenants_are_refused(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    monkeypatch.setitem(settings.DATABASES["default"], "ENGINE", engine)

    assert "counters.E007" in found(checks.ERROR)


@pytest.mark.parametrize(
    ("log_url", "location", "same"),
    [
        ("redis://localhost:6379/0", "redis://localhost", True),
        ("redis://localhost/2", ["redis://other/0", "rediss://:secret@localhost:6379/2"], True),
        ("redis://a/1", "redis://a?db=1", True),
        ("unix:///run/redis.sock?db=1", "unix:///run/redis.sock?db=1", True),
        ("unix:///run/redis.sock", "unix:///run/redis.sock?db=1", False),
        ("redis://localhost/0", "redis://localhost/1", False),
        ("redis://localhost:6379/0", "redis://localhost:6380/0", False),
    ],
)
def test_a_cache_that_can_be_cleared_with_the_log_is_a_warning(
    settings: Settings, log_url: str, location: Any, same: bool
) -> None:
    settings.COUNTERS_LOG_URL = log_url
    cache = {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": location}
    settings.CACHES = {"default": cache}

    assert ("counters.W002" in found()) is same


@pytest.fixture
def site(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[admin.AdminSite]:
    """A site of the project's own, and the default one is not served."""
    site = admin.AdminSite("staff")
    site.register(Page)
    urls: Any = ModuleType("urls_of_test_checks")
    urls.urlpatterns = [path("staff/", site.urls)]
    monkeypatch.setitem(sys.modules, urls.__name__, urls)
    settings.ROOT_URLCONF = urls.__name__
    yield site
    admin.sites.all_sites.discard(site)


def test_an_admin_site_without_the_dashboard_is_told_how_to_get_it(site: admin.AdminSite) -> None:
    assert "counters.I001" in found(checks.INFO)

    add_counting(site)

    assert site.is_registered(Dashboard)
    assert "counters.I001" not in found(checks.INFO)


def test_no_hint_while_the_default_site_is_served() -> None:
    site = admin.AdminSite("staff")
    site.register(Page)

    assert "counters.I001" not in found(checks.INFO)
    admin.sites.all_sites.discard(site)


@pytest.mark.django_db
def test_the_dashboard_works_on_such_a_site(site: admin.AdminSite, settings: Settings) -> None:
    add_counting(site)
    urls: Any = sys.modules[settings.ROOT_URLCONF]
    urls.urlpatterns = [path("staff/", site.urls)]
    clear_url_caches()
    address = reverse("admin:counters_dashboard_health", current_app=site.name)
    request = RequestFactory().get(address)  # without the middleware, which wants other URLs
    request.user = get_user_model().objects.create_superuser("o", "o@example.com", "o")

    response = resolve(address).func(request)

    assert address == "/staff/counters/dashboard/health/"
    assert "Workers" in response.render().content.decode()


def ids(model: type[models.Model]) -> list[str | None]:
    """Return the ids of the errors of a model's own check that are of the counting."""
    errors = [one.id for one in model.check()]
    return [one for one in errors if one and one.startswith("counters")]


@isolate_apps("tests.footfall")
@pytest.mark.parametrize(
    "key",
    [
        models.DateTimeField(primary_key=True),
        models.CharField(max_length=256, primary_key=True),
        models.BinaryField(max_length=16, primary_key=True),
    ],
)
def test_a_key_that_is_no_integer_uuid_or_short_text_is_refused(key: Any) -> None:
    made = {"key": key, "counter": CounterField(), "__module__": __name__}

    class Meta:
        app_label = "counters"

    model = type("Keyed", (models.Model,), {**made, "Meta": Meta})

    assert ids(model) == ["counters.E003"]


@isolate_apps("tests.footfall")
def test_a_key_that_refers_to_such_a_row_is_refused_too() -> None:
    class Named(models.Model):  # noqa: DJ008
        name = models.CharField(max_length=999, primary_key=True)

        class Meta:
            app_label = "counters"

    class Described(models.Model):  # noqa: DJ008
        named = models.OneToOneField(Named, models.CASCADE, primary_key=True)
        counter = CounterField()

        class Meta:
            app_label = "counters"

    class Child(Named):  # noqa: DJ008
        counter = CounterField()

        class Meta:
            app_label = "counters"

    class Numbered(models.Model):  # noqa: DJ008
        user = models.ForeignKey(Content, models.CASCADE, primary_key=True, related_name="+")
        counter = CounterField()

        class Meta:
            app_label = "counters"

    assert ids(Described) == ids(Child) == ["counters.E003"]
    assert ids(Numbered) == []


@isolate_apps("tests.footfall")
def test_a_composite_key_is_refused() -> None:
    class Composite(models.Model):  # noqa: DJ008
        pk = models.CompositePrimaryKey("shop", "number")
        shop = models.IntegerField()
        number = models.IntegerField()
        counter = CounterField()

        class Meta:
            app_label = "counters"

    assert ids(Composite) == ["counters.E003"]


@isolate_apps("tests.footfall")
def test_two_counters_are_refused() -> None:
    class Parent(models.Model):  # noqa: DJ008
        counter = CounterField()

        class Meta:
            app_label = "counters"

    class Child(Parent):  # noqa: DJ008
        hits = CounterField()

        class Meta:
            app_label = "counters"

    assert ids(Parent) == []
    assert ids(Child) == ["counters.E004"]


@pytest.mark.django_db
def test_children_and_proxies_count_as_their_parent(log: RedisLog) -> None:
    with isolate_apps("tests.footfall"):

        class Proxy(Content):
            class Meta:
                app_label = "counters"
                proxy = True

        class OwnKey(Content):
            number = models.IntegerField(primary_key=True)
            content = models.OneToOneField(Content, models.CASCADE, parent_link=True)

            class Meta:
                app_label = "counters"

        record(Proxy(pk=3), [OwnKey(number=70, id=4), OwnKey(number=3, id=5)])
        with pytest.raises(ValueError, match="save it first"):
            record(OwnKey(number=70))

    (entry,) = (one for n in (0, 1) for one in log.read(n, None, 9, 9_999).entries)
    assert decode(entry.body) == {"pages.content": [3, 4, 5]}


def test_the_owner_of_a_registered_model_has_to_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    registered = {"auth.user": Registered(exclude=Exclude(owner="author"))}
    monkeypatch.setattr("footfall.registry._registered", registered)
    forget_models()
    try:
        assert found(checks.ERROR) == ["counters.E008"]
    finally:
        monkeypatch.undo()
        forget_models()
