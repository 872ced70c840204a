"""A way to a server that can be cut for good."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import Self


class Wire:
    """Passes what comes at `host` on to the same port of 127.0.0.1, until it is cut."""

    def __init__(self, host: str, port: int) -> None:
        self._port = port
        self._door = socket.create_server((host, port))
        self._ends: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._serve)]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self.cut()
        for thread in self._threads:
            thread.join()
        for end in (*self._ends, self._door):
            end.close()

    @property
    def is_used(self) -> bool:
        return bool(self._ends)

    def cut(self) -> None:
        """Nothing gets through any more, and nobody is let in."""
        for end in (self._door, *self._ends):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                here, _ = self._door.accept()
                there = socket.create_connection(("127.0.0.1", self._port))
                self._ends += [here, there]
                for source, sink in ((here, there), (there, here)):
                    passing = threading.Thread(target=_pass_on, args=(source, sink))
                    self._threads.append(passing)
                    passing.start()


def _pass_on(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    for end in (source, sink):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
