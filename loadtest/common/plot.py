"""Two plots as plain SVG: bars on a logarithmic scale, and points on a line."""

import math
from collections.abc import Sequence
from xml.sax.saxutils import escape

from loadtest.common.figures import short

COLOURS = ("#1f6f8b", "#e07a3f", "#5b8c5a", "#8d6a9f", "#222222", "#c2263e")
STYLE = "text { font: 13px system-ui, sans-serif; fill: #222 } .light { fill: #666 }"
HEAD = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
    'aria-label="{label}"><style>{style}</style>'
    '<rect width="{width}" height="{height}" fill="#fff"/>'
)


def bars(title: str, rows: Sequence[tuple[str, Sequence[float]]], legend: Sequence[str]) -> str:
    """Return horizontal bars, a group per row; the scale is logarithmic and starts at 1."""
    left, right, thick = 230, 130, 16
    group = thick * len(legend) + 14
    width, height = 900, 84 + group * len(rows)
    finite = [value for _, values in rows for value in values if value > 0]
    most = math.log10(max([10.0, *finite]))
    parts = [begin(title, width, height), label(16, 26, title, "font-weight:600")]
    for i, name in enumerate(legend):
        x = 16 + i * 220
        parts += [box(x, 40, 12, 12, COLOURS[i]), label(x + 18, 51, name)]
    for i, (name, values) in enumerate(rows):
        y = 72 + i * group
        parts.append(label(16, y + group / 2, name))
        for j, value in enumerate(values):
            if not value > 0:
                continue
            length = max(1.0, math.log10(max(1.0, value)) / most * (width - left - right))
            at = y + j * thick
            parts.append(box(left, at, length, thick - 3, COLOURS[j]))
            parts.append(label(left + length + 6, at + thick - 5, short(value)))
    return "".join([*parts, "</svg>\n"])


Points = Sequence[tuple[float, float]]


def lines(title: str, axes: tuple[str, str], curves: Sequence[tuple[str, Points, bool]]) -> str:
    """Return curves on two logarithmic axes; a curve is a name, its points, and whether joined."""
    width, height, left, bottom = 900, 480, 90, 60
    every = [point for _, points, _ in curves for point in points if min(point) > 0]
    across = Scale([x for x, _ in every], left, width - 50)
    up = Scale([y for _, y in every], height - bottom, 80)
    parts = [begin(title, width, height), label(16, 26, title, "font-weight:600")]
    for scale, horizontal in ((across, True), (up, False)):
        for power in scale.powers():
            at, name = scale(10.0**power), f"{10.0**power:,.10g}"
            if horizontal:
                parts.append(line(at, 80, at, height - bottom))
                parts.append(label(at - 4 * len(name), height - bottom + 18, name))
            else:
                parts += [line(left, at, width - 50, at), label(8, at + 4, name)]
    parts.append(label(width / 2 - 80, height - 14, axes[0]))
    parts.append(label(8, 70, axes[1]))
    for i, (name, points, joined) in enumerate(curves):
        colour = COLOURS[i % len(COLOURS)]
        parts += [box(16 + i * 145, 40, 12, 12, colour), label(34 + i * 145, 51, name)]
        placed = [(across(x), up(y)) for x, y in points if x > 0 and y > 0]
        if joined:
            path = " ".join(f"{x:.1f},{y:.1f}" for x, y in placed)
            parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}"/>')
        else:
            parts += [
                f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{colour}"/>' for x, y in placed
            ]
    return "".join([*parts, "</svg>\n"])


class Scale:
    """Places values between two coordinates, by their logarithm."""

    def __init__(self, values: Sequence[float], start: float, end: float) -> None:
        self.low = math.floor(math.log10(min(values, default=1.0)))
        self.high = max(self.low + 1, math.ceil(math.log10(max(values, default=10.0))))
        self.start, self.end = start, end

    def __call__(self, value: float) -> float:
        part = (math.log10(value) - self.low) / (self.high - self.low)
        return self.start + part * (self.end - self.start)

    def powers(self) -> range:
        return range(self.low, self.high + 1)


def begin(title: str, width: float, height: float) -> str:
    return HEAD.format(width=width, height=height, label=escape(title), style=STYLE)


def label(x: float, y: float, text: str, style: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" style="{style}">{escape(text)}</text>'


def box(x: float, y: float, width: float, height: float, colour: str) -> str:
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{colour}"/>'
    )


def line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="#ddd"/>'
