"""The API of accounts: djoser's views, with what they leave open."""

from collections.abc import Mapping
from typing import Any, cast

from django.db import transaction
from djoser.views import TokenCreateView, TokenDestroyView, UserViewSet
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.generics import GenericAPIView
from rest_framework.permissions import AllowAny, BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle

from accounts import tasks
from accounts.addresses import mailbox
from accounts.models import Confirmation, User
from accounts.names import skeleton
from accounts.serializers import (
    AccountSerializer,
    ActivationSerializer,
    AuthTokenSerializer,
    CurrentPassword,
    Refused,
    RegisteredSerializer,
    RegistrationSerializer,
    ResetConfirmSerializer,
    ResetSerializer,
    SetPasswordSerializer,
    SignInSerializer,
    called,
)
from api.answers import errors
from api.throttling import ByAccount, ByAddress, ByClient, digest
from api.unavailable import Unavailable


@extend_schema_view(
    create=extend_schema(
        operation_id="register",
        request=RegistrationSerializer,
        responses={201: RegisteredSerializer, **errors(400, 409, 415, 429, 503)},
        auth=[],
    )
)
class Registration(UserViewSet):  # type: ignore[misc]
    """Makes an account. A welcome mail follows, in the language of the request.

    Where addresses are to be confirmed, a mail with a link follows first, and the account is there
    once the link was followed. The answer is then the same for an address that is taken.
    """

    authentication_classes = ()  # a token makes no difference here, and a stale one is no obstacle
    throttle_classes = (ByClient,)
    throttle_scope = "register"
    serializer_class = RegistrationSerializer

    def get_permissions(self) -> list[BasePermission]:
        return []

    def get_serializer_class(self) -> type[RegistrationSerializer]:
        return RegistrationSerializer

    def perform_create(self, serializer: RegistrationSerializer) -> None:
        serializer.save()  # without djoser's mails


class Activation(GenericAPIView[Confirmation]):
    """Confirms the address of a new account, or another one of an account."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    throttle_classes = (ByClient,)
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
        description="Deletes one's own account. The body has to repeat the password, as"
        ' `{"current_password": ...}`: a token that was found is not enough.',
        responses={204: None, **errors(400, 401, 403, 415, 429, 503)},
    ),
)
class Account(UserViewSet):  # type: ignore[misc]
    """One's own account."""

    serializer_class = AccountSerializer

    def get_throttles(self) -> list[BaseThrottle]:
        if self.request.method == "DELETE":  # asks for the password, which is not to be guessed
            return [ByClient(), ByAccount()]
        # It tells which names and addresses are taken, as registering does.
        return [ByAddress()] if self.request.method in ("PUT", "PATCH") else []

    @property
    def throttle_scope(self) -> str:
        return "login" if self.request.method == "DELETE" else "register"

    def account_of(self, request: Request) -> str:
        return one_account(request.user.pk)

    def get_serializer_class(self) -> Any:
        return CurrentPassword if self.action == "destroy" else AccountSerializer

    def get_object(self) -> User:
        user: User = self.request.user
        return user


class SetPassword(GenericAPIView[User]):
    """Sets another password for one's own account; its token and sessions end."""

    permission_classes = (IsAuthenticated,)
    throttle_scope = "login"
    serializer_class = SetPasswordSerializer

    def get_throttles(self) -> list[BaseThrottle]:
        self.by_account = ByAccount()
        return [ByClient(), self.by_account]

    def account_of(self, request: Request) -> str:
        return one_account(request.user.pk)

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
        self.by_account.forget()
        return Response(status=204)


class ResetPassword(GenericAPIView[User]):
    """Sends a link for a new password to the address, if it is that of an account.

    The answer is the same, and as fast, if it is not: a worker looks it up.
    """

    authentication_classes = ()
    permission_classes = (AllowAny,)
    throttle_classes = (ByClient, ByAccount)
    throttle_scope = "reset"
    serializer_class = ResetSerializer

    def account_of(self, request: Request) -> str | None:
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
        if not tasks.ask_for_reset(serializer.validated_data["email"]):
            raise Unavailable
        return Response(status=204)


class ConfirmReset(GenericAPIView[User]):
    """Sets the new password with what the link in the mail ends with; token and sessions end."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    throttle_classes = (ByClient,)
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


def one_account(pk: int | None) -> str:
    """Return the name of the counts that are about an account, whatever it was called by."""
    return f"account-{pk}"


def account_called(known: str) -> str | None:
    """Return the same for all names and addresses of one account; None for none.

    An account that does not exist is counted too, by its name: the answers do not tell them apart.
    """
    known = known.strip()
    if not known:
        return None
    user = User.objects.called(known)
    if user:
        return one_account(user.pk)
    return digest(mailbox(known) if "@" in known else skeleton(known))


class SignIn(TokenCreateView):  # type: ignore[misc]
    """Gives the account's token for its name or e-mail address, and password."""

    authentication_classes = ()
    throttle_scope = "login"
    serializer_class = SignInSerializer

    def account_of(self, request: Request) -> str | None:
        return account_called(called(request.data))

    def get_throttles(self) -> list[BaseThrottle]:
        self.by_account = ByAccount()
        return [ByClient(), self.by_account]

    @extend_schema(
        operation_id="sign_in",
        request=SignInSerializer,
        responses={200: AuthTokenSerializer, **errors(400, 415, 429, 503)},
    )
    def post(self, request: Request) -> Response:
        response: Response = super().post(request)
        self.by_account.forget()
        return response

    def _action(self, serializer: SignInSerializer) -> Response:
        """Make the token, unless the password was changed while it was being checked.

        The lock keeps the change out until the token is there, and is then ended by it.
        """
        user = serializer.user
        with transaction.atomic():
            same = User.objects.filter(pk=user.pk, password=user.password, is_active=True)
            if same.select_for_update().first() is None:
                raise Refused
            response: Response = super()._action(serializer)
        return response


class SignOut(TokenDestroyView):  # type: ignore[misc]
    """Ends the account's token, on every device that has it."""

    @extend_schema(
        operation_id="sign_out", request=None, responses={204: None, **errors(401, 403, 429, 503)}
    )
    def post(self, request: Request) -> Response:
        response: Response = super().post(request)
        return response
