"""The user of Footfall, the welcome mail of a new one, and what is not confirmed yet."""

from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.auth.models import AbstractUser, UserManager
from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.db.models import Case, Q, Value, When
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from rest_framework.authtoken.models import Token

from accounts import addresses
from accounts.names import normal, skeleton, validate_name

LONGEST_ADDRESS = 254
LONGEST_SKELETON = 450  # of a name of 150: a letter may fold into three
NAME_TAKEN = _("A user with that username already exists.")
ADDRESS_TAKEN = _("A user with that email address already exists.")


class Users(UserManager["User"]):
    """Finds users by what they sign in with; the case of letters makes no difference."""

    use_in_migrations = False

    @classmethod
    def normalize_email(cls, email: str | None) -> str:
        """Return the form in which an address is kept; what has none stays as it is."""
        try:
            return addresses.normal(email or "")
        except ValidationError:
            return email or ""

    def create_superuser(self, username: str, *args: Any, **kwargs: Any) -> "User":
        """As usual. Django's command asks for the name without its validators."""
        validate_name(username)
        return super().create_superuser(username, *args, **kwargs)

    def resembling(self, username: str) -> models.QuerySet["User"]:
        """Return the users whose names are that one, or look like it."""
        name = self.model.normalize_username(username)
        same = Q(name=Lower(Value(name))) | Q(skeleton=skeleton(name))
        return self.alias(name=Lower("username")).filter(same)

    def addressed(self, email: str) -> models.QuerySet["User"]:
        """Return the users of that e-mail address, best match first.

        There are two only if both forms of a domain were registered before there was one.
        """
        return self._matching(email, names=False)

    def called(self, known: str) -> "User | None":
        """Return who signs in with this: their name, or else their e-mail address.

        The name comes first: registering an address takes no older user's way in. It is one query,
        whatever is found.
        """
        if len(known) > LONGEST_ADDRESS or not known.isprintable():
            return None  # and nothing that the database cannot compare
        return self._matching(known, names=True).first()

    def get_by_natural_key(self, username: str | None) -> "User":
        """Return who signs in with this. Raises `User.DoesNotExist`."""
        user = self.called(username or "")
        if user is None:
            raise self.model.DoesNotExist("User matching query does not exist.")  # Django's words
        return user

    def _matching(self, known: str, names: bool) -> models.QuerySet["User"]:
        as_given = Q(address=Lower(Value(known)))
        found = as_given | Q(address=Lower(Value(self.normalize_email(known))))
        ranks = [When(as_given, then=1)]
        if names:
            is_name = Q(name=Lower(Value(self.model.normalize_username(known))))
            found |= is_name
            ranks.insert(0, When(is_name, then=0))
        rank = Case(*ranks, default=2, output_field=models.IntegerField())
        users = self.alias(name=Lower("username"), address=Lower("email")).filter(found)
        return users.alias(rank=rank).order_by("rank", "pk")


class User(AbstractUser):
    """A person who signs in. Nobody else has their name or address, however it is capitalised."""

    username = models.CharField(
        _("username"),
        max_length=150,
        unique=True,
        validators=[validate_name],
        help_text=_("150 characters or fewer: letters, digits and ./+/-/_ only."),
        error_messages={"unique": NAME_TAKEN},
    )
    # None: the name is older than the rule, and another user's looks the same.
    skeleton = models.CharField(max_length=LONGEST_SKELETON, null=True, editable=False)  # noqa: DJ001
    email = models.EmailField(_("email address"), validators=[addresses.validate_address])
    language = models.CharField(
        _("language"),
        max_length=20,
        blank=True,
        help_text=_("Of the mails to them: a code like en or ru; empty is that of the service."),
    )

    objects: ClassVar[Users] = Users()

    @classmethod
    def normalize_username(cls, username: str) -> str:
        return normal(username)

    class Meta(AbstractUser.Meta):
        constraints = [
            models.UniqueConstraint(
                Lower("username"),
                name="accounts_user_username_unique",
                violation_error_message=NAME_TAKEN,
            ),
            models.UniqueConstraint(
                fields=["skeleton"],
                name="accounts_user_skeleton_unique",
                violation_error_message=NAME_TAKEN,
            ),
            models.UniqueConstraint(
                Lower("email"),
                name="accounts_user_email_unique",
                violation_error_message=ADDRESS_TAKEN,
            ),
        ]

    _is_rehashing = False
    _stored_name: str | None = None

    @classmethod
    def from_db(cls, *args: Any, **kwargs: Any) -> "User":
        user = super().from_db(*args, **kwargs)
        user._stored_name = user.__dict__.get("username")
        return user

    def clean(self) -> None:
        """Put name and address into their one form, and refuse a name that looks like another's."""
        super().clean()
        others = User.objects.exclude(pk=self.pk).filter(skeleton=skeleton(self.username))
        if self._is_renamed() and others.exists():
            raise ValidationError({"username": ValidationError(NAME_TAKEN, code="unique")})

    def _is_renamed(self) -> bool:
        return "username" in self.__dict__ and self.username != self._stored_name

    def check_password(self, raw_password: str | None) -> bool:
        """As usual. Django may store a stronger hash of the same password here."""
        self._is_rehashing = True
        try:
            return super().check_password(raw_password)
        finally:
            self._is_rehashing = False

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save; another password ends the user's token in the same transaction.

        It is the one place for all that sets passwords: the API, the admin, commands. Sessions end
        by themselves, Django ties them to the password.
        """
        fields = kwargs.get("update_fields")
        names = fields is None or "username" in fields
        if names and self._is_renamed():
            self.skeleton = skeleton(self.username)
            if fields is not None:
                kwargs["update_fields"] = fields = {*fields, "skeleton"}
        keeps_password = fields is not None and "password" not in fields
        if self._state.adding or keeps_password or self._is_rehashing:
            super().save(*args, **kwargs)
        else:
            self._save_password(*args, **kwargs)
        if names:
            self._stored_name = self.__dict__.get("username")

    def _save_password(self, *args: Any, **kwargs: Any) -> None:
        with transaction.atomic():
            mine = User.objects.select_for_update().filter(pk=self.pk)
            stored = mine.values_list("password", flat=True).first()
            super().save(*args, **kwargs)
            if stored != self.password:
                Token.objects.filter(user=self).delete()


class Welcome(models.Model):
    """The welcome mail of a user who registered; the row is its own outbox and the sent mark.

    While it is due it is waiting; claimed and not sent, it is not known whether it went out.
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
        """Return how it stands, in a word or two."""
        if self.sent_at:
            return str(_("sent"))
        if self.claimed_at:
            return str(_("perhaps sent"))
        return str(_("waiting") if self.due_at else _("given up"))


class Confirmations(models.Manager["Confirmation"]):
    """Tells those whose link is still valid from those that are to be removed."""

    def waiting(self) -> models.QuerySet["Confirmation"]:
        return self.filter(asked_at__gte=self._oldest())

    def expired(self) -> models.QuerySet["Confirmation"]:
        return self.filter(asked_at__lt=self._oldest())

    def _oldest(self) -> datetime:
        return timezone.now() - timedelta(seconds=settings.PASSWORD_RESET_TIMEOUT)


class Confirmation(models.Model):
    """What waits until the link in a mail is followed: a new account, or another address of one.

    Others may have asked for the same address meanwhile, or have it: the one who reads its mails
    decides. The name of a new account is kept for it until the link is no longer valid.
    """

    user = models.OneToOneField(
        User, models.CASCADE, null=True, related_name="confirmation", verbose_name=_("user")
    )
    username = models.CharField(_("username"), max_length=150, blank=True)
    skeleton = models.CharField(max_length=LONGEST_SKELETON, null=True, unique=True)  # noqa: DJ001
    email = models.EmailField(_("email address"))
    password = models.CharField(_("password"), max_length=128, blank=True)  # its hash
    language = models.CharField(_("language"), max_length=20, blank=True)
    asked_at = models.DateTimeField(_("asked for"), default=timezone.now, db_index=True)

    objects: ClassVar[Confirmations] = Confirmations()

    last_login = None  # what Django's links depend on, beside the password and the address

    class Meta:
        verbose_name = _("confirmation")
        verbose_name_plural = _("confirmations")

    def __str__(self) -> str:
        """Return what is to be confirmed."""
        return self.email

    @classmethod
    def get_email_field_name(cls) -> str:
        return "email"
