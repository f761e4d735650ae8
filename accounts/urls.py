from django.urls import path

from accounts import views

ME = {"get": "retrieve", "put": "update", "patch": "partial_update", "delete": "destroy"}

urlpatterns = [
    path("users/", views.Registration.as_view({"post": "create"}), name="register"),
    path("users/activation/", views.Activation.as_view(), name="activation"),
    path("users/me/", views.Account.as_view(ME), name="account"),
    path("users/set_password/", views.SetPassword.as_view(), name="set-password"),
    path("users/reset_password/", views.ResetPassword.as_view(), name="reset-password"),
    path(
        "users/reset_password_confirm/", views.ConfirmReset.as_view(), name="reset-password-confirm"
    ),
    path("token/login/", views.SignIn.as_view(), name="login"),
    path("token/logout/", views.SignOut.as_view(), name="logout"),
]
