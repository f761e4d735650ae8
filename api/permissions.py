"""Who may do what to a thing that belongs to somebody. Everybody may read it."""

from typing import Any

from django.http import HttpRequest
from rest_framework.permissions import SAFE_METHODS, IsAuthenticatedOrReadOnly
from rest_framework.request import Request
from rest_framework.views import APIView


class OwnerOrStaffChanges(IsAuthenticatedOrReadOnly):
    """People with an account add, the owner or staff change, only staff delete."""

    def has_object_permission(self, request: Request, view: APIView, obj: Any) -> bool:
        if request.method in SAFE_METHODS or request.user.is_staff:
            return True
        return request.method != "DELETE" and obj.owner_id == request.user.pk


class AuthorChanges(IsAuthenticatedOrReadOnly):
    """People with an account add, only the author changes, the author or staff delete."""

    def has_object_permission(self, request: Request, view: APIView, obj: Any) -> bool:
        if request.method in SAFE_METHODS or obj.author_id == request.user.pk:
            return True
        return request.method == "DELETE" and request.user.is_staff


class OwnerOrStaffDeletes(IsAuthenticatedOrReadOnly):
    """Only the owner or staff delete."""

    def has_object_permission(self, request: Request, view: APIView, obj: Any) -> bool:
        return request.method in SAFE_METHODS or is_owner_or_staff(request, obj)


def is_owner_or_staff(request: Request | HttpRequest, obj: Any) -> bool:
    """Tell whether who asks owns `obj`, or is staff. What nobody owns is no stranger's."""
    mine = request.user.is_authenticated and obj.owner_id == request.user.pk
    return mine or request.user.is_staff
