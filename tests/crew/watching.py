"""Runs that send with processes of their own, seen from outside."""

from __future__ import annotations

import json
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from cli.desk import Ended

if TYPE_CHECKING:
    from collections.abc import Callable

    from cli.desk import Desk, Server

WAIT_SECONDS = 300.0


def workers_of(parent: int) -> list[int]:
    """The sender processes of a process that are alive, or were not waited for."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            said = path.read_text()
            words = (path.parent / "cmdline").read_bytes()
        except OSError:
            continue  # it ended meanwhile
        state, ppid = said.rpartition(")")[2].split()[:2]
        if int(ppid) == parent and (state == "Z" or b"replay.crew.worker" in words):
            found.append(int(path.parent.name))
    return sorted(found)


def is_alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def until(condition: Callable[[], object]) -> None:
    """Wait until something holds."""
    end = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.01)


def started(desk: Desk, server: Server, *options: str, **how: object) -> subprocess.Popen[str]:
    """A run with two sender processes in a process of its own."""
    common = (
        "--map",
        "map.toml",
        "--url",
        server.url,
        "--rate",
        "none",
        "--processes",
        "2",
        "--yes",
        "--json",
    )
    return desk.spawn("send", "rows.csv", *common, *options, **how)


def ended(process: subprocess.Popen[str]) -> Ended:
    out, err = process.communicate(timeout=WAIT_SECONDS)
    return Ended(process.returncode, out, err)


def times_asked(server: Server) -> Counter[int]:
    """How often each row was asked for."""
    return Counter(json.loads(request.body)["event"]["value"] for request in server.origin.requests)


def once(rows: int) -> dict[int, int]:
    return dict.fromkeys(range(1, rows + 1), 1)
