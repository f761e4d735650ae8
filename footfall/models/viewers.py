"""Who viewed: agents, what operators decided about them, and the salts of visitors."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

MAX_STRING = 256
"""Characters of a user agent that are kept, and hashed."""


class Kind(models.IntegerChoices):
    """What an agent is."""

    UNKNOWN = 0, pgettext_lazy("kind of agent", "unknown")
    PERSON = 1, pgettext_lazy("kind of agent", "person")
    ROBOT = 2, pgettext_lazy("kind of agent", "robot")
    PREFETCH = 3, pgettext_lazy("kind of agent", "prefetch")
    MONITOR = 4, pgettext_lazy("kind of agent", "monitor")
    LIBRARY = 5, pgettext_lazy("kind of agent", "library")


class How(models.IntegerChoices):
    """How a request came; decided when it is recorded, and part of what an agent's hash is of."""

    PLAIN = 0, pgettext_lazy("how it came", "plain")
    PREFETCH = 1, pgettext_lazy("how it came", "prefetch, by its headers")
    MONITOR = 2, pgettext_lazy("how it came", "monitor, by its address")


class Agent(models.Model):
    """A user agent that has viewed something. Events have its hash; rows are never removed."""

    hash = models.BigIntegerField(_("hash"), primary_key=True)
    """The 64 bits of `Meta.agent` as a signed number, see `signed`."""
    string = models.CharField(_("user agent"), max_length=MAX_STRING, blank=True)
    """Empty also while no event has told it."""
    how = models.PositiveSmallIntegerField(
        _("how it came"), choices=How.choices, default=How.PLAIN, db_default=How.PLAIN
    )
    kind = models.PositiveSmallIntegerField(
        _("kind"), choices=Kind.choices, default=Kind.UNKNOWN, db_default=Kind.UNKNOWN
    )
    """The verdict that projections count with. Set at insertion; `reclassify` alone changes it."""
    first_at = models.DateTimeField(_("first seen"), db_default=Now())
    """By the database's clock."""
    first_epoch = models.BigIntegerField(db_default=0)
    """When it was inserted, see `footfall.identity`: new ones per day are limited by it."""
    views = models.BigIntegerField(_("views"), default=0, db_default=0)
    """Events of it in the store and removed from it, as of the last count: every few minutes."""
    last_at = models.DateTimeField(_("last seen"), null=True)
    """Time of the newest event that was counted so."""

    class Meta:
        verbose_name = _("agent")
        verbose_name_plural = _("agents")
        indexes = (
            models.Index(fields=["first_epoch"], name="counters_agent_epoch"),
            models.Index(fields=["views"], name="counters_agent_views"),
        )

    def __str__(self) -> str:
        return self.string or f"{unsigned(self.hash):016x}"


class AgentRule(models.Model):
    """What an operator decided. It goes before the list; of several that match, the newest."""

    class Match(models.TextChoices):
        EXACT = "exact", _("user agent, exactly")
        PATTERN = "pattern", _("user agent, with * for any characters")
        ADDRESSES = "addresses", _("address range of own monitors")

    match = models.CharField(_("what is compared"), max_length=10, choices=Match.choices)
    value = models.CharField(_("value"), max_length=MAX_STRING)
    """A user agent, a pattern (see `footfall.viewers.rules`), or a network: 10.1.0.0/16."""
    kind = models.PositiveSmallIntegerField(_("kind"), choices=Kind.choices)
    """Of an address range always MONITOR."""
    note = models.TextField(_("note"), blank=True)
    at = models.DateTimeField(_("at"), auto_now_add=True)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("by"),
    )

    class Meta:
        verbose_name = _("rule for agents")
        verbose_name_plural = _("rules for agents")

    def __str__(self) -> str:
        return f"{self.value} → {self.get_kind_display()}"


class LeftOut(models.Model):
    """A visitor that an operator has left out: its views count as those of a robot."""

    visitor = models.BigIntegerField(_("visitor"), primary_key=True)
    """The 64 bits of `Meta.visitor` as a signed number."""
    hour = models.DateTimeField(_("hour"))
    """Of its burst."""
    is_wanted = models.BooleanField(_("is to be left out"), default=True)
    """What the operator says; False once that was taken back."""
    is_out = models.BooleanField(_("is left out"), default=False)
    """The verdict that projections count with; `reclassify` alone changes it."""
    at = models.DateTimeField(_("at"), auto_now_add=True)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        related_name="+",
        verbose_name=_("by"),
    )

    class Meta:
        verbose_name = _("visitor that is left out")
        verbose_name_plural = _("visitors that are left out")
        indexes = (models.Index(fields=["is_out"], name="counters_left_out"),)

    def __str__(self) -> str:
        return f"{unsigned(self.visitor):016x}"


class Burst(models.Model):
    """Far more views in an hour than is usual, by one visitor or by one agent."""

    class Decision(models.TextChoices):
        OPEN = "", pgettext_lazy("burst", "open")
        VISITOR = "visitor", pgettext_lazy("burst", "the visitor is left out")
        AGENT = "agent", pgettext_lazy("burst", "the agent is a robot")
        KEPT = "kept", pgettext_lazy("burst", "counted as it is")

    hour = models.DateTimeField(_("hour"))
    agent = models.BigIntegerField(_("agent"))
    """As `Agent.hash`; 0: none."""
    visitor = models.BigIntegerField(_("visitor"))
    """As `LeftOut.visitor`; 0: all of the agent together."""
    views = models.BigIntegerField(_("views"))
    usual = models.BigIntegerField(_("usual"))
    """Views of others in the same hour, the median."""
    found_at = models.DateTimeField(_("found at"), db_default=Now())
    decision = models.CharField(
        _("decision"), max_length=10, choices=Decision.choices, default=Decision.OPEN, blank=True
    )
    decided_at = models.DateTimeField(_("decided at"), null=True)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        related_name="+",
        verbose_name=_("by"),
    )

    class Meta:
        verbose_name = _("burst")
        verbose_name_plural = _("bursts")
        constraints = (
            models.UniqueConstraint(fields=["hour", "agent", "visitor"], name="counters_burst_one"),
        )

    def __str__(self) -> str:
        return f"{self.hour:%Y-%m-%d %H}: {self.views}"


class Salt(models.Model):
    """What visitors of one day, or window of days, are hashed with. Deleted a day after it."""

    day = models.DateField(_("first day"), primary_key=True)
    """Of the window, in UTC."""
    value = models.BinaryField()
    BYTES: ClassVar = 32

    class Meta:
        verbose_name = _("salt")
        verbose_name_plural = _("salts")

    def __str__(self) -> str:
        return f"{self.day}"


class AgentCount(models.Model):
    """One row: up to which segment `Agent.views` is counted, and under a lock who counts."""

    number = models.BigIntegerField(default=0)
    """The end of what is counted, as in `StorePosition`."""
    key = models.BigIntegerField(default=0)
    events = models.BigIntegerField(default=0)
    without = models.BigIntegerField(_("views without an agent"), default=0)
    """Recorded without a request, or beyond the limit of new agents per day."""
    counted_at = models.DateTimeField(_("counted at"), null=True)

    class Meta:
        verbose_name = _("count of agents")
        verbose_name_plural = _("count of agents")

    def __str__(self) -> str:
        return f"{self.number}"


def signed(bits: int) -> int:
    """Return 64 bits as a number that a column takes."""
    return bits - 2**64 if bits >= 2**63 else bits


def unsigned(number: int) -> int:
    """Return the 64 bits of a number from `signed`."""
    return number % 2**64
