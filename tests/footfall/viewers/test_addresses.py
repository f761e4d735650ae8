"""Where a request came from."""

from typing import Any

import pytest
from django.test import override_settings
from hypothesis import given
from hypothesis import strategies as some
from rest_framework.test import APIRequestFactory

from api.throttling import Throttle, client_ip
from footfall.viewers.addresses import address_of, is_in, networks, packed, prefix


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("2001:db8::1", "2001:db8:0:0:ffff:1:2:3"),  # the same /64
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("fe80::1%eth0", "fe80::2"),
        ("2001:DB8::1", "2001:db8::1"),
    ],
)
def test_these_are_one_client(one: str, other: str) -> None:
    assert prefix(packed(one)) == prefix(packed(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("192.0.2.7", "192.0.2.8"),
        ("2001:db8::1", "2001:db8:0:1::1"),
        ("", "/run/web.sock"),
        ("::1", "0.0.0.1"),
    ],
)
def test_these_are_two(one: str, other: str) -> None:
    assert prefix(packed(one)) != prefix(packed(other))


@given(some.text())
def test_any_text_is_an_address_of_its_own(text: str) -> None:
    assert isinstance(packed(text), bytes)


@pytest.mark.parametrize(
    ("passed", "address"),
    [
        ("192.0.2.7:50311", "192.0.2.7"),
        ("[2001:db8::1]:50311", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[fe80::1%eth0]:80", "fe80::1%eth0"),
        ("2001:db8::1", "2001:db8::1"),
        ("::ffff:192.0.2.7", "::ffff:192.0.2.7"),
        *((text, text) for text in ("", ":", "[", "[]x", "a:80", "/run/a.b:1", "192.0.2.7:", "x")),
    ],
)
@pytest.mark.parametrize("proxies", [0, 1])
def test_a_client_is_the_same_on_each_of_its_connections(
    passed: str, address: str, proxies: int
) -> None:
    request: Any = APIRequestFactory().get(
        "/", REMOTE_ADDR=passed, HTTP_X_FORWARDED_FOR=f"192.0.2.9:1, {passed}"
    )
    with (
        override_settings(COUNTERS_PROXIES=proxies),
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr("rest_framework.throttling.api_settings.NUM_PROXIES", proxies, raising=False)
        throttled = client_ip(request)
        found = address_of(passed, request.META["HTTP_X_FORWARDED_FOR"])
        request = APIRequestFactory().get(
            "/", REMOTE_ADDR=address, HTTP_X_FORWARDED_FOR=f"192.0.2.9, {address}"
        )
        assert throttled == client_ip(request)
    assert found == address


forwarded = some.lists(some.sampled_from(["192.0.2.1", " 192.0.2.2", "x"]), max_size=4)


@given(forwarded, some.integers(0, 3))
def test_proxies_are_trusted_as_by_the_throttles(addresses: list[str], proxies: int) -> None:
    headers: Any = {"HTTP_X_FORWARDED_FOR": ",".join(addresses)} if addresses else {}
    request = APIRequestFactory().get("/", REMOTE_ADDR="192.0.2.9", **headers)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rest_framework.throttling.api_settings.NUM_PROXIES", proxies, raising=False)
        expected = Throttle().get_ident(request)

    with override_settings(COUNTERS_PROXIES=proxies):
        found = address_of(request.META["REMOTE_ADDR"], request.META.get("HTTP_X_FORWARDED_FOR"))
    assert found == expected


def test_a_range_has_its_addresses() -> None:
    found = networks(["10.1.0.0/16", "no network", "2001:db8::/32"])

    inside = ["10.1.0.0", "10.1.255.255", "::ffff:10.1.2.3", "2001:db8:1::7"]
    outside = ["10.2.0.0", "10.0.255.255", "2001:db9::", "", "/run/web.sock"]
    assert all(is_in(packed(one), found) for one in inside)
    assert not any(is_in(packed(one), found) for one in outside)
