"""Zipf's law: page k of n is read 1/k^s as often as the first."""

import itertools
import math
from collections.abc import Iterator, Sequence
from random import Random


def weights(n: int, exponent: float = 1.0) -> list[float]:
    """Return the probabilities of the ranks 1 to `n`; they add up to 1."""
    raw = [math.pow(rank, -exponent) for rank in range(1, n + 1)]
    total = sum(raw)
    return [weight / total for weight in raw]


def draw(pages: Sequence[int], count: int, seed: int, exponent: float = 1.0) -> list[int]:
    """Return `count` of `pages`, each as often as its rank says. The same seed draws the same.

    Which page has which rank is the seed's, too: neighbours in the database are none in rank.
    """
    random = Random(seed)
    ranked = random.sample(pages, len(pages))
    sums = list(itertools.accumulate(weights(len(pages), exponent)))
    return random.choices(ranked, cum_weights=sums, k=count)


def expected_distinct(n: int, draws: float, exponent: float = 1.0) -> float:
    """Return how many different pages `draws` independent draws are expected to name."""
    blocks = [(math.pow(rank, -exponent), count) for rank, count in ranks(n)]
    total = math.fsum(weight * count for weight, count in blocks)
    return math.fsum(
        count * (1.0 - math.pow(1.0 - weight / total, draws)) for weight, count in blocks
    )


def ranks(n: int) -> Iterator[tuple[float, int]]:
    """Yield the ranks 1 to `n` as (rank, how many are about there): a million in 2,000 steps."""
    start = 1
    while start <= n:
        count = min(max(1, start // 200), n + 1 - start)
        yield start + (count - 1) / 2, count
        start += count
