"""The benchmarks run and tell every figure; what the figures are is no test's business."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path


def test_every_part_that_needs_no_time_tells_its_figures(tmp_path: Path) -> None:
    told = tmp_path / "figures.json"
    command = [sys.executable, str(Path(__file__).parent), "--quick", "--json", str(told)]
    parts = "send,check,grow,start,profile,ledger,refusals,cluster"
    subprocess.run([*command, "--only", parts], check=True, cwd=tmp_path, capture_output=True)
    figures = json.loads(told.read_text())["figures"]
    assert len(figures) > 25
    assert all(figure["value"] == figure["value"] for figure in figures)
    assert {figure["part"].split(" ")[0] for figure in figures} >= {
        "send",
        "check",
        "peak",
        "cost",
        "start",
        "a",
    }
