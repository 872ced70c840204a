"""A server in a thread of its own, on raw sockets: it acts while the client's loop stands still."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Self

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
BAD = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"

Talk = Callable[[socket.socket, "Blunt"], None]


class Blunt:
    """Each connection is handled by the next of `talks`, the last of which repeats.

    `bodies` are the requests' bodies as they were read. A talk that is done has its connection closed.
    """

    def __init__(self, *talks: Talk) -> None:
        self._talks: Sequence[Talk] = talks
        self._threads: list[threading.Thread] = []
        self.bodies: list[bytes] = []
        self.connections = 0
        self.done = threading.Event()
        """Set by a talk that has done what the test waits for."""
        self.goes_on = threading.Event()
        """Set by the test for a talk that waits for it."""

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/v1/track"
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self.goes_on.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(60)
        self._listener.close()

    def _start(self, work: Callable[..., None], *values: object) -> None:
        thread = threading.Thread(target=work, args=values, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                talk = self._talks[min(self.connections, len(self._talks) - 1)]
                self.connections += 1
                self._start(self._converse, talk, connection)

    def _converse(self, talk: Talk, connection: socket.socket) -> None:
        with connection, suppress(ConnectionError, EOFError):
            talk(connection, self)

    def read(self, connection: socket.socket) -> bytes:
        """The next request's body. Raises EOFError where the client says no more."""
        data = b""
        while b"\r\n\r\n" not in data:
            data += _some(connection)
        head, _, body = data.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        while len(body) < length:
            body += _some(connection)
        self.bodies.append(body)
        return body


def _some(connection: socket.socket) -> bytes:
    data = connection.recv(65_536)
    if not data:
        raise EOFError
    return data


def answering(answer: bytes) -> Talk:
    """Answer every request so."""

    def talk(connection: socket.socket, server: Blunt) -> None:
        while True:
            server.read(connection)
            connection.sendall(answer)

    return talk
