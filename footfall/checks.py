"""System checks: of the product's settings, and of what it cannot count exactly."""

from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import parse_qs

from django.apps import apps
from django.conf import settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.db import DEFAULT_DB_ALIAS, connections, router
from django.urls import NoReverseMatch, resolve, reverse

from footfall.common.addresses import split
from footfall.conf import SETTINGS, conf
from footfall.eventlog import is_cluster, is_sentinel
from footfall.fields import check_key, check_owner
from footfall.log import MEMORY, is_testing
from footfall.registry import countable_models, database_of, is_copied, registered

TENANTS = ("django_tenants", "tenant_schemas", "django_pgschemas")

Found = Iterator[checks.CheckMessage]

TAG = "counters"
"""Of all checks here but that of the admin: `manage.py counters` begins with these."""


@checks.register(TAG)
def check_settings(**kwargs: Any) -> Found:
    for setting in SETTINGS:
        if setting.old_name and hasattr(settings, setting.old_name):
            text = f"The setting {setting.old_name} is now called {setting.name}."
            yield checks.Warning(text, id="counters.W001")
        try:
            setting.read()
        except ImproperlyConfigured as error:
            yield checks.Error(str(error), id="counters.E001")


@checks.register(TAG)
def check_time_zone(**kwargs: Any) -> Found:
    if not settings.USE_TZ:
        yield checks.Error(
            "Views are counted by the hour in UTC: USE_TZ has to be True.",
            hint="TIME_ZONE may stay as it is. Without USE_TZ no view would be stored.",
            id="counters.E002",
        )


@checks.register(TAG)
def check_databases(**kwargs: Any) -> Found:
    """Name what keeps counters from being where their models are."""
    alias = router.db_for_write(apps.get_model("counters", "Segment"))
    if alias != DEFAULT_DB_ALIAS:
        yield checks.Error(
            f"A database router puts the tables of the counting into {alias!r}.",
            hint="They have to be in the database 'default'.",
            id="counters.E005",
        )
    copies = apps.get_model("counters", "CounterCopy")
    for alias, labels in _copied().items():
        if not router.allow_migrate_model(alias, copies):
            yield checks.Error(
                f"Views of {', '.join(labels)} cannot be counted: it is in the database {alias!r},"
                " where the database routers allow no table of the counting.",
                hint='Put "footfall.routers.CountersRouter" first into DATABASE_ROUTERS, and run'
                f" `manage.py migrate counters --database {alias}`.",
                id="counters.E006",
            )


def _copied() -> dict[str, list[str]]:
    """Return the models that have a copy of their counters, by their database."""
    found: dict[str, list[str]] = {}
    for label, model in sorted(countable_models().items()):
        if is_copied(model):
            found.setdefault(database_of(model), []).append(label)
    return found


@checks.register(checks.Tags.database)
def check_tables(databases: Sequence[str] | None = None, **kwargs: Any) -> Found:
    """Warn of a database without the table: `migrate`, which makes it, checks before it does."""
    table = apps.get_model("counters", "CounterCopy")._meta.db_table
    for alias in {*(databases or ())} & _copied().keys():
        if table not in connections[alias].introspection.table_names():
            yield checks.Warning(
                f"The database {alias!r} has models whose views are counted, and no {table}.",
                hint=f"Run `manage.py migrate counters --database {alias}`.",
                id="counters.W004",
            )


@checks.register(TAG)
def check_models(**kwargs: Any) -> Found:
    """Name what is wrong with models that are counted without a `CounterField`."""
    for label, what in registered().items():
        try:
            model = apps.get_model(label)
        except (LookupError, ValueError):
            yield checks.Error(
                f"There is no model {label!r} whose views could be counted.",
                hint="COUNTERS_MODELS, or footfall.registry.register(), names it.",
                id="counters.E009",
            )
            continue
        if model._meta.proxy or model._meta.abstract:
            yield checks.Error(
                f"Views of {label} are counted as those of its parent: name that.",
                obj=model,
                id="counters.E009",
            )
        else:
            yield from check_key(model)
            yield from check_owner(model, what.exclude)


@checks.register(TAG)
def check_tenants(**kwargs: Any) -> Found:
    engines = {str(database.get("ENGINE", "")) for database in settings.DATABASES.values()}
    for name in TENANTS:
        if apps.is_installed(name) or any(one.startswith(f"{name}.") for one in engines):
            yield checks.Error(
                f"Views cannot be counted in the schemas of {name}.",
                hint="An event names a model and an id, and no schema: views of two tenants would"
                " be added up.",
                id="counters.E007",
            )


@checks.register(TAG)
def check_cache(**kwargs: Any) -> Found:
    """Warn of a cache in the log's own database of Redis: `cache.clear()` is FLUSHDB."""
    try:
        log = _place(conf.COUNTERS_LOG_URL)
    except ImproperlyConfigured:  # E001 says so
        return
    for alias, cache in settings.CACHES.items():
        if "redis" not in str(cache.get("BACKEND", "")).lower():
            continue
        location = cache.get("LOCATION", "")
        locations = location if isinstance(location, list | tuple) else str(location).split(",")
        if log in map(_place, locations):
            yield checks.Warning(
                f"The cache {alias!r} is in the same database of Redis as the log of views.",
                hint="cache.clear() empties it, and so loses views that are not stored yet. Give"
                " COUNTERS_LOG_URL or the cache another number, such as redis://localhost/1.",
                id="counters.W002",
            )


def _place(url: str) -> tuple[str, int, str]:
    """Return the server and the number of the database that an address names."""
    parts, _, servers = split(url.strip())
    asked = parse_qs(parts.query)
    if parts.scheme == "unix" or parts.scheme.endswith("+socket"):
        return parts.path, 0, _number((asked.get("db") or asked.get("virtual_host") or [""])[0])
    number = (asked.get("db") or [parts.path.strip("/")])[0]
    if is_sentinel(url):
        return (asked.get("service_name") or [""])[0], 0, _number(number)
    if is_cluster(url):  # it has one database
        return ",".join(servers), 0, "0"
    host = parts.hostname or "localhost"
    return "localhost" if host == "127.0.0.1" else host, parts.port or 6379, _number(number)


def _number(text: str) -> str:
    return text.lstrip("0") or "0"


@checks.register(TAG)
def check_log(**kwargs: Any) -> Found:
    url = getattr(settings, "COUNTERS_LOG_URL", "")
    if isinstance(url, str) and url.startswith(MEMORY) and not is_testing():
        yield checks.Warning(
            "Views are kept in the memory of each process, and lost with it.",
            hint="COUNTERS_LOG_URL = 'memory://' is for tests. They use it by themselves.",
            id="counters.W003",
        )


@checks.register
def check_admin_sites(**kwargs: Any) -> Found:
    """Name the sites on which the dashboard is missing, unless it is on the default site."""
    if not apps.is_installed("django.contrib.admin") or not hasattr(settings, "ROOT_URLCONF"):
        return
    from django.contrib.admin.sites import all_sites, site

    dashboard = apps.get_model("counters", "Dashboard")
    if _is_served(site):
        return
    for one in all_sites:
        if one._registry and not one.is_registered(dashboard) and _is_served(one):
            yield checks.Info(
                f"The admin site {one.name!r} has no dashboard of the counting.",
                hint="Put it there, in your admin.py: footfall.admin.sites.add_counting(site)",
                id="counters.I001",
            )


def _is_served(site: Any) -> bool:
    """Tell whether the URLs of the project have this site."""
    try:
        view: Any = resolve(reverse("admin:index", current_app=site.name)).func
    except (NoReverseMatch, ImproperlyConfigured):
        return False
    return view.admin_site is getattr(site, "_wrapped", site)
