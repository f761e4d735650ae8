"""Who may do what to a thing that has an owner. All clients may read it.

What staff may do is what the admin lets them do: Django's permission of the model, which superusers
have anyway. An account of staff without it is an account like any other.
"""

from typing import Any

from django.contrib.auth import get_permission_codename
from django.db.models import Model
from django.http import HttpRequest
from rest_framework.permissions import SAFE_METHODS, IsAuthenticated, IsAuthenticatedOrReadOnly
from rest_framework.request import Request
from rest_framework.views import APIView

ACTIONS = {"PUT": "change", "PATCH": "change", "DELETE": "delete"}


class OwnerOrStaffChanges(IsAuthenticatedOrReadOnly):
    """People with an account add, the owner or staff change, only staff delete."""

    def has_object_permission(self, request: Request, view: APIView, obj: Any) -> bool:
        if request.method in SAFE_METHODS or may_as_staff(request, obj):
            return True
        return request.method != "DELETE" and obj.owner_id == request.user.pk


class AuthorChanges(IsAuthenticatedOrReadOnly):
    """People with an account add, only the author changes, the author or staff delete."""

    def has_object_permission(self, request: Request, view: APIView, obj: Any) -> bool:
        if request.method in SAFE_METHODS or obj.author_id == request.user.pk:
            return True
        return request.method == "DELETE" and may_as_staff(request, obj)


class OwnerOrStaffDeletes(IsAuthenticatedOrReadOnly):
    """Only the owner or staff delete, whatever the method of the request is."""

    def has_object_permission(self, request: Request, view: APIView, obj: Any) -> bool:
        return request.method in SAFE_METHODS or may_delete(request, obj)


class StaffAdds(IsAuthenticated):
    """Only staff who may add what the view is about."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        model = view.queryset.model  # type: ignore[attr-defined]
        return super().has_permission(request, view) and is_allowed(request, "add", model)


def may_delete(request: Request | HttpRequest, obj: Any) -> bool:
    """Tell whether the user owns `obj`, or is staff who may delete it."""
    mine = request.user.is_authenticated and obj.owner_id == request.user.pk
    return mine or is_allowed(request, "delete", type(obj))


def may_as_staff(request: Request, obj: Any) -> bool:
    return is_allowed(request, ACTIONS[str(request.method)], type(obj))


def is_allowed(request: Request | HttpRequest, action: str, model: type[Model]) -> bool:
    """Tell whether the user is staff with that permission; `action`: as in Django's permissions.

    Who may change something sees it, too, as in the admin.
    """
    user: Any = request.user
    actions = ("view", "change") if action == "view" else (action,)
    names = (get_permission_codename(one, model._meta) for one in actions)
    return user.is_staff and any(user.has_perm(f"{model._meta.app_label}.{name}") for name in names)
