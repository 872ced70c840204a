"""A run may be killed at any line: no row is lost or sent twice, and only those that left are in doubt."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

LONG = bool(os.environ.get("REPLAY_LONG_PROOFS"))


def killed(folder: Path, how_many: int, kills: int, mutant: str = "") -> list[str]:
    command = [sys.executable, "-m", "ledger.killing", str(folder), str(how_many), str(kills)]
    done = subprocess.run(
        [*command, *([mutant] if mutant else [])], capture_output=True, text=True, check=True
    )
    found: list[str] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("kills", [1, 2, 3])
def test_a_kill_at_any_line_and_again_in_the_resume_costs_nothing(memory: Path, kills: int) -> None:
    assert killed(memory, 6000 if LONG else 380 // kills**2, kills) == []


@pytest.mark.parametrize(
    "mutant", ["start_after_the_send", "batch_gone_before_its_outcomes", "announced_without_a_commit"]
)
def test_a_ledger_that_breaks_its_order_is_caught_by_kills(memory: Path, mutant: str) -> None:
    found = killed(memory, 120, 1, mutant)
    assert any("pending" in fault or "twice" in fault for fault in found)
