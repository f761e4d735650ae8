"""Pure: what was viewed in, bytes out, and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from footfall.events import (
    DeadLetterReason,
    Malformed,
    Meta,
    decode,
    decode_meta,
    encode,
    encode_meta,
    id_of,
    keys_in,
    malformed_metas,
    normalize,
)
from tests.support.views import body_1

PAGE = b"\x0apages.page"
CONTENT = b"\x0dpages.content"
BIGGEST = 2**63 - 1
VARINT_OF_BIGGEST = b"\xff\xff\xff\xff\xff\xff\xff\xff\x7f"
VARINT_OF_2_63 = b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"

labels = some.from_regex(r"[a-z_é][a-z0-9_é]{0,20}\.[a-z][a-z0-9_]{0,20}", fullmatch=True)
near = some.integers(1, 1000)
ids = some.sets(near | some.integers(1, BIGGEST), min_size=1, max_size=200)


def test_a_body_is_fixed_for_ever() -> None:
    body = encode({"pages.page": {7}, "pages.content": {3, 4, 300, 2**40}})

    assert body == (
        b"\x02"
        + CONTENT
        + b"\x04\x03\x01\xa8\x02\xd4\xfd\xff\xff\xff\x1f"  # 4 ids: 3, + 1, + 296, + 2**40 - 300
        + PAGE
        + b"\x01\x07"
    )


@given(some.dictionaries(labels, ids, min_size=1, max_size=4))
def test_what_was_viewed_is_read_as_it_was_written(viewed: dict[str, set[int]]) -> None:
    body = encode(viewed)

    assert decode(body) == {label: sorted(viewed[label]) for label in viewed}
    assert normalize(body) is body


def test_the_same_targets_give_the_same_bytes() -> None:
    assert encode({"pages.page": [7], "pages.content": [3, 1, 3]}) == encode(
        {"pages.content": [1, 3], "pages.page": [7]}
    )


@given(some.binary(max_size=60) | some.text("\x00\x01\x02\x80\xff", max_size=9).map(str.encode))
def test_any_bytes_are_malformed_or_the_only_way_to_write_what_they_say(found: bytes) -> None:
    for body in (found, b"\x02" + found, b"\x02" + PAGE + found):
        try:
            viewed = decode(body)
        except Malformed:
            continue
        assert encode(viewed) == body


@given(some.dictionaries(labels, ids, min_size=1, max_size=3))
def test_a_body_that_was_cut_off_is_malformed_or_ends_between_labels(
    viewed: dict[str, set[int]],
) -> None:
    body = encode(viewed)
    for end in range(len(body)):
        try:
            part = decode(body[:end])
        except Malformed:
            continue
        assert encode(part) == body[:end]


@pytest.mark.parametrize(
    "viewed",
    [
        {},
        {"pages.page": []},
        {"pages.page": [0]},
        {"pages.page": [-1, 5]},
        {"pages.page": [2**63]},
        {"pages": [1]},
        {"": [1]},
        {"pages.page\x00": [1]},
        {"pages." + "p" * 95: [1]},
    ],
)
def test_what_could_not_be_read_is_not_written(viewed: dict[str, list[int]]) -> None:
    with pytest.raises(ValueError, match=r"label|ids|target"):
        encode(viewed)


def test_a_label_has_a_hundred_bytes_at_most() -> None:
    longest = "pages." + "p" * 94

    assert decode(encode({longest: [1]})) == {longest: [1]}
    with pytest.raises(Malformed, match="not the name of a model"):
        decode(b"\x02\x65" + longest.encode() + b"p\x01\x01")


MALFORMED = {
    b"": "not JSON",
    b"\xff{": "not JSON",
    b"nonsense": "not JSON",
    b"[1]": "not a view",
    b"\x04" + PAGE + b"\x01\x07": "unknown version 4",
    b"\x02": "names no targets",
    b"\x02" + b"x" * 2**20: "has 1048577 bytes",
    b"\x02" + PAGE: "ends too early",
    b"\x02" + PAGE[:-1]: "ends too early",
    b"\x02" + PAGE + b"\x01": "ends too early",
    b"\x02" + PAGE + b"\x03\x07\x01": "ends too early",
    b"\x02" + PAGE + b"\x03\x07\x80\x01": "ends too early",
    b"\x02" + PAGE + b"\x01\xff\xff": "ends too early",
    b"\x02" + PAGE + VARINT_OF_BIGGEST + b"\x07": "ends too early",
    b"\x02" + PAGE + b"\x01\x07\x00": "not the name of a model: b''",
    b"\x02" + PAGE + b"\x01\x07" + PAGE + b"\x01\x08": "names pages.page after pages.page",
    b"\x02" + PAGE + b"\x01\x07" + CONTENT + b"\x01\x08": "names pages.content after pages.page",
    b"\x02" + PAGE + b"\x00\x07": "names no ids of pages.page",
    b"\x02" + PAGE + b"\x00": "names no ids of pages.page",
    b"\x02" + PAGE + b"\x01\x00": "not an id of pages.page: 0",
    b"\x02" + PAGE + b"\x02\x00\x01": "not an id of pages.page: 0",
    b"\x02"
    + PAGE
    + b"\x02\xff\xff\xff\xff\xff\xff\xff\xff\x7f\x01": f"not an id of pages.page: {2**63}",
    b"\x02" + PAGE + b"\x01" + VARINT_OF_2_63: "not a number at byte",
    b"\x02" + PAGE + b"\x01\x87\x00": "not a number at byte",
    b"\x02" + PAGE + b"\x02\x07\x81\x80\x00": "not a number at byte",
    b"\x02" + PAGE + b"\x01" + b"\xff" * 100_000: "not a number at byte",
    b"\x02" + PAGE + b"\x02\x07\x00": "names an id of pages.page twice",
    b"\x02" + PAGE + b"\x03\x07\x81\x01\x00": "names an id of pages.page twice",
    b"\x02\x02\xff.\x01\x01": "not the name of a model: b'\\xff.'",
    b"\x02\x05page\x00\x01\x01": "not the name of a model: b'page\\x00'",
    b"\x02\xff" + b"p" * 255 + b"\x01\x01": "not the name of a model",
    b"[" * 100_000: "not JSON: RecursionError",
    b'{"v": ' + b"9" * 5000 + b"}": "not JSON: ValueError",
    b"{\xff": "not JSON: UnicodeDecodeError",
    body_1({"pages.page": [1]}, type="Deleted"): "not a view",
    body_1({"pages.page": [1]}, v=99): "unknown version 99",
    body_1({"pages.page": [1]}, v=[True]): "unknown version [True]",
    body_1({}): "names no targets",
    body_1([1]): "names no targets",
    body_1({"\x00\ud800": [1]}): "not the name of a model: b'\\x00\\xed\\xa0\\x80'",
    body_1({"pages." + "p" * 95: [1]}): "not the name of a model",
    body_1({"pages.page": []}): "names no ids of pages.page",
    body_1({"pages.page": 5}): "names no ids of pages.page",
    body_1({"pages.page": [2**63]}): f"not an id of pages.page: {2**63}",
    body_1({"pages.page": [0]}): "not an id of pages.page: 0",
    body_1({"pages.page": [True]}): "not an id of pages.page: True",
    body_1({"pages.page": [1.0]}): "not an id of pages.page: 1.0",
    body_1({"pages.page": ["1"]}): "not an id of pages.page: '1'",
    body_1({"pages.page": [None]}): "not an id of pages.page: None",
    body_1({"pages.page": [1, 1]}): "names an id of pages.page twice",
}


@pytest.mark.parametrize(
    ("body", "reason"), MALFORMED.items(), ids=[str(number) for number in range(len(MALFORMED))]
)
def test_a_malformed_body_says_why(body: bytes, reason: str) -> None:
    with pytest.raises(Malformed) as caught:
        decode(body)

    why = str(caught.value)
    assert why.startswith(reason)
    assert isinstance(caught.value.reason, DeadLetterReason)
    why.encode()  # a lone surrogate would not go into the database
    assert "\x00" not in why


def test_version_1_is_read_and_brought_to_version_2() -> None:
    body = body_1({"pages.page": [7], "pages.content": [3, 1]})

    assert decode(body) == {"pages.page": [7], "pages.content": [3, 1]}
    assert normalize(body) == encode({"pages.page": [7], "pages.content": [1, 3]})
    with pytest.raises(Malformed):
        normalize(b"{")


def test_a_model_that_nobody_here_knows_is_no_reason_to_refuse() -> None:
    assert decode(encode({"shop.item": [1]})) == {"shop.item": [1]}


numbers = some.integers(0, 2**64 - 1)
databases = some.integers(0, 2**32 - 1)
sixteen = some.just(b"") | some.binary(min_size=16, max_size=16)
told = some.binary(max_size=300)
metas = some.builds(Meta, databases, numbers, numbers, sixteen, sixteen, told)


@given(metas)
def test_metadata_is_read_as_it_was_written(meta: Meta) -> None:
    assert decode_meta(encode_meta(meta)) == meta


def test_metadata_is_fixed_for_ever() -> None:
    assert encode_meta(Meta()) == b""
    assert encode_meta(Meta(visitor=1, agent=2**63)) == (
        b"\x06\x00\x00\x00\x00\x00\x00\x00\x01\x80\x00\x00\x00\x00\x00\x00\x00"
    )
    assert encode_meta(Meta(1, 0, 0, b"k" * 16, b"t" * 16)) == (
        b"\x19\x00\x00\x00\x01" + b"k" * 16 + b"t" * 16
    )
    assert encode_meta(Meta(agent=1, told=b"\0curl/8")) == b"\x24" + bytes(7) + b"\1\0curl/8"


@given(some.binary(max_size=60))
def test_any_bytes_are_malformed_or_metadata(data: bytes) -> None:
    try:
        meta = decode_meta(data)
    except Malformed:
        return
    assert encode_meta(meta) == data


@pytest.mark.parametrize(
    "data",
    [
        b"\x00",
        b"\x20",
        b"\x40",  # a fact that this version does not know
        b"\x60told",
        b"\x02" + bytes(8),  # a fact that is not known has no bytes
        b"\x02" + b"\x01" * 7,
        b"\x02" + b"\x01" * 9,
        b"\x08" + b"k" * 15,
    ],
)
def test_malformed_metadata(data: bytes) -> None:
    with pytest.raises(Malformed, match="not metadata"):
        decode_meta(data)


same_length = some.builds(bytes.__add__, some.sampled_from([b"\6", b"\x08"]), some.binary(
    min_size=16, max_size=16) | some.just(b"v" * 8 + bytes(8)))  # fmt: skip
any_data = some.lists(metas.map(encode_meta) | some.binary(max_size=20) | same_length)


@given(any_data)
def test_all_metadata_together_is_judged_as_each_by_itself(many: list[bytes]) -> None:
    malformed = set()
    for data in many:
        try:
            decode_meta(data)
        except Malformed:
            malformed.add(data)

    assert {*malformed_metas(many)} == malformed


@pytest.mark.parametrize(
    "meta", [Meta(key=b"short"), Meta(visitor=2**64), Meta(database=2**32), Meta(agent=-1)]
)
def test_metadata_that_could_not_be_read_is_not_written(meta: Meta) -> None:
    with pytest.raises((ValueError, OverflowError)):
        encode_meta(meta)


def test_a_view_of_too_many_targets_is_not_recorded() -> None:
    with pytest.raises(ValueError, match="so many targets"):
        encode({"pages.content": range(1, 2**20)})


KEYED = {"shop.product": {id_of(key): key for key in ("a", "b-c", "\u00e9")}}


def test_keys_of_which_ids_are_hashes_are_in_the_body() -> None:
    body = encode({**KEYED, "pages.page": {7}}, KEYED)

    assert decode(body) == {"pages.page": [7], "shop.product": sorted(KEYED["shop.product"])}
    assert keys_in(body) == KEYED
    assert normalize(body) == body
    assert keys_in(encode({"pages.page": {7}})) == {}


@pytest.mark.parametrize("key", ["", "x" * 256, "a\0b", "\ud800"])
def test_a_key_that_no_column_takes_is_refused(key: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # or of UTF-8
        encode({"shop.product": {id_of("x")}}, {"shop.product": {id_of("x"): key}})


@pytest.mark.parametrize(
    "text",
    [
        b"{}x", b"[]", b'{"shop.product": ["a", "b"]}', b'{"shop.product": ["a"]}',
        b'{"shop.product": [1, 2, 3]}', b'{"shop.other": ["a"]}', b'{"shop.product": "abc"}',
        b'{"shop.product": ["\\ud800", "a", "b"]}', b"[" * 90_000,
    ],
)  # fmt: skip
def test_keys_that_are_not_those_of_the_ids_are_malformed(text: bytes) -> None:
    length = bytearray()
    number = len(text)
    while number > 0x7F:
        length.append(number & 0x7F | 0x80)
        number >>= 7
    view = encode({"shop.product": KEYED["shop.product"]})
    body = b"\x03" + bytes([*length, number]) + text + view

    with pytest.raises(Malformed, match="has other keys than ids"):
        decode(body)
    for end in (1, 2, 3, len(body) // 2, len(body) - 1):
        with pytest.raises(Malformed):
            decode(body[:end])
