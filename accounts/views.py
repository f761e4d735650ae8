"""The accounts API, on top of djoser's views."""

from collections.abc import Mapping
from typing import Any, cast

from django.db import transaction
from djoser.views import TokenCreateView, TokenDestroyView, UserViewSet
from drf_spectacular.utils import extend_schema, extend_schema_view
from footfall.common.celery import enqueue
from rest_framework.generics import GenericAPIView
from rest_framework.permissions import AllowAny, BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle

from accounts import tasks
from accounts.emails.addresses import mailbox
from accounts.models import Confirmation, User
from accounts.serializers import (
    AccountSerializer,
    ActivationSerializer,
    AuthTokenSerializer,
    CurrentPasswordSerializer,
    InvalidCredentials,
    LoginSerializer,
    RegisteredSerializer,
    RegistrationSerializer,
    ResetConfirmSerializer,
    ResetSerializer,
    SetPasswordSerializer,
    login_identifier,
)
from accounts.usernames import skeleton
from api.openapi_responses import errors
from api.throttling import AccountThrottle, AddressThrottle, ClientThrottle, digest
from api.unavailable import Unavailable


@extend_schema_view(
    create=extend_schema(
        operation_id="register",
        request=RegistrationSerializer,
        responses={201: RegisteredSerializer, **errors(400, 409, 415, 429, 503)},
        auth=[],
    )
)
class RegistrationView(UserViewSet):  # type: ignore[misc]
    """Creates an account, and sends a welcome e-mail in the language of the request.

    If the service confirms addresses, it sends an e-mail with a link first, and creates the account
    when the link is followed. The response is then the same for an address that is taken.
    """

    authentication_classes = ()  # not needed, and an invalid token would be answered with 401
    throttle_classes = (ClientThrottle,)
    throttle_scope = "register"
    serializer_class = RegistrationSerializer

    def get_permissions(self) -> list[BasePermission]:
        return []

    def get_serializer_class(self) -> type[RegistrationSerializer]:
        return RegistrationSerializer

    def perform_create(self, serializer: RegistrationSerializer) -> None:
        serializer.save()  # without djoser's e-mails


class ActivationView(GenericAPIView[Confirmation]):
    """Confirms the address of a new account, or the new address of an account."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    throttle_classes = (ClientThrottle,)
    throttle_scope = "reset"
    serializer_class = ActivationSerializer

    @extend_schema(
        operation_id="activation",
        request=ActivationSerializer,
        responses={204: None, **errors(400, 415, 429, 503)},
    )
    def post(self, request: Request) -> Response:
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        serializer.save()
        return Response(status=204)


@extend_schema_view(
    retrieve=extend_schema(
        operation_id="me", responses={200: AccountSerializer, **errors(401, 503)}
    ),
    update=extend_schema(
        operation_id="me_update",
        responses={200: AccountSerializer, **errors(400, 401, 403, 409, 415, 429, 503)},
    ),
    partial_update=extend_schema(
        operation_id="me_partial_update",
        responses={200: AccountSerializer, **errors(400, 401, 403, 409, 415, 429, 503)},
    ),
    destroy=extend_schema(
        operation_id="me_destroy",
        description="Deletes your account. The body must repeat the password, as"
        ' `{"current_password": ...}`: a stolen token is not enough.',
        responses={204: None, **errors(400, 401, 403, 415, 429, 503)},
    ),
)
class AccountView(UserViewSet):  # type: ignore[misc]
    """Your account."""

    serializer_class = AccountSerializer

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
        return CurrentPasswordSerializer if self.action == "destroy" else AccountSerializer

    def get_object(self) -> User:
        user: User = self.request.user
        return user


class SetPasswordView(GenericAPIView[User]):
    """Sets a new password for your account, and ends its token and sessions."""

    permission_classes = (IsAuthenticated,)
    throttle_scope = "login"
    serializer_class = SetPasswordSerializer

    def get_throttles(self) -> list[BaseThrottle]:
        self.account_throttle = AccountThrottle()
        return [ClientThrottle(), self.account_throttle]

    def get_account_key(self, request: Request) -> str:
        return account_key(request.user.pk)

    @extend_schema(
        operation_id="set_password",
        request=SetPasswordSerializer,
        responses={204: None, **errors(400, 401, 403, 415, 429, 503)},
    )
    def post(self, request: Request) -> Response:
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        user = cast(User, request.user)
        user.set_password(serializer.validated_data["new_password"])
        user.save(update_fields=["password"])
        self.account_throttle.reset()
        return Response(status=204)


class ResetPasswordView(GenericAPIView[User]):
    """Sends a link to set a new password to the e-mail address, if an account has it.

    The response is the same, and takes as long, if no account has it: a worker looks it up.
    """

    authentication_classes = ()
    permission_classes = (AllowAny,)
    throttle_classes = (ClientThrottle, AccountThrottle)
    throttle_scope = "reset"
    serializer_class = ResetSerializer

    def get_account_key(self, request: Request) -> str | None:
        body = request.data if isinstance(request.data, Mapping) else {}
        address = str(body.get("email") or "").strip()
        return digest(mailbox(address)) if address else None

    @extend_schema(
        operation_id="reset_password",
        request=ResetSerializer,
        responses={204: None, **errors(400, 415, 429, 503)},
    )
    def post(self, request: Request) -> Response:
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        if not enqueue(tasks.reset_password, serializer.validated_data["email"]):
            raise Unavailable
        return Response(status=204)


class ResetPasswordConfirmView(GenericAPIView[User]):
    """Sets a new password with the `uid` and `token` of the link, and ends token and sessions."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    throttle_classes = (ClientThrottle,)
    throttle_scope = "reset"
    serializer_class = ResetConfirmSerializer

    @extend_schema(
        operation_id="reset_password_confirm",
        request=ResetConfirmSerializer,
        responses={204: None, **errors(400, 415, 429, 503)},
    )
    def post(self, request: Request) -> Response:
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        user: User = serializer.validated_data["user"]
        user.set_password(serializer.validated_data["new_password"])
        user.save(update_fields=["password"])
        return Response(status=204)


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


class LoginView(TokenCreateView):  # type: ignore[misc]
    """Returns the account's token, for its username or e-mail address, and its password."""

    authentication_classes = ()
    throttle_scope = "login"
    serializer_class = LoginSerializer

    def get_account_key(self, request: Request) -> str | None:
        return find_account_key(login_identifier(request.data))

    def get_throttles(self) -> list[BaseThrottle]:
        self.account_throttle = AccountThrottle()
        return [ClientThrottle(), self.account_throttle]

    @extend_schema(
        operation_id="sign_in",
        request=LoginSerializer,
        responses={200: AuthTokenSerializer, **errors(400, 415, 429, 503)},
    )
    def post(self, request: Request) -> Response:
        response: Response = super().post(request)
        self.account_throttle.reset()
        return response

    def _action(self, serializer: LoginSerializer) -> Response:
        """Create the token, unless the password was changed since it was checked.

        The lock delays a change until the token exists; the change then deletes the token.
        """
        user = serializer.user
        with transaction.atomic():
            same = User.objects.filter(pk=user.pk, password=user.password, is_active=True)
            if same.select_for_update().first() is None:
                raise InvalidCredentials
            response: Response = super()._action(serializer)
        return response


class LogoutView(TokenDestroyView):  # type: ignore[misc]
    """Deletes the account's token, which logs out all devices that use it."""

    @extend_schema(
        operation_id="sign_out", request=None, responses={204: None, **errors(401, 403, 429, 503)}
    )
    def post(self, request: Request) -> Response:
        response: Response = super().post(request)
        return response
