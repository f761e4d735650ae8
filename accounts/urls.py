from django.urls import path

from accounts import views

ME = {"get": "retrieve", "put": "update", "patch": "partial_update", "delete": "destroy"}

urlpatterns = [
    path("users/", views.RegistrationView.as_view(), name="register"),
    path("users/activation/", views.ActivationView.as_view(), name="activation"),
    path("users/me/", views.AccountView.as_view(ME), name="account"),
    path("users/set_password/", views.SetPasswordView.as_view(), name="set-password"),
    path("users/reset_password/", views.ResetPasswordView.as_view(), name="reset-password"),
    path(
        "users/reset_password_confirm/",
        views.ResetPasswordConfirmView.as_view(),
        name="reset-password-confirm",
    ),
    path("token/login/", views.LoginView.as_view(), name="login"),
    path("token/logout/", views.LogoutView.as_view(), name="logout"),
]
