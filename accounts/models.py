"""The user of Footfall, and the welcome mail that a new one is owed."""

from typing import Any, ClassVar

from django.contrib.auth.models import AbstractUser, UserManager
from django.core.validators import RegexValidator
from django.db import models, transaction
from django.db.models import Value
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from rest_framework.authtoken.models import Token

# Django's, without the @: a name that looks like somebody's address would be taken for it.
username_validator = RegexValidator(
    r"^[\w.+-]+\Z", _("A username has letters, digits and ./+/-/_ only.")
)


class Users(UserManager["User"]):
    """Finds users by what they sign in with; the case of letters makes no difference."""

    use_in_migrations = False

    def named(self, username: str) -> models.QuerySet["User"]:
        """Return the user of that name, if there is one. Uses the index of the constraint."""
        name = self.model.normalize_username(username)
        return self.alias(name=Lower("username")).filter(name=Lower(Value(name)))

    def addressed(self, email: str) -> models.QuerySet["User"]:
        """Return the user of that e-mail address, if there is one."""
        return self.alias(address=Lower("email")).filter(address=Lower(Value(email)))

    def get_by_natural_key(self, username: str | None) -> "User":
        """Return who signs in with this: their name, or else their e-mail address.

        The name comes first: registering an address takes no older user's way in.
        """
        known = username or ""
        return self.named(known).first() or self.addressed(known).get()


class User(AbstractUser):
    """A person who signs in. Nobody else has their name or address, however it is capitalised."""

    username = models.CharField(
        _("username"),
        max_length=150,
        unique=True,
        validators=[username_validator],
        help_text=_("150 characters or fewer: letters, digits and ./+/-/_ only."),
        error_messages={"unique": _("A user with that username already exists.")},
    )
    email = models.EmailField(_("email address"))
    language = models.CharField(
        _("language"),
        max_length=20,
        blank=True,
        help_text=_("Of the mails to them: a code like en or ru; empty is that of the service."),
    )

    objects: ClassVar[Users] = Users()

    @classmethod
    def normalize_username(cls, username: str) -> str:
        """As usual; but what no name is made of stays as it is.

        Of marks that are put above letters, 100,000 take a minute.
        """
        return username if len(username) > 1000 else super().normalize_username(username)

    class Meta(AbstractUser.Meta):
        constraints = [
            models.UniqueConstraint(
                Lower("username"),
                name="accounts_user_username_unique",
                violation_error_message=_("A user with that username already exists."),
            ),
            models.UniqueConstraint(
                Lower("email"),
                name="accounts_user_email_unique",
                violation_error_message=_("A user with that email address already exists."),
            ),
        ]

    _is_rehashing = False

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
        keeps_password = fields is not None and "password" not in fields
        if self._state.adding or keeps_password or self._is_rehashing:
            return super().save(*args, **kwargs)
        with transaction.atomic():
            mine = User.objects.select_for_update().filter(pk=self.pk)
            stored = mine.values_list("password", flat=True).first()
            super().save(*args, **kwargs)
            if stored != self.password:
                Token.objects.filter(user=self).delete()
        return None


class Welcome(models.Model):
    """The welcome mail of a user who registered; the row is its own outbox and the sent mark.

    While it is due it is waiting; claimed and not sent, nobody knows whether it went out.
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
