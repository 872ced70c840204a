"""The fastest stand-in for a destination that Python has: a process that answers 200 to everything."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import time
from array import array
from collections.abc import Callable, Iterator

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
REFUSAL = b'HTTP/1.1 400 Bad Request\r\nContent-Length: 38\r\n\r\n{"message": "this value is not known"}'

moments = array("d")
"""When requests arrived, in seconds of the monotonic clock."""
latency = float(sys.argv[1]) if __name__ == "__main__" and len(sys.argv) > 1 else 0.0
"""Seconds before each answer."""
refused = int(sys.argv[2]) if __name__ == "__main__" and len(sys.argv) > 2 else 0
"""Of each hundred requests, how many are refused, the first ones last."""


class Answering(asyncio.Protocol):
    """Finds whole requests in what comes, notes when, and answers as many."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._rest = b""

    def data_received(self, data: bytes) -> None:
        data = self._rest + data
        while (end := data.find(b"\r\n\r\n")) >= 0:
            head = data[:end].lower()
            length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
            if len(data) < end + 4 + length:
                break
            data = data[end + 4 + length :]
            answer = REFUSAL if len(moments) % 100 >= 100 - refused else ANSWER
            moments.append(time.monotonic())
            if latency:
                asyncio.get_running_loop().call_later(latency, self._transport.write, answer)  # type: ignore[attr-defined]
            else:
                self._transport.write(answer)  # type: ignore[attr-defined]
        self._rest = data


async def serve() -> None:
    server = await asyncio.get_running_loop().create_server(Answering, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    server.close()
    sys.stdout.buffer.write(moments.tobytes())


@contextlib.contextmanager
def running() -> Iterator[str]:
    """A server while the block runs; gives its address."""
    with noting() as (url, _):
        yield url


@contextlib.contextmanager
def noting(wait: float = 0.0, refusals: int = 0) -> Iterator[tuple[str, Callable[[], list[float]]]]:
    """A server while the block runs; gives its address, and what ends it and tells when requests arrived.

    `wait`: seconds before each answer. `refusals`: how many of a hundred requests are refused.
    """
    command = [sys.executable, __file__, str(wait), str(refusals)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())

        def arrived() -> list[float]:
            said, _ = process.communicate()
            return array("d", said).tolist()

        try:
            yield f"http://127.0.0.1:{port}/v1/track", arrived
        finally:
            process.kill()


if __name__ == "__main__":
    import uvloop

    uvloop.run(serve())
