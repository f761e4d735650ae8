"""Integers in narrow arrays, as the columns of a segment have them."""

import sys
from array import array
from collections.abc import Sequence
from itertools import accumulate, chain, islice
from operator import sub

CODES = "bBhHiIqQ"
"""Types of arrays, the narrowest first. In the data, the letter comes before the array."""
PLAIN, DIFFERENCES = b"p", b"d"
IS_BIG_ENDIAN = sys.byteorder == "big"


def pack(numbers: list[int]) -> bytes:
    """Return the letter of the narrowest type that fits, then the array.

    The lowest bytes of all numbers come first, then the next ones: that compresses better.
    Raises OverflowError if one has more than 64 bits.
    """
    for code in CODES:
        try:
            packed = array(code, numbers)
        except OverflowError:
            continue
        if IS_BIG_ENDIAN:
            packed.byteswap()
        raw, width = packed.tobytes(), packed.itemsize
        return code.encode() + b"".join(raw[place::width] for place in range(width))
    raise OverflowError("a number has more than 64 bits")


def pack_differences(groups: Sequence[Sequence[int]]) -> bytes:
    """Return the first number of each group and the differences within it."""
    steps = list(chain.from_iterable(map(sub, group[1:], group) for group in groups))
    try:
        return DIFFERENCES + pack([group[0] if group else 0 for group in groups]) + pack(steps)
    except OverflowError:  # a difference may have one bit more than the numbers
        return PLAIN + pack(list(chain.from_iterable(groups)))


class Reader:
    """Reads what was packed. Raises ValueError for what does not fit.

    No method allocates more than eight times what it reads.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._place = 0

    @property
    def left(self) -> int:
        """Return the number of bytes that were not read yet."""
        return len(self._data) - self._place

    def read(self, size: int) -> bytes:
        """Return the next bytes."""
        if not 0 <= size <= self.left:
            raise ValueError(f"{size} bytes are expected where {self.left} are left")
        start, self._place = self._place, self._place + size
        return self._data[start : self._place]

    def numbers(self, count: int) -> "array[int]":
        """Return what `pack` made of so many numbers."""
        code = self.read(1).decode("latin-1")
        if code not in CODES:
            raise ValueError(f"{code!r} is no type of numbers")
        numbers = array(code)
        width = numbers.itemsize
        raw = self.read(count * width)
        in_order = bytearray(len(raw))
        for place in range(width):
            in_order[place::width] = raw[place * count : (place + 1) * count]
        numbers.frombytes(in_order)
        if IS_BIG_ENDIAN:
            numbers.byteswap()
        return numbers

    def differences(self, sizes: Sequence[int]) -> "list[array[int]]":
        """Return the groups that `pack_differences` got; `sizes` are theirs."""
        how = self.read(1)
        if how == PLAIN:
            plain = iter(self.numbers(sum(sizes)))
            return [array("q", islice(plain, size)) for size in sizes]
        if how != DIFFERENCES:
            raise ValueError(f"{how!r} is no kind of column")
        firsts = self.numbers(len(sizes))
        steps = iter(self.numbers(sum(max(0, size - 1) for size in sizes)))
        return [
            array("q", accumulate(islice(steps, size - 1), initial=first) if size else ())
            for first, size in zip(firsts, sizes, strict=True)
        ]
