from typing import Any

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.forms import UserChangeForm
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.loader import render_to_string
from django.urls import URLPattern, path
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST
from rest_framework.authtoken.models import Token

from accounts.emails import welcome
from accounts.models import Confirmation, User, Welcome
from footfall.common.admin import ReadOnlyAdmin
from footfall.common.admin_urls import admin_address

WELCOME_ACTIONS = {"send_again": welcome.send_again, "mark_as_sent": welcome.mark_as_sent}


class WelcomeInline(admin.StackedInline):  # type: ignore[type-arg]
    """The state of the welcome e-mail; only users who registered themselves get one."""

    model = Welcome
    readonly_fields = ("asked_at", "due_at", "claimed_at", "sent_at", "tries", "error")
    can_delete = False

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fields = super().get_readonly_fields(request, obj)
        is_open = obj is not None and obj.welcome.sent_at is None and obj.welcome.due_at is None
        return (*fields, "what_to_do") if is_open and may_settle(request) else fields

    @admin.display(description=_("what to do"))
    def what_to_do(self, row: Welcome) -> str:
        """Return the buttons of the form that `admin/accounts/user/change_form.html` ends with."""
        return render_to_string("admin/accounts/user/welcome.html", {"welcome": row})

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def may_settle(request: HttpRequest) -> bool:
    """Return whether the user may say what becomes of a welcome mail that is perhaps sent."""
    return bool(request.user.has_perm("accounts.change_welcome"))


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
        (_("E-mails and tokens"), {"fields": ("language", "token_created")}),
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
    actions = ("end_tokens", "send_again", "mark_as_sent")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_POST(self.welcome_view))
        # The name ends like those of the views that write a log entry themselves.
        name = "accounts_user_welcome_change"
        return [path("<int:pk>/welcome/", view, name=name), *super().get_urls()]

    def get_actions(self, request: HttpRequest) -> Any:
        actions = super().get_actions(request)
        if not may_settle(request):
            for name in WELCOME_ACTIONS:
                actions.pop(name, None)
        return actions

    def welcome_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Send the welcome mail of a user again, or mark it as sent."""
        if not may_settle(request):
            raise PermissionDenied
        name = request.POST.get("action", "")
        user = get_object_or_404(User, pk=pk)
        if name not in WELCOME_ACTIONS:
            raise SuspiciousOperation(f"no such action: {name!r}")
        if self.settle(request, name, User.objects.filter(pk=pk)):
            self.log_change(request, user, str(getattr(self, name).short_description))
        return HttpResponseRedirect(admin_address(self.admin_site, User, "change", pk))

    def settle(self, request: HttpRequest, name: str, users: QuerySet[User]) -> int:
        """Do it for the welcome mails of these users; say how many there were."""
        count = WELCOME_ACTIONS[name](Welcome.objects.filter(user__in=users))
        if name == "send_again":
            text = ngettext("%s mail will be sent again.", "%s mails will be sent again.", count)
        else:
            text = ngettext("%s mail is marked as sent.", "%s mails are marked as sent.", count)
        self.message_user(request, text % count)
        return count

    @admin.action(description=_("Send the welcome mail again"))
    def send_again(self, request: HttpRequest, users: QuerySet[User]) -> None:
        self.settle(request, "send_again", users)

    @admin.action(description=_("Mark the welcome mail as sent"))
    def mark_as_sent(self, request: HttpRequest, users: QuerySet[User]) -> None:
        self.settle(request, "mark_as_sent", users)

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
