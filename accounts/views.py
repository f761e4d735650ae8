"""The accounts API, on top of djoser's views."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from djoser.views import TokenCreateView, TokenDestroyView, UserViewSet
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.generics import CreateAPIView, GenericAPIView
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.throttling import BaseThrottle

from accounts import serializers
from accounts.addresses import mailbox
from accounts.models import User
from accounts.usernames import skeleton
from api.openapi_responses import errors
from api.permissions import Public
from api.throttling import AccountThrottle, AddressThrottle, ClientThrottle, digest


@extend_schema_view(
    post=extend_schema(
        operation_id="register", responses={201: serializers.RegisteredSerializer}, auth=[]
    )
)
class RegistrationView(Public, CreateAPIView[User]):
    """Creates an account, and sends a welcome e-mail in the language of the request.

    If the service confirms addresses, it sends an e-mail with a link first, and creates the account
    when the link is followed. The response is then the same for an address that is taken.
    """

    throttle_classes = (ClientThrottle,)
    throttle_scope = "register"
    may_conflict = True
    serializer_class = serializers.RegistrationSerializer


class ActionView(Public, GenericAPIView[Any]):
    """Validates the body, calls the serializer's `save`, and answers 204."""

    throttle_classes: Any = (ClientThrottle,)
    throttle_scope = "reset"

    def post(self, request: Request) -> Response:
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        serializer.save()
        return Response(status=204)


def schema_for(operation_id: str) -> Any:
    """Return the decorator that describes an `ActionView` for the schema."""
    schema = extend_schema(operation_id=operation_id, responses={204: None})
    return extend_schema_view(post=schema)


class PasswordThrottleMixin:
    """Counts requests with a password per client and per account; a right one resets the latter."""

    throttle_scope = "login"

    def get_throttles(self) -> list[BaseThrottle]:
        self.account_throttle = AccountThrottle()
        return [ClientThrottle(), self.account_throttle]

    def post(self, request: Request) -> Response:
        response: Response = super().post(request)  # type: ignore[misc]
        self.account_throttle.reset()
        return response


@schema_for("activation")
class ActivationView(ActionView):
    """Confirms the address of a new account, or the new address of an account."""

    serializer_class = serializers.ActivationSerializer


CHANGED = {200: serializers.AccountSerializer, **errors(409)}


@extend_schema_view(
    retrieve=extend_schema(operation_id="me"),
    update=extend_schema(operation_id="me_update", responses=CHANGED),
    partial_update=extend_schema(operation_id="me_partial_update", responses=CHANGED),
    destroy=extend_schema(
        operation_id="me_destroy",
        description="Deletes your account. The body must repeat the password, as"
        ' `{"current_password": ...}`: a stolen token is not enough.',
        responses={204: None, **errors(400, 415)},
    ),
)
class AccountView(UserViewSet):  # type: ignore[misc]
    """Your account."""

    serializer_class = serializers.AccountSerializer

    def get_throttles(self) -> list[BaseThrottle]:
        if self.request.method == "DELETE":  # it asks for the password, which must not be guessed
            return [ClientThrottle(), AccountThrottle()]
        # It reveals which usernames and addresses are taken, as registration does.
        return [AddressThrottle()] if self.request.method in ("PUT", "PATCH") else []

    @property
    def throttle_scope(self) -> str:
        return "login" if self.request.method == "DELETE" else "register"

    def get_account_key(self, request: Request) -> str:
        return account_key(request.user.pk)

    def get_serializer_class(self) -> Any:
        if self.action == "destroy":
            return serializers.CurrentPasswordSerializer
        return serializers.AccountSerializer

    def get_object(self) -> User:
        user: User = self.request.user
        return user


@schema_for("set_password")
class SetPasswordView(PasswordThrottleMixin, ActionView):
    """Sets a new password for your account, and ends its token and sessions."""

    authentication_classes: Any = api_settings.DEFAULT_AUTHENTICATION_CLASSES
    permission_classes = (IsAuthenticated,)
    serializer_class = serializers.SetPasswordSerializer

    def get_account_key(self, request: Request) -> str:
        return account_key(request.user.pk)


@schema_for("reset_password")
class ResetPasswordView(ActionView):
    """Sends a link to set a new password to the e-mail address, if an account has it.

    The response is the same, and takes as long, if no account has it: a worker looks it up.
    """

    throttle_classes = (ClientThrottle, AccountThrottle)
    serializer_class = serializers.ResetSerializer

    def get_account_key(self, request: Request) -> str | None:
        body = request.data if isinstance(request.data, Mapping) else {}
        address = str(body.get("email") or "").strip()
        return digest(mailbox(address)) if address else None


@schema_for("reset_password_confirm")
class ResetPasswordConfirmView(ActionView):
    """Sets a new password with the `uid` and `token` of the link, and ends token and sessions."""

    serializer_class = serializers.ResetConfirmSerializer


def account_key(pk: int | None) -> str:
    """Return the key under which requests about an account are counted."""
    return f"account-{pk}"


def find_account_key(identifier: str) -> str | None:
    """Return the same key for all usernames and addresses of an account; None for an empty text.

    Accounts that do not exist are counted as well, so as not to reveal which do.
    """
    identifier = identifier.strip()
    if not identifier:
        return None
    user = User.objects.find_for_login(identifier)
    if user:
        return account_key(user.pk)
    return digest(mailbox(identifier) if "@" in identifier else skeleton(identifier))


@extend_schema_view(
    post=extend_schema(operation_id="sign_in", responses=serializers.AuthTokenSerializer)
)
class LoginView(PasswordThrottleMixin, TokenCreateView):  # type: ignore[misc]
    """Returns the account's token, for its username or e-mail address, and its password."""

    authentication_classes = ()
    serializer_class = serializers.LoginSerializer

    def get_account_key(self, request: Request) -> str | None:
        return find_account_key(serializers.login_identifier(request.data))

    def _action(self, serializer: serializers.LoginSerializer) -> Response:
        """Create the token, unless the password was changed since it was checked.

        The lock delays a change until the token exists; the change then deletes the token.
        """
        user = serializer.user
        with transaction.atomic():
            same = User.objects.filter(pk=user.pk, password=user.password, is_active=True)
            if same.select_for_update().first() is None:
                raise serializers.InvalidCredentials
            response: Response = super()._action(serializer)
        return response


@extend_schema_view(
    post=extend_schema(operation_id="sign_out", request=None, responses={204: None})
)
class LogoutView(TokenDestroyView):  # type: ignore[misc]
    """Deletes the account's token, which logs out all devices that use it."""
