"""Addresses in the admin, and keys in an address."""

from django.contrib.admin import AdminSite
from django.db.models import Model
from django.urls import reverse


def admin_address(site: AdminSite, model: type[Model], view: str, *args: object) -> str:
    """Return where a view of a model's admin is: "changelist", "add", "change" with a key, ..."""
    opts = model._meta
    return reverse(f"{site.name}:{opts.app_label}_{opts.model_name}_{view}", args=args)


def key_in(text: str) -> int | None:
    """Return the primary key that a text from outside is; None if it is none."""
    return int(text) if text.isdecimal() and len(text) < 19 else None
