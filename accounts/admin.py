from typing import Any

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.forms import UserChangeForm
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from rest_framework.authtoken.models import Token

from accounts.models import Confirmation, User, Welcome
from footfall.common.admin import ReadOnlyAdmin


class WelcomeInline(admin.StackedInline):  # type: ignore[type-arg]
    """The state of the welcome e-mail; only users who registered themselves get one."""

    model = Welcome
    readonly_fields = ("asked_at", "due_at", "claimed_at", "sent_at", "tries", "error")
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class AccountForm(UserChangeForm):  # type: ignore[type-arg]
    def _get_validation_exclusions(self) -> set[str]:
        """Allow an unchanged username and address, which may be older than the rules for them."""
        found: set[str] = super()._get_validation_exclusions()  # type: ignore[misc]
        return found | {"username", "email"}.difference(self.changed_data)


@admin.register(User)
class AccountAdmin(UserAdmin):  # type: ignore[type-arg]
    form = AccountForm
    # With the address, which is required and unique.
    add_fieldsets = (
        (
            None,
            {
                "classes": ("wide",),
                "fields": ("username", "email", "usable_password", "password1", "password2"),
            },
        ),
    )
    fieldsets = (
        *(UserAdmin.fieldsets or ()),
        (_("Mails and tokens"), {"fields": ("language", "token_created")}),
    )
    readonly_fields = ("date_joined", "last_login", "token_created")
    list_display = (
        "username",
        "email",
        "date_joined",
        "is_staff",
        "welcome_state",
        "token_created",
    )
    list_select_related = ("welcome", "auth_token")
    list_filter = (*UserAdmin.list_filter, "date_joined")
    date_hierarchy = "date_joined"
    inlines = (WelcomeInline,)
    actions = ("end_tokens",)

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        return [WelcomeInline] if obj is not None and hasattr(obj, "welcome") else []

    @admin.display(description=_("welcome mail"), ordering="welcome__sent_at")
    def welcome_state(self, user: User) -> Any:
        return getattr(user, "welcome", None)

    @admin.display(description=_("token since"), ordering="auth_token__created")
    def token_created(self, user: User) -> Any:
        return getattr(getattr(user, "auth_token", None), "created", None)

    @admin.action(description=_("End the tokens of the selected users"), permissions=["change"])
    def end_tokens(self, request: HttpRequest, users: QuerySet[User]) -> None:
        ended, _by_model = Token.objects.filter(user__in=users).delete()
        text = ngettext("%s token was ended.", "%s tokens were ended.", ended) % ended
        self.message_user(request, text)


@admin.register(Confirmation)
class ConfirmationAdmin(ReadOnlyAdmin):
    """Confirmations that are pending, without the hash of the password."""

    list_display = ("email", "username", "user", "asked_at")
    list_select_related = ("user",)
    fields = ("email", "username", "user", "language", "asked_at")
    search_fields = ("=email", "=username")
    search_help_text = _("An e-mail address or a username.")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # Needed to delete its user.
        return admin.ModelAdmin.has_delete_permission(self, request, obj)


@admin.register(LogEntry)
class AuditLogAdmin(ReadOnlyAdmin):
    """The audit log of staff, in the admin and the API. It cannot be changed."""

    list_display = ("action_time", "user", "action_flag", "content_type", "object_repr", "message")
    list_filter = ("action_flag", "action_time", "content_type")
    list_select_related = ("user", "content_type")
    search_fields = ("=user__username", "object_repr")
    search_help_text = _("A username, or part of the name of an object.")
    show_full_result_count = False
    date_hierarchy = "action_time"

    @admin.display(description=_("action"))
    def message(self, entry: LogEntry) -> str:
        return entry.get_change_message()
