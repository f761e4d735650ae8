"""Least squares, for a handful of unknowns."""

from collections.abc import Sequence


def least_squares(columns: Sequence[Sequence[float]], values: Sequence[float]) -> list[float]:
    """Return the factors, none below 0, of `columns` whose sum is nearest to `values`.

    Each point counts by its share, not its size: small loads are to fit as well as great ones. A
    factor that would be negative is 0, as a cost is. Raises ValueError if the points do not tell.
    """
    used = list(range(len(columns)))
    while used:
        scaled = [[x / y for x, y in zip(columns[i], values, strict=True)] for i in used]
        found = solve(scaled)
        if min(found) >= 0:
            factors = dict(zip(used, found, strict=True))
            return [factors.get(i, 0.0) for i in range(len(columns))]
        del used[found.index(min(found))]
    raise ValueError("no factors fit")


def solve(columns: Sequence[Sequence[float]]) -> list[float]:
    """Return the factors that bring the sum of `columns` nearest to 1 everywhere."""
    size = len(columns)
    rows = [
        [sum(x * y for x, y in zip(one, other, strict=True)) for other in columns] + [sum(one)]
        for one in columns
    ]
    for i in range(size):
        best = max(range(i, size), key=lambda row: abs(rows[row][i]))
        rows[i], rows[best] = rows[best], rows[i]
        if not abs(rows[i][i]) > 1e-30:
            raise ValueError("the points are too much alike to tell the factors apart")
        for j in range(size):
            if j != i:
                factor = rows[j][i] / rows[i][i]
                rows[j] = [x - factor * y for x, y in zip(rows[j], rows[i], strict=True)]
    return [rows[i][size] / rows[i][i] for i in range(size)]
