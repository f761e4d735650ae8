"""The key of a client: a hash that says for how long it is known, and is a part of the metadata."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from footfall.events import Meta, decode_meta, encode_meta
from footfall.events.keys import Life, has_keys, is_key, life_of, make_key, split_key, with_key

facts = some.builds(
    Meta,
    database=some.integers(0, 2**32 - 1),
    visitor=some.integers(0, 2**64 - 1),
    agent=some.integers(0, 2**64 - 1),
    key=some.just(b""),
    trace=some.just(b"") | some.binary(min_size=16, max_size=16),
)


@pytest.mark.parametrize("life", Life)
def test_a_key_says_how_long_it_is_known(life: Life) -> None:
    keys = {make_key(life, "views", number) for number in range(100)}

    assert {len(key) for key in keys} == {16}
    assert {life_of(key) for key in keys} == {life}
    assert all(map(is_key, keys))
    assert len(keys) == 100


@pytest.mark.parametrize(
    "other",
    [("views", 1, "bc"), ("views", 11, "b"), ("views", "1", "b"), ("other", 1, "b"), ("views", 1)],
)
def test_other_parts_are_another_key(other: tuple[str | int, ...]) -> None:
    assert make_key(Life.DAY, *other) != make_key(Life.DAY, "views", 1, "b")
    assert make_key(Life.WEEK, *other)[1:] != make_key(Life.DAY, *other)[1:]


@given(meta=facts, key=some.binary(min_size=16, max_size=16))
def test_a_key_is_taken_out_of_any_metadata(meta: Meta, key: bytes) -> None:
    whole = encode_meta(meta._replace(key=key))

    assert split_key(whole) == (key, encode_meta(meta))
    assert split_key(encode_meta(meta)) == (b"", encode_meta(meta))
    assert decode_meta(whole).key == key
    assert has_keys([b"", whole, encode_meta(meta)])
    assert not has_keys([b"", encode_meta(meta)])
    assert with_key(encode_meta(meta), key) == whole
    assert with_key(encode_meta(meta), b"") == encode_meta(meta)
