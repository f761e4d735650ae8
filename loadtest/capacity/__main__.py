"""How much a load needs: database rows, write-ahead log, Redis memory, processor cores.

`measure` reads a real Footfall at some rates and numbers of pages, and writes down what it took;
`fit` finds the model's constants on half of these points, and checks and plots it on the other
half; `ask` tells what a load would need.
"""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from loadtest.capacity.model import MEGABYTE, Load, Model, Point, errors, fit, picture, split
from loadtest.capacity.sweep import sweep
from loadtest.common.figures import percentile, short
from standalone.configuration import ROOT


def say_fit(found: dict[str, Any], plot: Path) -> Model:
    """Fit, check, plot, and print what came of it."""
    points = [Point.read(point) for point in found["points"]]
    fitted, held_out = split(points)
    model = fit(fitted, **found.get("known", {}))
    for name, value in asdict(model).items():
        print(f"{name:20} {value:.6g}")
    for title, some in (("fitted on", fitted), ("held out", held_out)):
        for name, shares in errors(model, some).items():
            middle, worst = percentile(shares, 50), max(shares)
            print(f"{title} {len(some)} points, {name:9}: off by {middle:.0%}, at most {worst:.0%}")
    plot.write_text(picture(model, fitted, held_out))
    print(f"plotted: {plot}")
    return model


def say_needs(model: Model, load: Load) -> None:
    needs = model.needs(load)
    print(
        f"{load.rate:,.0f} reads/s of {load.pages:,} pages of {load.contents}, "
        f"a flush every {load.interval:g} s: {needs.rows:,.0f} rows/s, "
        f"{short(needs.wal_bytes / MEGABYTE)} MB/s of WAL, {short(needs.cores)} cores, "
        f"flusher busy {needs.flush_share:.0%}, "
        f"Redis {needs.redis_bytes / MEGABYTE:,.0f} MB"
    )


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m loadtest.capacity", description=__doc__)
    parser.add_argument("what", choices=("measure", "fit", "ask"))
    parser.add_argument("--directory", type=Path, default=ROOT / ".data" / "bench")
    parser.add_argument("--rate", type=float, default=1_000.0)
    parser.add_argument("--pages", type=int, default=10_000)
    parser.add_argument("--contents", type=int, default=15)
    parser.add_argument("--exponent", type=float, default=1.0)
    parser.add_argument("--interval", type=float, default=1.0)
    return parser.parse_args()


def main() -> int:
    wanted = arguments()
    file = wanted.directory / "capacity.json"
    if wanted.what == "measure":
        wanted.directory.mkdir(parents=True, exist_ok=True)
        found = sweep(wanted.directory.resolve())
        file.write_text(json.dumps(found, indent=1) + "\n")
    if not file.exists():
        print(f"There is no {file} yet: python -m loadtest.capacity measure", file=sys.stderr)
        return 1
    found = json.loads(file.read_text())
    if wanted.what == "ask":
        fitted, _ = split([Point.read(point) for point in found["points"]])
        load = Load(wanted.rate, wanted.pages, wanted.contents, wanted.exponent, wanted.interval)
        say_needs(fit(fitted, **found.get("known", {})), load)
    else:
        say_fit(found, wanted.directory / "capacity.svg")
    return 0


if __name__ == "__main__":
    sys.exit(main())
