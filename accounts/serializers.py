"""Serializers of the accounts API."""

from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from django.conf import settings
from django.contrib.auth import authenticate
from django.contrib.auth.password_validation import validate_password
from django.contrib.auth.tokens import default_token_generator
from django.core.exceptions import ValidationError as DjangoValidationError
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _
from djoser import serializers as djoser
from djoser.utils import decode_uid
from rest_framework import serializers
from rest_framework.exceptions import Throttled

from accounts import addresses, confirmation, tasks
from accounts.models import ADDRESS_TAKEN, USERNAME_TAKEN, Confirmation, User
from accounts.registration import register
from accounts.usernames import validate_username
from api.locking import save_or_validate_again
from api.throttling import Throttle, client_ip, digest
from api.unavailable import Unavailable
from footfall.common.celery import enqueue


class UsernameField(serializers.CharField):
    """Normalizes a username before its length is validated: the normal form may be longer."""

    def to_internal_value(self, data: Any) -> str:
        return User.normalize_username(super().to_internal_value(data))


class AddressField(serializers.EmailField):
    """Normalizes an address before its length is validated: in ASCII its domain may be longer."""

    def to_internal_value(self, data: Any) -> str:
        return addresses.normalize(super().to_internal_value(data))


class PasswordField(serializers.CharField):
    """A password, with its spaces; never in a response."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            trim_whitespace=False,
            write_only=True,
            max_length=1000,
            style={"input_type": "password"},
            **kwargs,
        )


class AccountSerializer(serializers.ModelSerializer[User]):
    username = UsernameField(max_length=150)
    email = AddressField(max_length=254)

    class Meta:
        model = User
        fields: tuple[str, ...] = ("id", "username", "email", "date_joined")
        read_only_fields = ("id", "date_joined")

    def validate_username(self, name: str) -> str:
        if not self.instance or name != self.instance.username:  # it may be older than the rule
            validate_username(name)
        return name

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Report what is taken, but not beside other errors: a request that fails costs nothing."""
        taken: dict[str, Any] = {}
        if "username" in attrs and self._is_username_taken(attrs["username"]):
            taken["username"] = [USERNAME_TAKEN]
        if "email" in attrs and self._is_address_taken(attrs["email"]):
            taken["email"] = [ADDRESS_TAKEN]
        if taken:
            raise serializers.ValidationError(taken, code="unique")
        return attrs

    def update(self, instance: User, validated_data: dict[str, Any]) -> User:
        if settings.ACCOUNTS_CONFIRM_EMAIL:
            address = validated_data.pop("email", instance.email)
            if address != instance.email:
                self._confirm(address, lambda: confirmation.add_address(instance, address))
        for name, value in validated_data.items():
            setattr(instance, name, value)
        # Only these fields: others, such as the password, may have changed since the read.
        save_or_validate_again(self, lambda: instance.save(update_fields=list(validated_data)))
        return instance

    def _is_username_taken(self, name: str) -> bool:
        if self.instance and name == self.instance.username:
            return False
        similar = self._others(User.objects.with_similar_username(name))
        return similar.exists() or confirmation.is_reserved(name)

    def _is_address_taken(self, address: str) -> bool:
        """Return whether it is taken; if addresses are confirmed, always False: it is a secret."""
        if settings.ACCOUNTS_CONFIRM_EMAIL:
            return False
        return self._others(User.objects.with_email(address)).exists()

    def _others(self, users: QuerySet[User]) -> QuerySet[User]:
        return users.exclude(pk=self.instance.pk) if isinstance(self.instance, User) else users

    def _confirm(self, address: str, add: Callable[[], Confirmation]) -> Confirmation:
        """Add a confirmation, and have its e-mail sent.

        Raises Throttled after too many e-mails, Unavailable if the broker is.
        """
        if wait := self._seconds_until_allowed(address):
            raise Throttled(wait)
        added = save_or_validate_again(self, add)
        if not enqueue(tasks.confirm, added.pk):
            added.delete()
            raise Unavailable
        return added

    def _seconds_until_allowed(self, address: str) -> float:
        """Count an e-mail from the client to this address; return 0.0 if it may be sent now.

        Counted by mailbox, not by account: an account can be deleted and created again.
        """
        throttle, mailbox = Throttle(), digest(addresses.mailbox(address))
        client = client_ip(self.context["request"])
        is_allowed = throttle.allow("mail", client) and throttle.allow("mail_address", mailbox)
        return 0.0 if is_allowed else throttle.wait()


class RegistrationSerializer(AccountSerializer):
    password = PasswordField()

    class Meta(AccountSerializer.Meta):
        fields = (*AccountSerializer.Meta.fields, "password")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        user = User(username=attrs["username"], email=attrs["email"])
        check_strength("password", attrs["password"], user)
        return super().validate(attrs)

    def create(self, validated_data: dict[str, Any]) -> User | Confirmation:  # type: ignore[override]
        address = validated_data["email"]
        if settings.ACCOUNTS_CONFIRM_EMAIL:
            return self._confirm(address, lambda: confirmation.add_account(**validated_data))
        welcome = not self._seconds_until_allowed(address)
        return save_or_validate_again(self, lambda: register(**validated_data, welcome=welcome))

    def to_representation(self, instance: User | Confirmation) -> dict[str, Any]:
        """Show an account that waits for confirmation like any other, without an id."""
        if isinstance(instance, Confirmation):
            instance = User(
                username=instance.username, email=instance.email, date_joined=instance.asked_at
            )
        return super().to_representation(instance)


class RegisteredSerializer(AccountSerializer):
    """The account; `id` is null while its address must be confirmed."""

    id = serializers.IntegerField(allow_null=True, read_only=True)


class LoginSerializer(serializers.Serializer[User]):
    """`username` is the username or the e-mail address; `email` may be sent instead."""

    username = serializers.CharField(required=False)
    email = serializers.CharField(required=False)
    password = PasswordField()

    user: User

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        name = login_identifier(attrs)
        if not name:
            raise serializers.ValidationError({"username": [_("This field is required.")]})
        user = authenticate(self.context["request"], username=name, password=attrs["password"])
        if user is None:
            raise InvalidCredentials
        self.user = user
        return attrs


def login_identifier(body: Any) -> str:
    """Return the username or e-mail address in the body of a login; '' if there is none."""
    if not isinstance(body, Mapping):
        return ""
    sent = (body.get(field) for field in ("username", "email"))
    names = [str(name).strip() for name in sent if name is not None]
    return next(filter(None, names), "")


class InvalidCredentials(serializers.ValidationError):
    """The same error for a wrong password, an unknown username and an inactive account."""

    def __init__(self) -> None:
        detail = {"non_field_errors": [_("Unable to log in with provided credentials.")]}
        super().__init__(detail, code="invalid_credentials")


class AuthTokenSerializer(djoser.TokenSerializer):  # type: ignore[misc]
    """The key for the header `Authorization: Token <key>`."""


class CurrentPasswordSerializer(djoser.CurrentPasswordSerializer):  # type: ignore[misc]
    current_password = PasswordField()


class SetPasswordSerializer(CurrentPasswordSerializer):
    new_password = PasswordField()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        check_strength("new_password", attrs["new_password"], self.context["request"].user)
        return attrs

    def save(self) -> None:
        set_password(self.context["request"].user, self.validated_data["new_password"])


class ResetSerializer(serializers.Serializer[User]):
    email = serializers.EmailField(max_length=254)

    def save(self) -> None:  # type: ignore[override]
        if not enqueue(tasks.reset_password, self.validated_data["email"]):
            raise Unavailable


class ActivationSerializer(serializers.Serializer[Any]):
    """`uid` and `token` are the last two parts of the link in the mail."""

    uid = serializers.CharField()
    token = serializers.CharField()

    default_error_messages = {
        "invalid_token": _("This link is not valid. It works once, and for 3 days."),
        "unique": _("The username or e-mail address is already taken."),
    }

    def reject(self, code: str) -> NoReturn:
        raise serializers.ValidationError({"token": [self.error_messages[code]]}, code)

    def save(self) -> None:  # type: ignore[override]
        try:
            confirmation.confirm(**self.validated_data)
        except confirmation.InvalidLink:
            self.reject("invalid_token")
        except confirmation.AlreadyTaken:
            self.reject("unique")


class ResetConfirmSerializer(ActivationSerializer):
    new_password = PasswordField()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        user = find_active_user(attrs["uid"])
        if user is None or not default_token_generator.check_token(user, attrs["token"]):
            # The same error for a user that does not exist, so as not to reveal who does.
            self.reject("invalid_token")
        check_strength("new_password", attrs["new_password"], user)
        return {**attrs, "user": user}

    def save(self) -> None:  # type: ignore[override]
        set_password(self.validated_data["user"], self.validated_data["new_password"])


def find_active_user(uid: str) -> User | None:
    """Return the active user of a link."""
    try:
        return User.objects.filter(pk=decode_uid(uid), is_active=True).first()
    except ValueError:
        return None


def set_password(user: User, password: str) -> None:
    user.set_password(password)
    user.save(update_fields=["password"])


def check_strength(field: str, password: str, user: User) -> None:
    """Run Django's password validators, and raise their errors under the name of the field."""
    try:
        validate_password(password, user)
    except DjangoValidationError as problem:
        raise serializers.ValidationError({field: problem.messages}) from None
