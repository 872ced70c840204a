"""A real Chromium, without a window: what a page shows, what it loads, and whether anything in it runs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium")
NEEDED = pytest.mark.skipif(
    CHROMIUM is None and not os.environ.get("CI"), reason="Debian's chromium is not installed"
)
COMMON = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--hide-scrollbars",
    "--no-first-run",
    "--disable-extensions",
    "--disable-component-update",
    "--disable-background-networking",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--virtual-time-budget=2000",
)


def shown(page: Path) -> str:
    """The document as Chromium has it once all has been loaded and run."""
    return _chromium(page, "--dump-dom").stdout


def complaints(page: Path) -> list[str]:
    """What the page's console says."""
    said = _chromium(page, "--dump-dom", "--enable-logging=stderr").stderr
    return [line for line in said.splitlines() if "CONSOLE" in line]


def printed(page: Path) -> bytes:
    """The page as a PDF."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "page.pdf"
        _chromium(page, f"--print-to-pdf={target}")
        return target.read_bytes()


def asked_for(page: Path) -> list[str]:
    """What the page asked the network for, by Chromium's own log; not what Chromium asks for itself."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "net.json"
        _chromium(page, f"--log-net-log={log}", "--dump-dom")
        events: list[dict[str, Any]] = json.loads(log.read_text("utf-8"))["events"]
    requests = [event["params"] for event in events if "initiator" in event.get("params", {})]
    return sorted({request["url"] for request in requests if request["initiator"] != "not an origin"})


def _chromium(page: Path, *options: str) -> subprocess.CompletedProcess[str]:
    assert CHROMIUM is not None, "Debian's chromium is not installed"
    with tempfile.TemporaryDirectory() as profile:
        done = subprocess.run(
            [CHROMIUM, *COMMON, f"--user-data-dir={profile}", *options, page.resolve().as_uri()],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    return done
