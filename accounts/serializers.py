"""What the API takes and gives of accounts."""

from collections.abc import Callable, Mapping
from typing import Any

from django.conf import settings
from django.contrib.auth import authenticate
from django.contrib.auth.password_validation import validate_password
from django.contrib.auth.tokens import default_token_generator
from django.core.exceptions import ValidationError as Invalid
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from djoser.serializers import CurrentPasswordSerializer, TokenSerializer
from rest_framework import serializers
from rest_framework.exceptions import Throttled

from accounts import addresses, confirmation, tasks
from accounts.links import pk_in
from accounts.mailing import seconds_until_allowed
from accounts.models import ADDRESS_TAKEN, NAME_TAKEN, Confirmation, User
from accounts.names import validate_name
from accounts.registration import register
from api.unavailable import Unavailable


class NameField(serializers.CharField):
    """A username in its one Unicode form, before it is measured: that form may be longer."""

    def to_internal_value(self, data: Any) -> str:
        return User.normalize_username(super().to_internal_value(data))


class AddressField(serializers.EmailField):
    """An address as it is stored, before it is measured: in ASCII its domain may be longer."""

    def to_internal_value(self, data: Any) -> str:
        return addresses.normal(super().to_internal_value(data))


class PasswordField(serializers.CharField):
    """A password as it is, spaces included; never given back."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            trim_whitespace=False,
            write_only=True,
            max_length=1000,
            style={"input_type": "password"},
            **kwargs,
        )


class AccountSerializer(serializers.ModelSerializer[User]):
    username = NameField(max_length=150)
    email = AddressField(max_length=254)

    class Meta:
        model = User
        fields: tuple[str, ...] = ("id", "username", "email", "date_joined")
        read_only_fields = ("id", "date_joined")

    def validate_username(self, name: str) -> str:
        if not self.instance or name != self.instance.username:  # which may be older than the rule
            validate_name(name)
        return name

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Tell what is taken: last, so that it is not told for free beside another mistake."""
        taken: dict[str, Any] = {}
        if "username" in attrs and self._is_name_taken(attrs["username"]):
            taken["username"] = [NAME_TAKEN]
        if "email" in attrs and self._is_address_taken(attrs["email"]):
            taken["email"] = [ADDRESS_TAKEN]
        if taken:
            raise serializers.ValidationError(taken, code="unique")
        return attrs

    def update(self, instance: User, validated_data: dict[str, Any]) -> User:
        if settings.ACCOUNTS_CONFIRM_EMAIL:
            address = validated_data.pop("email", instance.email)
            if address != instance.email:
                self._have_confirmed(address, lambda: confirmation.keep_address(instance, address))
        for name, value in validated_data.items():
            setattr(instance, name, value)
        # Only these: the rest, the password too, may have changed since this request began.
        self._write(lambda: instance.save(update_fields=list(validated_data)))
        return instance

    def _is_name_taken(self, name: str) -> bool:
        if self.instance and name == self.instance.username:
            return False
        return self._others(User.objects.resembling(name)).exists() or confirmation.is_reserved(
            name
        )

    def _is_address_taken(self, address: str) -> bool:
        """Tell whether it is taken; where addresses are confirmed, only their owner is told."""
        if settings.ACCOUNTS_CONFIRM_EMAIL:
            return False
        return self._others(User.objects.addressed(address)).exists()

    def _others(self, users: QuerySet[User]) -> QuerySet[User]:
        return users.exclude(pk=self.instance.pk) if isinstance(self.instance, User) else users

    def _have_confirmed(self, address: str, keep: Callable[[], Confirmation]) -> Confirmation:
        """Keep what is asked for, and have the mail sent that confirms it.

        Raises Throttled if there were too many mails, Unavailable if none can be asked for.
        """
        if wait := seconds_until_allowed(self.context["request"], address):
            raise Throttled(wait)
        kept: Confirmation = self._write(keep)
        if not tasks.ask_for_confirmation(kept.pk):
            kept.delete()
            raise Unavailable
        return kept

    def _write(self, write: Callable[[], Any]) -> Any:
        try:
            with transaction.atomic():
                return write()
        except IntegrityError:
            # Another request was faster: now the same check says what is taken.
            self.run_validation(self.initial_data)
            raise


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
            return self._have_confirmed(
                address, lambda: confirmation.keep_account(**validated_data)
            )
        welcome = not seconds_until_allowed(self.context["request"], address)
        user: User = self._write(lambda: register(**validated_data, welcome=welcome))
        return user

    def to_representation(self, instance: User | Confirmation) -> dict[str, Any]:
        """Show an account that waits for its confirmation in the same form, without a number."""
        if isinstance(instance, User):
            return super().to_representation(instance)
        joined = self.fields["date_joined"].to_representation(instance.asked_at)
        return {
            "id": None,
            "username": instance.username,
            "email": instance.email,
            "date_joined": joined,
        }


class RegisteredSerializer(AccountSerializer):
    """The account; `id` is null until its address is confirmed, where that is asked for."""

    id = serializers.IntegerField(allow_null=True, read_only=True)


class SignInSerializer(serializers.Serializer[User]):
    """`username` is the name or the e-mail address; `email` may be sent instead."""

    username = serializers.CharField(required=False)
    email = serializers.CharField(required=False)
    password = PasswordField()

    user: User

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        known = called(attrs)
        if not known:
            raise serializers.ValidationError({"username": [_("This field is required.")]})
        user = authenticate(self.context["request"], username=known, password=attrs["password"])
        if user is None:
            raise Refused
        self.user = user
        return attrs


def called(body: Any) -> str:
    """Return what the body of a sign-in calls the account; '' if it names none."""
    if not isinstance(body, Mapping):
        return ""
    sent = (body.get(field) for field in ("username", "email"))
    names = [str(name).strip() for name in sent if name is not None]
    return next(filter(None, names), "")


class Refused(serializers.ValidationError):
    """One answer for a wrong password, an unknown name and an account that is switched off."""

    def __init__(self) -> None:
        detail = {"non_field_errors": [_("Unable to log in with provided credentials.")]}
        super().__init__(detail, code="invalid_credentials")


class AuthTokenSerializer(TokenSerializer):  # type: ignore[misc]
    """The key that the header `Authorization: Token <key>` carries."""


class CurrentPassword(CurrentPasswordSerializer):  # type: ignore[misc]
    current_password = PasswordField()


class SetPasswordSerializer(CurrentPassword):
    new_password = PasswordField()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        check_strength("new_password", attrs["new_password"], self.context["request"].user)
        return attrs


class ResetSerializer(serializers.Serializer[User]):
    email = serializers.EmailField(max_length=254)


class ActivationSerializer(serializers.Serializer[Confirmation]):
    """`uid` and `token` are the last two parts of the link in the mail."""

    uid = serializers.CharField()
    token = serializers.CharField()

    def create(self, validated_data: dict[str, str]) -> Any:
        try:
            confirmation.confirm(**validated_data)
        except confirmation.Invalid:
            problem = _("This link is not valid. It works once, and for 3 days.")
            raise serializers.ValidationError({"token": [problem]}, code="invalid_token") from None
        except confirmation.Taken:
            problem = _("The name or the address has been taken meanwhile.")
            raise serializers.ValidationError({"token": [problem]}, code="unique") from None
        return validated_data


class ResetConfirmSerializer(serializers.Serializer[User]):
    """`uid` and `token` are the last two parts of the link in the mail."""

    uid = serializers.CharField()
    token = serializers.CharField()
    new_password = PasswordField()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        user = user_of(attrs["uid"])
        if user is None or not default_token_generator.check_token(user, attrs["token"]):
            # The same for a user that there is not: which users there are is not told.
            problem = _("This link is not valid. It works once, and for 3 days.")
            raise serializers.ValidationError({"token": [problem]}, code="invalid_token")
        check_strength("new_password", attrs["new_password"], user)
        return {**attrs, "user": user}


def user_of(uid: str) -> User | None:
    """Return the active user whom a link names."""
    try:
        return User.objects.filter(pk=pk_in(uid), is_active=True).first()
    except ValueError:
        return None


def check_strength(field: str, password: str, user: User) -> None:
    """Raise what Django's validators have against the password, under the field's name."""
    try:
        validate_password(password, user)
    except Invalid as problem:
        raise serializers.ValidationError({field: problem.messages}) from None
