"""A server of files on loopback, with the moods that servers have."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


@dataclass
class Shelf:
    """Serves `content` at every path.

    `ranges`: gives pieces. `breaks_at`: places in the content at which a connection breaks once.
    `changes_after`: requests after which the content has another version. `says_length`: or closes
    the connection at the end. `takes_head`: or refuses HEAD, as a signed address does. `statuses`: answers
    before the first good one. `redirects`: where paths lead to instead.
    """

    content: bytes
    ranges: bool = True
    breaks_at: list[int] = field(default_factory=list)
    changes_after: int = 10**9
    says_length: bool = True
    takes_head: bool = True
    statuses: list[int] = field(default_factory=list)
    redirects: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[str, str, str | None]] = field(default_factory=list)

    def __enter__(self) -> Self:
        shelf = self

        class Asked(_Asked):
            at = shelf

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Asked)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def pieces(self) -> list[str | None]:
        """The ranges that were asked for."""
        return [range_ for method, _, range_ in self.asked if method == "GET"]


class _Asked(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    at: Shelf

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def _answer(self, *, with_body: bool) -> None:
        shelf = self.at
        shelf.asked.append((self.command, self.path, self.headers.get("Range")))
        if self.path in shelf.redirects:
            self.send_response(302)
            self.send_header("Location", shelf.redirects[self.path])
            self.send_header("Content-Length", "0")
            return self.end_headers()
        if shelf.statuses and (with_body or shelf.takes_head):
            return self._end(shelf.statuses.pop(0))
        if not with_body and not shelf.takes_head:
            return self._end(403)
        span = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range") or "")
        start, stop = (int(span[1]), int(span[2]) + 1) if span and shelf.ranges else (0, len(shelf.content))
        data = shelf.content[start:stop]
        self.send_response(206 if span and shelf.ranges else 200)
        changed = len(shelf.asked) > shelf.changes_after
        self.send_header("ETag", '"two"' if changed else '"one"')
        self.send_header("Last-Modified", "Mon, 01 Jan 2024 00:00:00 GMT")
        if span and shelf.ranges:
            self.send_header("Content-Range", f"bytes {start}-{start + len(data) - 1}/{len(shelf.content)}")
        if shelf.says_length:
            self.send_header("Content-Length", str(len(data)))
        else:
            self.close_connection = True
        self.end_headers()
        if with_body:
            self._send(data, start)
        return None

    def _send(self, data: bytes, start: int) -> None:
        breaks = [place for place in self.at.breaks_at if start <= place < start + len(data)]
        if breaks:
            self.at.breaks_at.remove(breaks[0])
            data = data[: breaks[0] - start]
            self.close_connection = True
        self.wfile.write(data)

    def _end(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        return
