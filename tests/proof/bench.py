"""Where a proof is made: the judge's process, a folder with a source, and the product as a process."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import signal
import socket
import subprocess
import sys
from collections import Counter
from contextlib import redirect_stderr, redirect_stdout, suppress
from dataclasses import asdict, dataclass, field
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from sink.arrivals import Arrival

from replay.cli import run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from proof.faults import Plan

TOP: Final = Path(__file__).parents[2]
ENVIRONMENT: Final = {
    **os.environ,
    "PYTHONPATH": f"{TOP}{os.pathsep}{TOP / 'tests'}",
    "HACKLE_API_KEY": "key",
}
PRODUCT: Final = (sys.executable, "-m", "replay")
SECONDS_MAX: Final = 300.0
SLICE_SECONDS: Final = 0.1
MAP: Final = """[event]
key = "event"
[event.properties]
row = "row:number"
[user]
userId = "user"
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """What the judge saw of one case: each row's attempts as (began, ended, word), in their order.

    `twice`: rows that were read again after an attempt that may have been accepted, or was refused for
    good; `unread`: connections that were broken off when a request may have been on its way; `hurried`:
    the most requests that were read while all had been asked to wait; `arrivals`: when requests arrived.
    """

    attempts: dict[int, list[tuple[int, int | None, str]]]
    twice: list[int] = field(default_factory=list)
    unread: int = 0
    most_in_flight: int = 0
    hurried: int = 0
    arrivals: list[Arrival] = field(default_factory=list)

    def words(self, row: int) -> list[str]:
        """How the attempts of a row ended, as the judge knows."""
        return [word for _, _, word in self.attempts.get(row, [])]

    @property
    def reads(self) -> int:
        return sum(len(tries) for tries in self.attempts.values())


class Judge:
    """The judge's process, from `with` to its end, and what can be asked of it."""

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "proof.judge"]
        self._process = subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.port, control = map(int, self._process.stdout.readline().split())
        with socket.create_connection(("127.0.0.1", control)) as asked:
            self._lines = asked.makefile("rw")  # which keeps it open
        self._cases = count(1)
        return self

    def __exit__(self, *_: object) -> None:
        self._lines.close()
        self._process.terminate()
        self._process.communicate()

    def ask(self, do: str, **said: Any) -> dict[str, Any]:
        """Ask one thing."""
        self._lines.write(json.dumps({"do": do, **said}) + "\n")
        self._lines.flush()
        told: dict[str, Any] = json.loads(self._lines.readline())
        return told

    def open(self, plan: Plan) -> str:
        """A new case; returns its path."""
        path = f"/v1/track/{next(self._cases)}"
        self.ask("open", case=path, plan=asdict(plan))
        return path

    def seen(self, case: str) -> Seen:
        """What it saw of a case until now."""
        told = self.ask("tell", case=case)
        attempts = {
            int(row): [tuple(tried) for tried in tries] for row, tries in told.pop("attempts").items()
        }
        arrivals = [Arrival(*moments) for moments in told.pop("arrivals")]
        return Seen(attempts=attempts, arrivals=arrivals, **told)


@dataclass(frozen=True, slots=True)
class Told:
    """What the product said in the end: its exit code, its summary, and how each failed row ended."""

    code: int
    summary: dict[str, Any]
    failed: dict[int, str]

    @property
    def rows(self) -> dict[str, int]:
        """Rows by outcome."""
        rows: dict[str, int] = self.summary["rows"]
        return rows

    def counted(self) -> Counter[str]:
        """Failed rows by outcome."""
        return Counter(self.failed.values())


class Bench:
    """A folder with a source of numbered rows, and the product at work on it."""

    def __init__(self, folder: Path, judge: Judge, plan: Plan, rows: int, users: int | None = None) -> None:
        self.folder = folder
        self.judge = judge
        self.rows = rows
        self.case = judge.open(plan)
        self.users = users or rows
        self.product: Sequence[str] = PRODUCT
        self.scheme = "http"
        folder.mkdir(exist_ok=True)
        (folder / "map.toml").write_text(MAP)
        lines = (f"buy,user{self.user_of(row)},{row}\n" for row in range(1, rows + 1))
        (folder / "rows.csv").write_text("event,user,row\n" + "".join(lines))

    def user_of(self, row: int) -> int:
        """Whose row it is."""
        return row % self.users

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.judge.port}{self.case}"

    @property
    def has_begun(self) -> bool:
        """Whether there is a run to go on with."""
        return any(self.folder.glob("replay-runs/*/run.toml"))

    def sending(self, *options: str) -> list[str]:
        """What is typed to begin a run; what is given later wins."""
        return ["send", "rows.csv", "--map", "map.toml", "--url", self.url, "--yes", "--json", *options]

    def send(self, *options: str) -> subprocess.Popen[bytes]:
        """Begin a run in a process of its own."""
        return self.spawn(*self.sending(*options))

    def resume(self, *options: str) -> subprocess.Popen[bytes]:
        """Go on with the run in a process of its own."""
        return self.spawn("resume", "last", "--json", *options)

    def type(self, *arguments: str) -> Told:
        """The command line in this process, which saves the time that a start takes."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.chdir(self.folder), redirect_stdout(out), redirect_stderr(err):
            code = run(list(arguments))
        return self._told(code, out.getvalue(), err.getvalue())

    def spawn(self, *arguments: str) -> subprocess.Popen[bytes]:
        """The product as it is typed here; what it says goes to two files."""
        with (self.folder / "out").open("wb") as out, (self.folder / "err").open("wb") as err:
            return subprocess.Popen(
                [*self.product, *arguments],
                cwd=self.folder,
                env=ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )

    def rows_read(self, rows: int = 0, seconds: float = 0.0) -> int:
        """Of how many rows the judge has read a request; waits so long for so many."""
        return int(self.judge.ask("wait", case=self.case, rows=rows, seconds=seconds)["rows"])

    def until(self, process: subprocess.Popen[bytes], rows: int) -> None:
        """Until the judge has read a request of so many rows, or the process is over."""
        while process.poll() is None and self.rows_read(rows, SLICE_SECONDS) < rows:
            pass

    def end(self, process: subprocess.Popen[bytes]) -> Told:
        """Let a process come to its end, and read what it leaves."""
        try:
            code = process.wait(SECONDS_MAX)
        finally:
            kill(process)
        return self._told(
            code,
            (self.folder / "out").read_text(errors="replace"),
            (self.folder / "err").read_text(errors="replace"),
        )

    def _told(self, code: int, out: str, err: str) -> Told:
        try:
            summary = json.loads(out)
            summary["rows"]
        except (ValueError, KeyError) as error:
            raise AssertionError(f"exit {code}, and no summary: {out}{err}") from error
        return Told(code, summary, self._failed(summary))

    def _failed(self, summary: dict[str, Any]) -> dict[int, str]:
        """The failed file, row by row; a row that stands there twice is a fault of the product."""
        found: dict[int, str] = {}
        for name in summary["files"]["failed"]:
            with (self.folder / name).open(newline="") as file:
                for line in csv.DictReader(file):
                    assert int(line["row"]) not in found, f"{name}: row {line['row']} stands there twice"
                    found[int(line["row"])] = line["_replay_outcome"]
        return found

    @property
    def seen(self) -> Seen:
        """What the judge saw of it."""
        return self.judge.seen(self.case)


def kill(process: subprocess.Popen[bytes]) -> bool:
    """SIGKILL, and wait until it is gone; whether it was still alive."""
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGKILL)
    return process.wait() == -signal.SIGKILL
