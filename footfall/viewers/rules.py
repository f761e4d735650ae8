"""What operators decided about agents: before the list, and shown beside what projections use.

A pattern has to match the whole user agent, in upper or lower case; each * in it stands for any
characters. No regular expressions: some of those take for ever.
"""

import ipaddress
import re
from collections.abc import Iterable
from typing import NamedTuple, Self

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from footfall.models import AgentRule, How, Kind
from footfall.viewers.agents import printable
from footfall.viewers.classify import classify

REGULAR = re.compile(r"\.[*+?]|\\|^\^|\$$|\[[^\]]*\][*+?]|\([^)]*\|[^)]*\)")
"""What only a regular expression has."""


class Pattern(NamedTuple):
    """A pattern in parts: what is between its *."""

    number: int
    """Of its rule: of several, the newest counts."""
    parts: tuple[str, ...]
    kind: Kind

    @classmethod
    def of(cls, rule: AgentRule) -> Self:
        return cls(rule.pk or 0, tuple(rule.value.casefold().split("*")), Kind(rule.kind))

    def matches(self, folded: str) -> bool:
        """Tell whether a case-folded string matches. Takes time in proportion to it."""
        first, *others = self.parts
        if not others:
            return folded == first
        *middle, last = others
        if len(folded) < len(first) + len(last) or not folded.startswith(first):
            return False
        at, end = len(first), len(folded) - len(last)
        for part in middle:
            found = folded.find(part, at, end)
            if found < 0:
                return False
            at = found + len(part)
        return folded.endswith(last)


class Rules:
    """The rules about strings, for one job: read them once, then ask for many agents."""

    def __init__(self, rules: Iterable[AgentRule]) -> None:
        self._exact: dict[str, tuple[int, Kind]] = {}
        self._patterns: list[Pattern] = []
        for rule in sorted(rules, key=lambda rule: rule.pk):
            if rule.kind not in Kind.values:  # loaded from a file: admin takes no other
                continue
            if rule.match == AgentRule.Match.EXACT:
                self._exact[rule.value] = rule.pk, Kind(rule.kind)
            elif rule.match == AgentRule.Match.PATTERN:
                self._patterns.insert(0, Pattern.of(rule))

    @classmethod
    def read(cls) -> Self:
        return cls(AgentRule.objects.exclude(match=AgentRule.Match.ADDRESSES))

    def wanted(self, string: str, how: int) -> Kind:
        """Return what rules and list say today about an agent.

        How a request came was decided when it was recorded: no string changes that.
        """
        if how != How.PLAIN:
            return Kind.MONITOR if how == How.MONITOR else Kind.PREFETCH
        if not string:
            return Kind.UNKNOWN
        number, kind = self._exact.get(string, (0, None))
        folded = string.casefold()
        for pattern in self._patterns:
            if pattern.number < number:
                break
            if pattern.matches(folded):
                return pattern.kind
        return classify(string) if kind is None else kind


def checked(match: str, value: str) -> str:
    """Return the value of a rule as it is kept. Raises ValidationError."""
    if match == AgentRule.Match.ADDRESSES:
        return _checked_network(value)
    value = printable(value)
    if not value.strip("* "):
        raise ValidationError(_("This would match every user agent."))
    if match == AgentRule.Match.PATTERN and REGULAR.search(value):
        raise ValidationError(
            _("This is not a regular expression: * stands for any characters, all others for"
              " themselves. For example: *ExampleBot/*")
        )  # fmt: skip
    return value


def _checked_network(value: str) -> str:
    try:
        network = ipaddress.ip_network(value.strip())
    except ValueError as error:
        raise ValidationError(
            _("Not an address range like 10.1.0.0/16 or 2001:db8::/32: %(error)s"),
            params={"error": error},
        ) from error
    if not network.prefixlen:
        raise ValidationError(_("This would match every address."))
    return str(network)
