"""Every figure that the README claims, measured: a table, and JSON where it is asked for.

    python tests/benchmarks [--only send,check,…] [--quick | --full] [--json FILE]

What is compared runs in turn in the same minutes, so that a machine whose speed drifts tells the same ratios.
`--quick` shows that the benchmarks work and measures nothing; `--full` adds
20,000,000 rows, and takes an hour.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.parts import FULL, PARTS, QUICK, Figure, Sizes, measure


def machine() -> str:
    """What the figures were measured on."""
    names = [line.partition(":")[2].strip() for line in _cpu_lines() if line.startswith("model name")]
    cpu = names[0] if names else platform.machine()
    return f"{os.cpu_count()} cores, {cpu}, Python {platform.python_version()}"


def _cpu_lines() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.exists() else []


def line(figure: Figure) -> str:
    """One line of the table, in Markdown."""
    digits = 2 if figure.unit == "ratio" else (1 if figure.unit in ("µs", "% growth") else 0)
    return f"| {figure.part} | {figure.name} | {figure.value:,.{digits}f} {figure.unit} | {figure.bound} |"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default=",".join(PARTS), help=f"some of {', '.join(PARTS)}")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    names = options.only.split(",")
    if unknown := [name for name in names if name not in PARTS]:
        parser.error(f"--only {unknown[0]}: one of {', '.join(PARTS)}")
    sizes = QUICK if options.quick else FULL if options.full else Sizes()
    print(f"{machine()}\n\n| part | figure | measured | promised |\n|---|---|---|---|", flush=True)
    figures = []
    for figure in measure(names, sizes, lambda said: print(said, file=sys.stderr)):
        figures.append(figure)
        print(line(figure), flush=True)
    if options.json is not None:
        document = {"machine": machine(), "figures": [asdict(figure) for figure in figures]}
        options.json.write_text(json.dumps(document, indent=2, ensure_ascii=False))


if __name__ == "__main__":
    main()
