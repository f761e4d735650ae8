"""Users, their welcome e-mails, and confirmations of their e-mail addresses."""

from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.contrib.auth.models import UserManager as DjangoUserManager
from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.db.models import Case, Q, Value, When
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from rest_framework.authtoken.models import Token

from accounts.emails import addresses
from accounts.usernames import normalize, skeleton, validate_username

MAX_ADDRESS = 254
MAX_SKELETON = 450  # of a username of 150: one letter may be case-folded to three
USERNAME_TAKEN = _("A user with that username already exists.")
ADDRESS_TAKEN = _("A user with that email address already exists.")


class UserManager(DjangoUserManager["User"]):
    """Finds users by username or e-mail address, ignoring case."""

    use_in_migrations = False

    @classmethod
    def normalize_email(cls, email: str | None) -> str:
        """Return the normal form of an address; without one, the address as it is."""
        try:
            return addresses.normalize(email or "")
        except ValidationError:
            return email or ""

    def create_superuser(self, username: str, *args: Any, **kwargs: Any) -> "User":
        """Validate the username, too: Django's command does not run its validators."""
        validate_username(username)
        return super().create_superuser(username, *args, **kwargs)

    def with_similar_username(self, username: str) -> models.QuerySet["User"]:
        """Return the users whose username is that one, or looks like it."""
        name = self.model.normalize_username(username)
        same = Q(name=Lower(Value(name))) | Q(skeleton=skeleton(name))
        return self.alias(name=Lower("username")).filter(same)

    def with_email(self, email: str) -> models.QuerySet["User"]:
        """Return the users with that e-mail address, best match first.

        There are two only if both forms of a domain were registered before there was a normal form.
        """
        return self._matching(email, usernames=False)

    def find_for_login(self, identifier: str) -> "User | None":
        """Return the user with this username, or else this e-mail address, in one query.

        The username comes first: otherwise registering an address could lock out an older user.
        """
        if len(identifier) > MAX_ADDRESS or not identifier.isprintable():
            return None  # the database cannot compare some of these
        return self._matching(identifier, usernames=True).first()

    def get_by_natural_key(self, username: str | None) -> "User":
        """Return the user who signs in with this. Raises `User.DoesNotExist`."""
        user = self.find_for_login(username or "")
        if user is None:
            raise self.model.DoesNotExist("User matching query does not exist.")
        return user

    def _matching(self, identifier: str, usernames: bool) -> models.QuerySet["User"]:
        is_address = Q(address=Lower(Value(identifier)))
        found = is_address | Q(address=Lower(Value(self.normalize_email(identifier))))
        ranks = [When(is_address, then=1)]
        if usernames:
            is_username = Q(name=Lower(Value(self.model.normalize_username(identifier))))
            found |= is_username
            ranks.insert(0, When(is_username, then=0))
        rank = Case(*ranks, default=2, output_field=models.IntegerField())
        users = self.alias(name=Lower("username"), address=Lower("email")).filter(found)
        return users.alias(rank=rank).order_by("rank", "pk")


class User(AbstractUser):
    """A user. Usernames and e-mail addresses are unique, ignoring case."""

    username = models.CharField(
        _("username"),
        max_length=150,
        unique=True,
        validators=[validate_username],
        help_text=_("150 characters or fewer: letters, digits and ./+/-/_ only."),
        error_messages={"unique": USERNAME_TAKEN},
    )
    # None: an older username that looks the same as another user's.
    skeleton = models.CharField(max_length=MAX_SKELETON, null=True, editable=False)  # noqa: DJ001
    email = models.EmailField(_("email address"), validators=[addresses.validate_address])
    language = models.CharField(
        _("language"),
        max_length=20,
        blank=True,
        help_text=_("Of the e-mails to the user, such as en or ru; the default if empty."),
    )

    objects: ClassVar[UserManager] = UserManager()

    @classmethod
    def normalize_username(cls, username: str) -> str:
        return normalize(username)

    class Meta(AbstractUser.Meta):
        constraints = [
            models.UniqueConstraint(
                Lower("username"),
                name="accounts_user_username_unique",
                violation_error_message=USERNAME_TAKEN,
            ),
            models.UniqueConstraint(
                fields=["skeleton"],
                name="accounts_user_skeleton_unique",
                violation_error_message=USERNAME_TAKEN,
            ),
            models.UniqueConstraint(
                Lower("email"),
                name="accounts_user_email_unique",
                violation_error_message=ADDRESS_TAKEN,
            ),
        ]

    _is_rehashing = False
    _stored_username: str | None = None

    @classmethod
    def from_db(cls, *args: Any, **kwargs: Any) -> "User":
        user = super().from_db(*args, **kwargs)
        user._stored_username = user.__dict__.get("username")
        return user

    def clean(self) -> None:
        """Normalize username and address, and refuse a username that looks like another user's."""
        super().clean()
        others = User.objects.exclude(pk=self.pk).filter(skeleton=skeleton(self.username))
        if self._is_renamed() and others.exists():
            raise ValidationError({"username": ValidationError(USERNAME_TAKEN, code="unique")})

    def _is_renamed(self) -> bool:
        return "username" in self.__dict__ and self.username != self._stored_username

    def check_password(self, raw_password: str | None) -> bool:
        """Note that Django may save a stronger hash of the same password here."""
        self._is_rehashing = True
        try:
            return super().check_password(raw_password)
        finally:
            self._is_rehashing = False

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save; a new password deletes the user's token in the same transaction.

        It is done here for all that set passwords: the API, the admin, commands. Django itself ends
        the sessions.
        """
        fields = kwargs.get("update_fields")
        saves_username = fields is None or "username" in fields
        if saves_username and self._is_renamed():
            self.skeleton = skeleton(self.username)
            if fields is not None:
                kwargs["update_fields"] = fields = {*fields, "skeleton"}
        saves_password = fields is None or "password" in fields
        if saves_password and not self._state.adding and not self._is_rehashing:
            self._save_password(*args, **kwargs)
        else:
            super().save(*args, **kwargs)
        if saves_username:
            self._stored_username = self.__dict__.get("username")

    def _save_password(self, *args: Any, **kwargs: Any) -> None:
        with transaction.atomic():
            own = User.objects.select_for_update().filter(pk=self.pk)
            stored = own.values_list("password", flat=True).first()
            super().save(*args, **kwargs)
            if stored != self.password:
                Token.objects.filter(user=self).delete()


class Welcome(models.Model):
    """The welcome e-mail of a user who registered: an outbox row that also says how it stands.

    With `due_at` it waits to be sent. Claimed but not sent, it is unknown whether it was sent.
    """

    user = models.OneToOneField(
        User, models.CASCADE, primary_key=True, related_name="welcome", verbose_name=_("user")
    )
    asked_at = models.DateTimeField(_("asked for"), default=timezone.now)
    due_at = models.DateTimeField(
        _("next try"), null=True, blank=True, default=timezone.now, db_index=True
    )
    claimed_at = models.DateTimeField(_("claimed"), null=True, blank=True)
    sent_at = models.DateTimeField(_("sent"), null=True, blank=True)
    tries = models.PositiveSmallIntegerField(_("failed tries"), default=0)
    error = models.TextField(_("error"), blank=True, help_text=_("Of the last try."))

    class Meta:
        verbose_name = _("welcome mail")
        verbose_name_plural = _("welcome mails")

    def __str__(self) -> str:
        """Return the state."""
        if self.sent_at:
            return str(_("sent"))
        if self.claimed_at:
            return str(_("perhaps sent"))
        return str(_("waiting") if self.due_at else _("given up"))


class ConfirmationManager(models.Manager["Confirmation"]):
    """Finds confirmations by whether their link is still valid."""

    def pending(self) -> models.QuerySet["Confirmation"]:
        return self.filter(asked_at__gte=self._oldest())

    def expired(self) -> models.QuerySet["Confirmation"]:
        return self.filter(asked_at__lt=self._oldest())

    def _oldest(self) -> datetime:
        return timezone.now() - timedelta(seconds=settings.PASSWORD_RESET_TIMEOUT)


class Confirmation(models.Model):
    """A new account, or a new address of one, until the link in an e-mail is followed.

    Other users may request the same address meanwhile, or have it: the first who follows a link
    gets it. The username of a new account is reserved while the link is valid.
    """

    user = models.OneToOneField(
        User, models.CASCADE, null=True, related_name="confirmation", verbose_name=_("user")
    )
    username = models.CharField(_("username"), max_length=150, blank=True)
    skeleton = models.CharField(max_length=MAX_SKELETON, null=True, unique=True)  # noqa: DJ001
    email = models.EmailField(_("email address"))
    password = models.CharField(_("password"), max_length=128, blank=True)  # its hash
    language = models.CharField(_("language"), max_length=20, blank=True)
    asked_at = models.DateTimeField(_("asked for"), default=timezone.now, db_index=True)

    objects: ClassVar[ConfirmationManager] = ConfirmationManager()

    last_login = None  # Django's tokens depend on it, and on the password and the address

    class Meta:
        verbose_name = _("confirmation")
        verbose_name_plural = _("confirmations")

    def __str__(self) -> str:
        return self.email

    @classmethod
    def get_email_field_name(cls) -> str:
        return "email"
