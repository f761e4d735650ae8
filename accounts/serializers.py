"""What the API takes and gives of accounts."""

from collections.abc import Callable
from typing import Any

from django.contrib.auth import authenticate
from django.contrib.auth.password_validation import validate_password
from django.contrib.auth.tokens import default_token_generator
from django.core.exceptions import ValidationError as Invalid
from django.db import IntegrityError, transaction
from django.utils.http import urlsafe_base64_decode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from djoser.serializers import CurrentPasswordSerializer, TokenSerializer
from rest_framework import serializers

from accounts.models import User, username_validator
from accounts.registration import register

NAME_TAKEN = gettext_lazy("A user with that username already exists.")
ADDRESS_TAKEN = gettext_lazy("A user with that email address already exists.")


class NameField(serializers.CharField):
    """A username in its one Unicode form, before it is measured: that form may be longer."""

    def to_internal_value(self, data: Any) -> str:
        return User.normalize_username(super().to_internal_value(data))


class AddressField(serializers.EmailField):
    """An address as it is stored, before it is measured: in lower case it may be longer."""

    def to_internal_value(self, data: Any) -> str:
        return User.objects.normalize_email(super().to_internal_value(data))


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
    username = NameField(max_length=150, validators=[username_validator])
    email = AddressField(max_length=254)

    class Meta:
        model = User
        fields: tuple[str, ...] = ("id", "username", "email", "date_joined")
        read_only_fields = ("id", "date_joined")

    def validate_username(self, name: str) -> str:
        if self._others().filter(pk__in=User.objects.named(name)).exists():
            raise serializers.ValidationError(NAME_TAKEN, code="unique")
        return name

    def validate_email(self, address: str) -> str:
        if self._others().filter(pk__in=User.objects.addressed(address)).exists():
            raise serializers.ValidationError(ADDRESS_TAKEN, code="unique")
        return address

    def update(self, instance: User, validated_data: dict[str, Any]) -> User:
        for name, value in validated_data.items():
            setattr(instance, name, value)
        # Only these: the rest, the password too, may have changed since this request began.
        self._write(lambda: instance.save(update_fields=list(validated_data)))
        return instance

    def _others(self) -> Any:
        others = User.objects.all()
        return others.exclude(pk=self.instance.pk) if isinstance(self.instance, User) else others

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
        return attrs

    def create(self, validated_data: dict[str, Any]) -> User:
        user: User = self._write(lambda: register(**validated_data))
        return user


class SignInSerializer(serializers.Serializer[User]):
    """`username` is the name or the e-mail address; `email` may be sent instead."""

    username = serializers.CharField(required=False)
    email = serializers.CharField(required=False)
    password = PasswordField()

    user: User

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        known = attrs.get("username") or attrs.get("email")
        if not known:
            raise serializers.ValidationError({"username": [_("This field is required.")]})
        user = authenticate(self.context["request"], username=known, password=attrs["password"])
        if user is None:
            raise Refused
        self.user = user
        return attrs


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


class ResetConfirmSerializer(serializers.Serializer[User]):
    """`uid` and `token` are the last two parts of the link in the mail."""

    uid = serializers.CharField()
    token = serializers.CharField()
    new_password = PasswordField()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        user = user_of(attrs["uid"])
        if user is None or not default_token_generator.check_token(user, attrs["token"]):
            # The same for a user that there is not: the numbers of users are nobody's business.
            problem = _("This link is not valid. It works once, and for 3 days.")
            raise serializers.ValidationError({"token": [problem]}, code="invalid_token")
        check_strength("new_password", attrs["new_password"], user)
        return {**attrs, "user": user}


def user_of(uid: str) -> User | None:
    """Return the active user whom a link names."""
    try:
        return User.objects.filter(pk=urlsafe_base64_decode(uid).decode(), is_active=True).first()
    except ValueError:
        return None


def check_strength(field: str, password: str, user: User) -> None:
    """Raise what Django's validators have against the password, under the field's name."""
    try:
        validate_password(password, user)
    except Invalid as problem:
        raise serializers.ValidationError({field: problem.messages}) from None
