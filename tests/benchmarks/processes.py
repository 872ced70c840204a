"""Runs commands as processes of their own and reads what they tell: figures, seconds, peak memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SCRIPTS = Path(__file__).with_name("scripts.py")
HERE = Path(__file__).parents[2]


@dataclass(frozen=True)
class Ended:
    """How a process ended: what it printed, its seconds, its own peak memory in MB, its CPU seconds."""

    out: str
    seconds: float
    peak_mb: float
    cpu_seconds: float

    @property
    def json(self) -> dict[str, Any]:
        """What it printed."""
        return dict(json.loads(self.out))


def run(*command: str, folder: Path | None = None, codes: tuple[int, ...] = (0,)) -> Ended:
    """Run a command to its end; its standard error is shown where it ends with another code than these."""
    environment = os.environ | {"HACKLE_API_KEY": "k", "PYTHONPATH": str(HERE)}
    started = time.perf_counter()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder, env=environment
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        out, err = process.stdout.read(), process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in codes:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}: {err[-2000:]}")
    seconds = time.perf_counter() - started
    return Ended(out, seconds, usage.ru_maxrss / 1024, usage.ru_utime + usage.ru_stime)


def python(*arguments: str) -> Ended:
    """Run the Python that runs the benchmarks."""
    return run(sys.executable, *arguments)


def rows_per_second(*arguments: str) -> float:
    """Run one of the scripts."""
    return float(python(str(SCRIPTS), *arguments).json["rows_per_second"])


def replay(*arguments: str, folder: Path | None = None, codes: tuple[int, ...] = (0,)) -> Ended:
    """Run the tool."""
    return run(sys.executable, "-m", "replay", *arguments, folder=folder, codes=codes)
