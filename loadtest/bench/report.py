"""The bench's tables, as Markdown, and its plot, from the data of `results.json`."""

import re
from pathlib import Path

from loadtest.bench.aims import FOOTFALL, aims, exact
from loadtest.bench.results import Results, median, rows, spread
from loadtest.common.figures import Median, short
from loadtest.measure.columns import COLUMNS, CPU, SPEED, TABLES, Column
from loadtest.measure.measurement import COLD, HOT, LOADS, ZIPF
from loadtest.systems.approaches import APPROACHES, BY_NAME, CONSTANT

TITLES = {HOT: "One hot page", ZIPF: "Zipf over all pages", COLD: "Pages that are not cached"}
CONSTANTS = {SPEED: ("rate", "p50_ms", "p99_ms"), CPU: ("cpu", "cpu_load")}
"""The columns that the yardstick has in a table."""
BEGIN, END = "<!-- bench: begin -->\n", "<!-- bench: end -->\n"


def columns(table: str) -> list[Column]:
    return [column for column in COLUMNS if column.table == table]


def markdown(lines: list[list[str]]) -> str:
    """Return a table; the first line is its head, and numbers stand on the right."""
    rule = ["---"] + ["---:"] * (len(lines[0]) - 1)
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [lines[0], rule, *lines[1:]])


def cell(found: Results, approach: str, load: str, column: Column) -> str:
    if not column.summed:
        return str(spread(found, approach, load, column.key))
    known = [row[column.key] for row in rows(found, approach, load) if row[column.key] is not None]
    return str(sum(known)) if known else "-"


def constant(found: Results, table: str) -> list[str]:
    told = CONSTANTS[table]
    return [
        str(Median.of([one[column.key] for one in found["constants"]]))
        if column.key in told
        else "-"
        for column in columns(table)
    ]


def table(found: Results, load: str, name: str) -> str:
    lines = [["", *(column.title for column in columns(name))]]
    if name in CONSTANTS and found["constants"] and load != COLD:
        lines.append([CONSTANT.title, *constant(found, name)])
    for approach in APPROACHES:
        if rows(found, approach.name, load):
            told = [cell(found, approach.name, load, column) for column in columns(name)]
            lines.append([approach.title, *told])
    return markdown(lines)


def drained(found: Results) -> str:
    lines = [["", "a flush, events/s", "one UPDATE each, events/s", "lost", "doubled"]]
    for load, runs in found["drain"].items():
        rates = [
            str(Median.of([run[name] for run in runs if name in run]))
            for name in ("batched", "one_by_one")
        ]
        wrong = [str(sum(run[name] for run in runs)) for name in ("lost", "doubled")]
        lines.append([TITLES[load], *rates, *wrong])
    return markdown(lines)


def idle(found: Results) -> str:
    told = found["idle"]
    head = ["`make run`, without readers", "processes", "memory (PSS) MB", "CPU s/minute"]
    spent = str(Median.of(told["cpu_per_minute"]))
    return markdown([head, ["", str(told["processes"]), short(told["pss_mb"]), spent]])


def text(found: Results) -> str:
    """Return everything that is printed."""
    machine = found["machine"]
    parts = [
        f"Measured {found['at']} on {machine['cores']} cores, which servers, stores and load share;"
        f" Python {found['python']}; {found['pages']:,} pages of 15 contents; 16 keep-alive"
        " connections. A figure is the median of the repetitions, with the least and the most of"
        " them in brackets."
    ]
    for load in LOADS:
        parts.append(f"### {TITLES[load]}")
        for name in TABLES:
            parts += [f"**{name}**", table(found, load, name)]
    if rows(found, FOOTFALL, COLD):
        parts += [f"### {TITLES[COLD]}", table(found, COLD, SPEED), table(found, COLD, CPU)]
    parts += ["### A backlog", drained(found)]
    if found["idle"]:
        parts += ["### Idle", idle(found)]
    aim_lines = [["aim", "", "measured"]]
    aim_lines += [[aim.text, aim.mark, aim.measured] for aim in aims(found)]
    parts += ["### The aims", markdown(aim_lines)]
    parts += ["\n".join(f"- {note}" for note in found["notes"])] if found["notes"] else []
    parts += [f"**FAILED** {name}: {why}" for name, why in found["failed"].items()]
    if not exact(found):
        parts.append("**FOOTFALL HAS LOST OR DOUBLED VIEWS**")
    return "\n\n".join(parts)


def write_into(file: Path, told: str) -> None:
    """Put the tables between the two comments in a page of docs; raise ValueError without them."""
    page, between = file.read_text(), re.escape(BEGIN) + ".*?" + re.escape(END)
    written, times = re.subn(between, lambda _: f"{BEGIN}\n{told}\n\n{END}", page, flags=re.DOTALL)
    if times != 1:
        raise ValueError(f"{file} has not one place that begins with {BEGIN!r}")
    file.write_text(written)


def to_plot(found: Results) -> tuple[str, list[tuple[str, list[float]]], list[str]]:
    """Return the title, the bars of each row, and what the bars of a row are."""
    fastest = Median.of([one["rate"] for one in found["constants"]]).value
    plotted = [(CONSTANT.title, [fastest] * len(LOADS))]
    plotted += [
        (BY_NAME[one.name].title, [median(found, one.name, load, "rate") for load in LOADS])
        for one in APPROACHES
        if rows(found, one.name, HOT)
    ]
    return "Requests per second", plotted, [TITLES[load] for load in LOADS]
