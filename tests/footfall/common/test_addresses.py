import pytest

from footfall.common.addresses import host_and_port, split


@pytest.mark.parametrize(
    ("url", "user", "servers"),
    [
        ("redis://localhost:6379/1", "", ["localhost:6379"]),
        ("redis+cluster://[::1]:1,[::2]:2/?a=b,c", "", ["[::1]:1", "[::2]:2"]),
        ("postgres://one:a,b%40@here,there/name", "one:a,b%40@", ["here", "there"]),
        ("unix:///run/redis.sock?db=1", "", [""]),
        ("", "", []),
    ],
)
def test_an_address_may_name_several_servers(url: str, user: str, servers: list[str]) -> None:
    found = split(url)

    assert (found.user, found.servers) == (user, servers)
    assert found.parts.netloc == user + "".join(servers[:1])


def test_a_server_has_a_host() -> None:
    assert host_and_port("[::1]:2", 1) == ("::1", 2)
    assert host_and_port("here", 1) == ("here", 1)
    for text in ("", ":2", "here:x", "[::1"):
        with pytest.raises(ValueError, match=r"names no server|Port|IPv6"):
            host_and_port(text, 1)
