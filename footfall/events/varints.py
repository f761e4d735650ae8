"""Numbers of few bytes: 7 bits a byte, the lowest first, the high bit set if another follows."""

from footfall.events.reasons import DeadLetterReason, Malformed

BIGINT = 2**63


def append_varint(body: bytearray, number: int) -> None:
    while number > 0x7F:
        body.append(number & 0x7F | 0x80)
        number >>= 7
    body.append(number)


def read_varints(body: bytes, at: int, count: int) -> tuple[list[int], int]:
    numbers: list[int] = []
    while len(numbers) < count:
        number, at = read_varint(body, at)
        numbers.append(number)
    return numbers, at


def read_varint(body: bytes, at: int) -> tuple[int, int]:
    """Return the number that begins at byte `at`, and where it ends.

    It must have at most 63 bits, and be written in the shortest way.
    """
    byte = body[at]
    if byte < 0x80:
        return byte, at + 1
    number, shift = byte & 0x7F, 7
    while shift < 63:
        at += 1
        byte = body[at]
        if byte < 0x80:
            if not byte:
                break
            return number | byte << shift, at + 1
        number |= (byte & 0x7F) << shift
        shift += 7
    raise Malformed(DeadLetterReason.INVALID_NUMBER, at)
