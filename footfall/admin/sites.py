"""The counting on an admin site of the project's own."""

from django.contrib import admin

from footfall.models import Dashboard


def add_counting(site: admin.AdminSite) -> None:
    """Put the dashboard and the tables of the counting on a site, as they are on `admin.site`.

    Unless the site has an index of its own, the dashboard is the first thing on it.
    """
    for model, made in admin.site._registry.items():
        if model._meta.app_label == Dashboard._meta.app_label and not site.is_registered(model):
            site.register(model, type(made))
    site.index_template = site.index_template or "counters/index.html"
