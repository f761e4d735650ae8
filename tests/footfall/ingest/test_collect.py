"""Pure: what was read goes in, events to store and dead letters come out."""

from datetime import UTC, datetime

from footfall.eventlog import Columns
from footfall.eventlog.entries import NO_PRODUCER
from footfall.events import DropReason, Meta, encode, encode_meta
from footfall.identity import Moment
from footfall.ingest.claims import Claim
from footfall.ingest.collect import NewEvents, build, decode_events, deduplicate
from footfall.ingest.producer_states import ProducerStates
from footfall.models import DeadLetter, Partition, ProducerState, Spilled
from footfall.store.segment import NO_SEQUENCE, Events
from footfall.store.views import views_of

AT = 1_763_683_200_000
MOMENT = Moment("", 0, datetime.fromtimestamp(AT / 1000, UTC))
HOUR = 3_600_000
FIRST = AT // HOUR
BODY = encode({"pages.content": [1]})


def new(*views: tuple[int, bytes], meta: bytes = b"") -> NewEvents:
    """Return events of one producer, (time, body) each."""
    ats, bodies = zip(*views, strict=True)
    many = len(views)
    return NewEvents(0, [7] * many, list(range(many)), ats, bodies, [meta] * many)


def decoded(*some: NewEvents) -> tuple[Events, list[DeadLetter]]:
    """Return the events to store, and the dead letters."""
    found = decode_events(some)
    return build(found), found.malformed


def test_views_add_up_by_target_and_hour() -> None:
    both = encode({"pages.content": [1, 2], "pages.page": [7]})

    events, dead_letters = decoded(new((AT, both), (AT, BODY), (AT, BODY), (AT + HOUR, BODY)))

    found = [(dict(one.targets), one.hour, one.times) for one in views_of(events)]
    assert found == [
        ({"pages.content": [1, 2], "pages.page": [7]}, FIRST, 1),
        ({"pages.content": [1]}, FIRST, 2),
        ({"pages.content": [1]}, FIRST + 1, 1),
    ]
    assert not dead_letters


def test_nothing_gives_nothing() -> None:
    events, dead_letters = decoded()

    assert (len(events), list(views_of(events)), dead_letters) == (0, [], [])


def test_version_1_is_stored_as_version_2() -> None:
    old = b'{"type":"Viewed","v":1,"ids":{"pages.content":[1]}}'

    events, _ = decoded(new((AT, old), (AT, BODY)))

    assert (events.bodies, list(events.body)) == ([BODY], [0, 0])


def test_a_malformed_event_becomes_a_dead_letter_and_the_rest_is_stored() -> None:
    events, (letter,) = decoded(new((AT, BODY), (AT, b"\xff{"), (AT, BODY)))

    assert (len(events), list(events.sequence)) == (2, [0, 2])
    assert (letter.body, letter.reason) == (b"\xff{", "not JSON: UnicodeDecodeError")


def test_metadata_is_stored_and_malformed_metadata_is_not() -> None:
    good = encode_meta(Meta(visitor=5))

    events, (letter,) = decoded(new((AT, BODY), meta=good), new((AT, BODY), meta=b"\xff\xff"))

    assert [events.metas[index] for index in events.meta] == [good]
    assert letter.meta == b"\xff\xff"
    assert letter.reason.startswith("not metadata")


def claim(*entries: tuple[int, int], spilled: list[Spilled] | None = None) -> Claim:
    """Return a claim of partition 0 with entries (producer id, sequence)."""
    rows = [(b"%d-%d" % (AT, i), *one, AT, i + 1, BODY, b"") for i, one in enumerate(entries)]
    return Claim(Partition(number=0), Columns.of(rows), spilled or [])


def test_what_was_stored_before_is_dropped() -> None:
    states = ProducerStates([ProducerState(producer_id=7, partition=0, sequence=4)])

    new, dead_letters = deduplicate([claim((7, 3), (7, 4), (7, 5), (8, 0))], states, MOMENT)

    assert [(some.producer_ids, some.sequences) for some in new] == [([7, 8], [5, 0])]
    assert states.dropped[0] == {DropReason.ALREADY_COUNTED: 2}
    assert not dead_letters


def test_a_spilled_event_without_an_id_is_always_new() -> None:
    spilled = [Spilled(partition=0, at=AT, inserted_at=MOMENT.now, body=BODY)] * 2

    new, _ = deduplicate([claim(spilled=spilled)], ProducerStates([]), MOMENT)

    assert [(list(some.producer_ids), list(some.sequences)) for some in new] == [
        ([0, 0], [NO_SEQUENCE, NO_SEQUENCE])
    ]


def test_a_foreign_entry_is_kept_by_its_id() -> None:
    foreign = (NO_PRODUCER, NO_PRODUCER)

    new, dead_letters = deduplicate([claim(foreign, (7, 0), foreign)], ProducerStates([]), MOMENT)

    assert [some.sequences for some in new] == [[0]]
    assert [letter.entry_id for letter in dead_letters] == [f"{AT}-0", f"{AT}-2"]
    assert isinstance(dead_letters[0], DeadLetter)
