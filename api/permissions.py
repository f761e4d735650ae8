"""Permissions for objects that have an owner. All clients may read them.

Staff may do what the admin lets them do: it takes Django's permission for the model, which
superusers always have. Staff without that permission are treated like any other user.
"""

from typing import Any

from django.contrib.auth import get_permission_codename
from django.db.models import Model
from django.http import HttpRequest
from rest_framework.permissions import (
    SAFE_METHODS,
    AllowAny,
    IsAuthenticated,
    IsAuthenticatedOrReadOnly,
)
from rest_framework.request import Request
from rest_framework.views import APIView

ACTIONS = {"POST": "add", "PUT": "change", "PATCH": "change", "DELETE": "delete"}


class Public:
    """The base of views that look at no token: an invalid one is not answered with 401."""

    authentication_classes: Any = ()
    permission_classes: Any = (AllowAny,)


class OwnerOrStaffChanges(IsAuthenticatedOrReadOnly):
    """Authenticated users add, the owner or staff change, only staff delete."""

    def has_object_permission(self, request: Request, view: APIView, obj: Any) -> bool:
        if request.method in SAFE_METHODS or may_as_staff(request, obj):
            return True
        return request.method != "DELETE" and obj.owner_id == request.user.pk


class AuthorChanges(IsAuthenticatedOrReadOnly):
    """Authenticated users add, only the author changes, the author or staff delete."""

    def has_object_permission(self, request: Request, view: APIView, obj: Any) -> bool:
        if request.method in SAFE_METHODS or obj.author_id == request.user.pk:
            return True
        return request.method == "DELETE" and may_as_staff(request, obj)


class OwnerOrStaffDeletes(IsAuthenticatedOrReadOnly):
    """For every unsafe method it takes the owner, or staff who may delete."""

    def has_object_permission(self, request: Request, view: APIView, obj: Any) -> bool:
        return request.method in SAFE_METHODS or may_delete(request, obj)


class StaffAdds(IsAuthenticated):
    """Only staff who may add objects of the view's model."""

    action = "add"

    def has_permission(self, request: Request, view: APIView) -> bool:
        model = view.queryset.model  # type: ignore[attr-defined]
        return super().has_permission(request, view) and is_allowed(request, self.action, model)


class StaffViews(StaffAdds):
    """Only staff who may view objects of the view's model."""

    action = "view"


def may_delete(request: Request | HttpRequest, obj: Any) -> bool:
    """Return whether the user owns `obj`, or is staff who may delete it."""
    is_owner = request.user.is_authenticated and obj.owner_id == request.user.pk
    return is_owner or is_allowed(request, "delete", type(obj))


def may_as_staff(request: Request, obj: Any) -> bool:
    return is_allowed(request, ACTIONS[str(request.method)], type(obj))


def is_allowed(request: Request | HttpRequest, action: str, model: type[Model]) -> bool:
    """Return whether the user is staff with Django's permission for `action`: "add", "view", ...

    As in the admin, the permission to change includes the permission to view.
    """
    user: Any = request.user
    actions = ("view", "change") if action == "view" else (action,)
    names = (get_permission_codename(one, model._meta) for one in actions)
    return user.is_staff and any(user.has_perm(f"{model._meta.app_label}.{name}") for name in names)
