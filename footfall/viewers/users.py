"""Users whose views are not recorded, see `footfall.policies.Exclude`."""

import logging
from typing import Any

from django.db import models

from footfall.policies import Exclude
from footfall.registry import counter_field
from footfall.viewers.request import Source

logger = logging.getLogger(__name__)

GROUPS = "_footfall_groups"
"""Where a request keeps the names of its user's groups."""


def is_excluded(target: models.Model, source: Source | None) -> bool:
    """Tell whether a view of the target by this request is not to be recorded.

    Asks the database once in a request for the groups of its user, if the model names some. A user
    that cannot be read is not excluded: no view is lost by that. Raises TypeError if the target is
    not countable.
    """
    exclude = counter_field(type(target)).exclude
    if exclude is None or source is None:
        return False
    try:
        user = getattr(source, "user", None)  # the environ of WSGI has none
        return bool(user and user.is_authenticated) and _names(exclude, target, user, source)
    except Exception:
        logger.exception("it is not known who views %s: the view counts", target)
        return False


def _names(exclude: Exclude, target: models.Model, user: Any, source: Source) -> bool:
    if exclude.staff and user.is_staff:
        return True
    if exclude.owner and _owner(target, exclude.owner) == user.pk:
        return True
    return bool(exclude.groups) and not _groups(user, source).isdisjoint(exclude.groups)


def _owner(target: Any, path: str) -> Any:
    """Return the key of the user to whom the target belongs; None without one."""
    *way, last = path.split("__")
    for name in way:
        target = getattr(target, name)
        if target is None:
            return None
    return getattr(target, target._meta.get_field(last).attname)


def _groups(user: Any, source: Source) -> frozenset[str]:
    found: frozenset[str] | None = getattr(source, GROUPS, None)
    if found is None:
        found = frozenset(user.groups.values_list("name", flat=True))
        setattr(source, GROUPS, found)
    return found
