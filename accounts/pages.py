"""The pages behind the link of a reset mail: Django's own, which the admin's templates dress."""

from django.contrib.auth.views import PasswordResetCompleteView, PasswordResetConfirmView
from django.urls import path, reverse_lazy

urlpatterns = [
    path(
        "set/",
        PasswordResetCompleteView.as_view(template_name="accounts/password_set.html"),
        name="password-is-set",
    ),
    path(
        "<uidb64>/<token>/",
        PasswordResetConfirmView.as_view(success_url=reverse_lazy("password-is-set")),
        name="password-link",
    ),
]
