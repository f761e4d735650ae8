"""What an agent is by its string."""

import re

import pytest
from crawleruseragents import CRAWLER_USER_AGENTS_DATA
from hypothesis import given
from hypothesis import strategies as some

from footfall.models import Kind
from footfall.viewers.classify import classify, list_version, plain

CHROME = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/139.0.0.0"


@pytest.mark.parametrize(
    "string",
    [
        f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {CHROME} Safari/537.36",
        f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {CHROME} Safari/537.36 Edg/139.0.0.0",
        f"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {CHROME} Safari/537.36 OPR/120.0.0.0",
        f"Mozilla/5.0 (Linux; Android 10; K) {CHROME} Mobile Safari/537.36",
        f"Mozilla/5.0 (Linux; Android 13; CUBOT NOTE 50) {CHROME} Mobile Safari/537.36",
        f"Mozilla/5.0 (Linux; Android 13; CUBOT) {CHROME} Mobile Safari/537.36",
        "Mozilla/5.0 (Linux; Android 14; SM-S928B) AppleWebKit/537.36 (KHTML, like Gecko)"
        " SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36",
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15"
        " (KHTML, like Gecko) Version/18.5 Safari/605.1.15",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15"
        " (KHTML, like Gecko) CriOS/139.0.7258.60 Mobile/15E148 Safari/604.1",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15"
        " (KHTML, like Gecko) Mobile/15E148 [FBAN/FBIOS;FBAV/440.0]",
        "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
        "Mozilla/5.0 (Android 14; Mobile; rv:140.0) Gecko/140.0 Firefox/140.0",
        "Mozilla/5.0 (Windows NT 10.0; WOW64; Trident/7.0; rv:11.0) like Gecko",
        "Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 6.1; Trident/4.0)",
        "Opera/9.80 (Windows NT 6.1) Presto/2.12.388 Version/12.18",
    ],
)
def test_a_browser_is_a_person(string: str) -> None:
    assert classify(string) == Kind.PERSON


@pytest.mark.parametrize(
    ("string", "kind"),
    [
        ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", Kind.ROBOT),
        (f"Mozilla/5.0 (X11; Linux x86_64) {CHROME} Safari/537.36 (compatible; GPTBot/1.2)",
         Kind.ROBOT),
        ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)"
         " HeadlessChrome/139.0.0.0 Safari/537.36", Kind.ROBOT),
        # On no list:
        (f"Mozilla/5.0 (X11; Linux x86_64) {CHROME} Safari/537.36 (+https://seen.example/why)",
         Kind.ROBOT),
        ("Mozilla/5.0 (compatible; NewlyMadeBot/0.1)", Kind.ROBOT),
        ("newlymade-crawler 3", Kind.ROBOT),
        ("UptimeRobot/2.0", Kind.MONITOR),
        ("Pingdom.com_bot_version_1.4_(http://www.pingdom.com/)", Kind.MONITOR),
        ("kube-probe/1.33", Kind.MONITOR),
        ("ELB-HealthChecker/2.0", Kind.MONITOR),
        ("curl/8.14.1", Kind.LIBRARY),
        ("Wget/1.25", Kind.LIBRARY),
        ("python-requests/2.32.4", Kind.LIBRARY),
        ("Go-http-client/2.0", Kind.LIBRARY),
        ("okhttp/4.12.0", Kind.LIBRARY),
        ("Java/21.0.7", Kind.LIBRARY),
        ("Shop/3 CFNetwork/1410 Darwin/22.6.0", Kind.LIBRARY),
        ("", Kind.UNKNOWN),
        ("Mozilla/5.0", Kind.UNKNOWN),
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64)", Kind.UNKNOWN),
        ("a browser, surely", Kind.UNKNOWN),
    ],
)  # fmt: skip
def test_what_is_no_person(string: str, kind: Kind) -> None:
    assert classify(string) == kind


def test_nothing_on_the_list_is_a_person_or_unknown() -> None:
    told = {string: classify(string) for one in CRAWLER_USER_AGENTS_DATA
            for string in one["instances"]}  # fmt: skip

    assert len(told) > 1_000
    assert [one for one, kind in told.items() if kind in {Kind.PERSON, Kind.UNKNOWN}] == []


def test_each_pattern_that_is_plain_text_is_found_as_its_expression_is() -> None:
    patterns = [one["pattern"] for one in CRAWLER_USER_AGENTS_DATA]
    texts = {pattern: text for pattern in patterns if (text := plain(pattern)) is not None}

    assert len(texts) > 0.9 * len(patterns)
    assert [one for one, text in texts.items() if not re.fullmatch(one, text)] == []
    assert plain("a.b") is plain("[wW]get") is plain(r"\d") is None


def test_no_pattern_of_the_list_repeats_what_repeats() -> None:
    """That takes exponential time; all others take at most quadratic time in 256 characters."""
    nested = re.compile(r"\([^)]*[*+][^)]*\)[*+{]")

    assert [
        one["pattern"] for one in CRAWLER_USER_AGENTS_DATA if nested.search(one["pattern"])
    ] == []


@given(some.text())
def test_any_text_is_of_some_kind(string: str) -> None:
    assert classify(string) in Kind


def test_the_version_of_the_list_is_told() -> None:
    assert re.fullmatch(r"crawler-user-agents \d+\.\d+(\.\d+)?", list_version())
