"""The benchmarks run and tell every figure; what the figures are is no test's business."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from postgres import Server


def figures_of(folder: Path, parts: str) -> list[dict[str, Any]]:
    told = folder / "figures.json"
    command = [sys.executable, str(Path(__file__).parent), "--quick", "--json", str(told)]
    subprocess.run([*command, "--only", parts], check=True, cwd=folder, capture_output=True)
    figures: list[dict[str, Any]] = json.loads(told.read_text())["figures"]
    assert all(figure["value"] == figure["value"] for figure in figures)
    return figures


def test_every_part_that_needs_no_time_tells_its_figures(tmp_path: Path) -> None:
    figures = figures_of(tmp_path, "send,check,grow,start,profile,ledger,refusals")
    assert len(figures) > 20
    assert {figure["part"].split(" ")[0] for figure in figures} >= {
        "send",
        "check",
        "peak",
        "cost",
        "start",
        "a",
    }


def test_the_part_that_needs_postgres_tells_its_figures(tmp_path: Path, postgres_server: Server) -> None:
    assert figures_of(tmp_path, "cluster") != []
