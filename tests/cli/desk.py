"""A working folder, the command line as it is typed there, and a server in a thread to send to."""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from sink.origin import Answer, Answers, Origin, Reply

from replay.cli import run

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

ACCEPT = (Reply(),)
KEY = "sdk-key-that-nobody-may-see"
TOP = Path(__file__).parents[2]
LIBC = ctypes.CDLL(None)
HEADER = "event,user,amount,memo"
MAP = """[event]
key = "event"
value = "amount:number"
[event.properties]
memo = "memo"
[user]
userId = "user"
"""


class Server:
    """An Origin that lives in a thread of its own, so that a test may wait for a command meanwhile."""

    def __init__(self, answers: Answers = ACCEPT) -> None:
        self.origin = Origin(answers)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    def __enter__(self) -> Self:
        self._thread.start()
        self._call(self.origin.__aenter__())
        return self

    def __exit__(self, *_: object) -> None:
        self._call(self.origin.__aexit__())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _call(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(300)

    @property
    def url(self) -> str:
        return self.origin.url

    @property
    def bodies(self) -> list[bytes]:
        """What was accepted, in the order of the answers."""
        return self.origin.delivered

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(body) for body in self.bodies]

    def until_in_flight(self, number: int) -> None:
        self._call(self.origin.until_in_flight(number))


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one object on standard output."""
        document = json.loads(self.out)
        assert isinstance(document, dict)
        return document

    @property
    def rows(self) -> dict[str, int]:
        rows: dict[str, int] = self.json["rows"]
        return rows


class Desk:
    """A working folder in which `replay` is typed: `type` in this process, `spawn` in one of its own."""

    def __init__(self, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capfd = capfd

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def csv(self, *lines: str, name: str = "rows.csv") -> Path:
        self.write("map.toml", MAP)
        return self.write(name, "\n".join((HEADER, *lines, "")))

    def numbered(self, rows: int, name: str = "rows.csv") -> Path:
        """Rows n = 1… of as many users, whose memo is `row n`."""
        return self.csv(*(f"buy,user{n},{n},row {n}" for n in range(1, rows + 1)), name=name)

    def type(self, *arguments: str | Path) -> Ended:
        self._capfd.readouterr()
        code = run([str(argument) for argument in arguments])
        out, err = self._capfd.readouterr()
        return Ended(code, out, err)

    def send(self, server: Server | str, *arguments: str | Path, source: str | Path = "rows.csv") -> Ended:
        """Send rows.csv by map.toml, as fast as it goes."""
        url = server if isinstance(server, str) else server.url
        common = ("--map", "map.toml", "--url", url, "--rate", "none", "--yes", "--json")
        return self.type("send", source, *common, *arguments)

    def spawn(self, *arguments: str | Path, **options: Any) -> subprocess.Popen[str]:
        """The command in a process of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "replay", *map(str, arguments)],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(TOP), **options.pop("env", {})},
            stdin=options.pop("stdin", subprocess.DEVNULL),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )

    def alone(self, *arguments: str | Path, **options: Any) -> Ended:
        """The command in a process of its own, to its end."""
        with self.spawn(*arguments, **options) as process:
            out, err = process.communicate(timeout=300)
        return Ended(process.returncode, out, err)

    @property
    def runs(self) -> list[Path]:
        """The folders of the runs, in the order of their records' writing."""
        records = sorted(self.folder.glob("replay-runs/*/run.toml"), key=lambda path: path.stat().st_mtime_ns)
        return [path.parent for path in records]

    @property
    def summary(self) -> dict[str, Any]:
        """The summary.json of the latest run."""
        document: dict[str, Any] = json.loads((self.runs[-1] / "summary.json").read_text())
        return document

    def failed(self, name: str = "rows.csv", run: int = -1) -> Path:
        return self.runs[run] / "failed" / name


def reply(choose: Callable[[dict[str, Any]], int | Answer]) -> Callable[[Any, int], Answer]:
    """Answers that depend on the event's body alone: a status or a whole answer."""

    def answer(request: Any, _: int) -> Answer:
        chosen = choose(json.loads(request.body))
        return Reply(chosen) if isinstance(chosen, int) else chosen

    return answer


def without_override() -> None:
    """Let permissions mean something to root too, after the next exec; for `preexec_fn`."""
    if os.getuid() == 0:
        for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
            if LIBC.prctl(24, capability, 0, 0, 0):  # PR_CAPBSET_DROP
                raise OSError("root keeps its rights here")
