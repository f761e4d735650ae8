"""What operators decide about agents goes before the list."""

import re

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as some

from footfall.models import AgentRule, How, Kind
from footfall.viewers.rules import Pattern, Rules, checked

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def rule(pk: int, match: str, value: str, kind: Kind) -> AgentRule:
    return AgentRule(pk=pk, match=match, value=value, kind=kind)


def test_without_rules_the_list_decides() -> None:
    rules = Rules([])

    assert rules.wanted("curl/8.14.1", How.PLAIN) == Kind.LIBRARY
    assert rules.wanted("", How.PLAIN) == Kind.UNKNOWN


def test_how_it_came_is_more_than_what_its_string_says() -> None:
    rules = Rules([rule(1, "exact", FIREFOX, Kind.ROBOT)])

    assert rules.wanted(FIREFOX, How.PREFETCH) == Kind.PREFETCH
    assert rules.wanted(FIREFOX, How.MONITOR) == Kind.MONITOR


def test_an_exact_name_is_that_name_only() -> None:
    rules = Rules([rule(1, "exact", FIREFOX, Kind.ROBOT)])

    assert rules.wanted(FIREFOX, How.PLAIN) == Kind.ROBOT
    assert rules.wanted(f"{FIREFOX} ", How.PLAIN) == Kind.PERSON
    assert rules.wanted(FIREFOX.lower(), How.PLAIN) == Kind.UNKNOWN


@pytest.mark.parametrize("newest", ["exact", "pattern"])
def test_the_newest_of_several_counts(newest: str) -> None:
    exact = rule(2 if newest == "exact" else 1, "exact", FIREFOX, Kind.MONITOR)
    pattern = rule(3 - exact.pk, "pattern", "*firefox/140*", Kind.ROBOT)
    older = rule(0, "pattern", "*", Kind.LIBRARY)
    rules = Rules([pattern, older, exact])

    assert rules.wanted(FIREFOX, How.PLAIN) == (Kind.MONITOR if newest == "exact" else Kind.ROBOT)
    assert rules.wanted("Firefox/140", How.PLAIN) == Kind.ROBOT
    assert rules.wanted("other", How.PLAIN) == Kind.LIBRARY


texts = some.text(alphabet="ab*", max_size=12)


@given(texts, some.text(alphabet="abB", max_size=12))
def test_a_pattern_matches_as_its_regular_expression_would(pattern: str, string: str) -> None:
    expression = ".*".join(map(re.escape, pattern.split("*")))

    matches = Pattern.of(rule(1, "pattern", pattern, Kind.ROBOT)).matches(string.casefold())

    assert matches == bool(re.fullmatch(expression, string, re.IGNORECASE))


@pytest.mark.parametrize(
    ("match", "value", "reason"),
    [
        ("pattern", "*", "every user agent"),
        ("pattern", "** *", "every user agent"),
        ("exact", " ", "every user agent"),
        ("pattern", ".*Bot", "not a regular expression"),
        ("pattern", "^Bot", "not a regular expression"),
        ("pattern", "Bot$", "not a regular expression"),
        ("pattern", r"Bot\d", "not a regular expression"),
        ("pattern", "(Bot|Spider)", "not a regular expression"),
        ("pattern", "[Bb]*ot", "not a regular expression"),
        ("addresses", "10.0.0.1/8", "has host bits set"),
        ("addresses", "10.0.0.300", "Not an address range"),
        ("addresses", "10.0.0.0-10.0.0.9", "Not an address range"),
        ("addresses", "0.0.0.0/0", "every address"),
        ("addresses", "::/0", "every address"),
    ],
)
def test_a_rule_that_says_nothing_is_refused(match: str, value: str, reason: str) -> None:
    with pytest.raises(ValidationError) as refused:
        checked(match, value)

    assert reason in refused.value.messages[0]


@pytest.mark.parametrize(
    ("match", "value", "kept"),
    [
        ("pattern", " *ExampleBot/* ", "*ExampleBot/*"),
        ("pattern", "Mozilla/5.0 (compatible; Thing/1.0; +http://thing.example)",
         "Mozilla/5.0 (compatible; Thing/1.0; +http://thing.example)"),
        ("exact", "Größer/1", "Größer/1"),
        ("addresses", "10.1.0.0/16", "10.1.0.0/16"),
        ("addresses", " 192.0.2.7 ", "192.0.2.7/32"),
        ("addresses", "2001:DB8::/32", "2001:db8::/32"),
    ],
)  # fmt: skip
def test_a_rule_is_kept(match: str, value: str, kept: str) -> None:
    assert checked(match, value) == kept
