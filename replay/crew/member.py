"""One sender process, as its run sees it."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING, Final

from replay.crew.messages import Pulse, Rows, frame, from_process, read_frame

if TYPE_CHECKING:
    from collections.abc import Sequence

    from replay.crew.messages import FromProcess, Setup, ToProcess
    from replay.records import Event

ROWS_MAX: Final = 5_000  # rows that a process has and has not told the end of
ROWS_STEP: Final = 500  # rows in one message


class Member:
    """A process, the rows that it has, and how it said that it stands."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._room = asyncio.Event()
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        self._end: asyncio.Task[str] | None = None
        self.rows: dict[int, Event] = {}
        self.pulse = Pulse(0, setup.send.rate, None)

    async def start(self) -> None:
        """Start the process and tell it how to send; the key never stands in its arguments."""
        ours, theirs = socket.socketpair()
        with theirs:
            files = (theirs.fileno(), self._setup.window, self._setup.pace)
            self._process = await asyncio.to_thread(self._spawn, files)
        self._reader, self._writer = await asyncio.open_unix_connection(sock=ours)
        self.tell(self._setup)

    def _spawn(self, files: tuple[int, int, int]) -> subprocess.Popen[bytes]:
        path = os.pathsep.join(entry for entry in sys.path if entry)
        return subprocess.Popen(  # noqa: S603 - this very program
            [sys.executable, "-m", "replay.crew.worker", str(files[0])],
            pass_fds=files,
            env={**os.environ, "PYTHONPATH": path},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._said,
        )

    def tell(self, message: ToProcess) -> None:
        """Send a message; one to a process that is gone goes nowhere."""
        if not self._writer.is_closing():
            self._writer.write(frame(message))

    async def hear(self) -> FromProcess | None:
        """The next message; None once the process is gone."""
        try:
            message: FromProcess = from_process.decode(await read_frame(self._reader))
        except (asyncio.IncompleteReadError, OSError):
            return None
        return message

    async def give(self, events: Sequence[Event], first: int) -> None:
        """Hand over rows of one source as soon as there is room; the first has this serial."""
        for start in range(0, len(events), ROWS_STEP):
            while len(self.rows) >= ROWS_MAX:
                self._room.clear()
                await self._room.wait()
            some = events[start : start + ROWS_STEP]
            serials = list(range(first + start, first + start + len(some)))
            self.rows.update(zip(serials, some, strict=True))
            self.tell(_rows(some, serials))
            await self._writer.drain()

    def take(self, serial: int) -> Event:
        """A row that the process has told the end of."""
        return self.rows.pop(serial)

    def make_room(self) -> None:
        """Let whoever waits look again."""
        self._room.set()

    async def ended(self) -> str:
        """Wait for the process to end; what it said last, or how it ended."""
        if self._end is None:
            self._end = asyncio.create_task(self._ended())
        return await self._end

    async def _ended(self) -> str:
        code = await asyncio.to_thread(self._process.wait)
        self._writer.close()
        with self._said as said:
            said.seek(0)
            lines = said.read().decode(errors="replace").split("\n")
        last = next((line for line in reversed(lines) if line.strip()), "")
        return last or (f"signal {-code}" if code < 0 else f"exit code {code}")


def _rows(events: Sequence[Event], serials: list[int]) -> Rows:
    return Rows(
        events[0].source,
        serials,
        [event.row for event in events],
        [event.body for event in events],
        [event.lanes for event in events],
        [serial for serial, event in zip(serials, events, strict=True) if event.is_doubtful],
    )
