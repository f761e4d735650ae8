"""How far an ingest has come: dead letters, producer states and positions."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from footfall.common.chunks import chunks
from footfall.events import DropReason
from footfall.identity import Moment
from footfall.ingest.claims import Claim
from footfall.ingest.producer_states import ProducerStates
from footfall.models import DeadLetter, Partition
from footfall.sql.batch import rows_per_statement

IDS_PER_QUERY = 1_000


def store_dead_letters(
    letters: Sequence[DeadLetter], states: ProducerStates, moment: Moment
) -> list[DeadLetter]:
    """Store the events that cannot be counted, with the reason; return those letters.

    Left out are those of events that have a letter: they were read again. A letter that was
    replayed, and whose event still cannot be counted, waits again.
    """
    new, again = _wait_again(letters)
    known = {(letter.partition, letter.entry_id) for letter in _with_ids(new)}
    read_before = [letter for letter in new if (letter.partition, letter.entry_id) in known]
    for letter in read_before:
        states.dropped[letter.partition][DropReason.ALREADY_COUNTED] += 1
    new = [letter for letter in new if (letter.partition, letter.entry_id) not in known]
    for letter in new:
        letter.created_at, letter.epoch = moment.now, moment.epoch
    batch_size = rows_per_statement(row.body for row in new)
    DeadLetter.objects.bulk_create(new, ignore_conflicts=True, batch_size=batch_size)
    return [*new, *again]


def _wait_again(letters: Sequence[DeadLetter]) -> tuple[list[DeadLetter], list[DeadLetter]]:
    """Return the letters that have no row, and those that had been replayed: they wait again."""
    new: list[DeadLetter] = []
    by_reason: defaultdict[str, list[DeadLetter]] = defaultdict(list)
    for letter in letters:
        (by_reason[letter.reason] if letter.pk else new).append(letter)
    again: list[DeadLetter] = []
    for reason, some in by_reason.items():
        rows = DeadLetter.objects.filter(pk__in=[letter.pk for letter in some])
        existing = {*rows.values_list("pk", flat=True)}
        rows.update(reason=reason, replayed_at=None, replayed_by=None)
        for letter in some:
            if letter.pk in existing:
                again.append(letter)
            else:  # an operator has deleted it meanwhile
                letter.pk = None
                new.append(letter)
    return new, again


def _with_ids(letters: Sequence[DeadLetter]) -> Iterator[DeadLetter]:
    """Yield the rows of the events that have a letter already."""
    ids = [letter.entry_id for letter in letters if letter.entry_id]
    partitions = {letter.partition for letter in letters}
    for some in chunks(ids, IDS_PER_QUERY):
        rows = DeadLetter.objects.filter(partition__in=partitions, entry_id__in=some)
        yield from rows.only("partition", "entry_id")


def save_progress(
    claims: Sequence[Claim],
    states: ProducerStates,
    stored: Counter[int],
    dead_letters: Sequence[DeadLetter],
    moment: Moment,
) -> None:
    """Write producer states and positions. stored: events by partition."""
    states.save(moment)
    dead = Counter(letter.partition for letter in dead_letters)
    for claim in claims:
        if not (claim.entries or claim.spilled or claim.position_lost):
            continue
        partition = claim.partition
        dropped = Counter(states.dropped[claim.number])
        if dead[claim.number]:
            dropped[DropReason.DEAD_LETTER] = dead[claim.number]
        if claim.position_lost:
            partition.lose_position(claim.position_lost, moment.now)
        lost = states.lost[claim.number]
        partition.advance(claim.entries, stored[claim.number], dropped, lost, moment.now)
        # A statement for each: `bulk_update` takes five times as long to write one for all.
        partition.save(update_fields=Partition.ADVANCED)
