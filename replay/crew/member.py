"""One sender process, as its run sees it."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Final

from replay import hackle
from replay.crew.messages import STOP_SIGNALS, Pulse, Rows, frame, from_process, read_frame

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from replay.crew.messages import FromProcess, Setup, ToProcess
    from replay.records import Event

ROWS_MAX: Final = 10_000  # rows that a process has and has not told the end of
ROWS_STEP: Final = 500  # rows in one message
ENDING_SECONDS: Final = 5.0  # what a process that has said its last word may take to end


class Member:
    """A process, the rows that it has, and how it said that it stands."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._room = asyncio.Event()
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        self._end: asyncio.Task[str] | None = None
        self.part = setup.part
        self.rows: dict[int, Event] = {}
        self.pulse = Pulse(0, setup.send.rate, None)

    async def start(self) -> None:
        """Start the process and tell it how to send: not by arguments or variables, which others may read.

        Raises OSError where there is no room for one more.
        """
        with ExitStack() as undo:
            undo.callback(self._said.close)
            ours, theirs = socket.socketpair()
            undo.callback(ours.close)
            with theirs:
                self._process = self._spawn(theirs.fileno())
            undo.callback(self._process.wait)
            undo.callback(self._process.kill)
            self._reader, self._writer = await asyncio.open_unix_connection(sock=ours)
            undo.pop_all()
        self.tell(self._setup)

    def _spawn(self, control: int) -> subprocess.Popen[bytes]:
        """Start this very program: it finds its modules where we do, and never in the working folder.

        In a group of its own it does not hear what a terminal says to its run. Signals wait until it ignores
        them: it inherits that they are blocked.
        """
        path = os.pathsep.join(entry for entry in sys.path if entry)
        kept = {name: value for name, value in os.environ.items() if name != hackle.KEY_VARIABLE}
        with _signals_wait():
            return subprocess.Popen(  # noqa: S603
                [sys.executable, "-P", "-m", "replay.crew.worker", str(control)],
                pass_fds=(control, self._setup.window, self._setup.pace, self._setup.counts),
                env={**kept, "PYTHONPATH": path},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._said,
                process_group=0,
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
            with suppress(OSError):  # that it is gone is for whoever listens to it to say
                await self._writer.drain()

    def take(self, serial: int) -> Event:
        """A row that the process has told the end of."""
        return self.rows.pop(serial)

    def take_all(self, serials: Sequence[int]) -> list[Event]:
        """Rows that the process has told the end of."""
        return list(map(self.rows.pop, serials))

    def make_room(self) -> None:
        """Let whoever waits look again."""
        self._room.set()

    def kill(self) -> None:
        """End the process, whatever it is at."""
        self._process.kill()

    async def ended(self) -> str:
        """Hang up, and wait for the process to end; what it said last, or how it ended."""
        if self._end is None:
            self._end = asyncio.create_task(self._ended())
        return await self._end

    async def _ended(self) -> str:
        self._writer.transport.abort()
        try:
            code = await asyncio.to_thread(partial(self._process.wait, ENDING_SECONDS))
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = await asyncio.to_thread(self._process.wait)
        with self._said as said:
            said.seek(0)
            lines = said.read().decode(errors="replace").split("\n")
        last = next((line for line in reversed(lines) if line.strip()), "")
        return last or (f"signal {-code}" if code < 0 else f"exit code {code}")


@contextmanager
def _signals_wait() -> Iterator[None]:
    """Signals that stop a run are delivered after the block."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _rows(events: Sequence[Event], serials: list[int]) -> Rows:
    return Rows(
        events[0].source,
        serials,
        [event.row for event in events],
        [event.body for event in events],
        [event.lanes for event in events],
        [serial for serial, event in zip(serials, events, strict=True) if event.is_doubtful],
    )
