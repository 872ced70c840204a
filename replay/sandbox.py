"""The documented API on loopback: where a run is rehearsed before it counts.

Owns what the sandbox answers, and why. How it judges a body is its own reading of the API's page,
written apart from the rules that `check` applies, so that each can find the other's mistakes: it is
strict on what the page says, and lets pass what the destination would drop without a word.
"""

from __future__ import annotations

import asyncio
import errno
import hmac
import logging
import math
import os
import random
import re
import time
from collections import Counter
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, Self

import msgspec
from aiohttp import web

from replay import hackle
from replay.errors import StorageError, UsageError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path
    from types import TracebackType

HOST: Final = "127.0.0.1"  # never another: the sandbox speaks plain http and its key is no secret
FLUSH_SECONDS: Final = 1.0
BACKLOG: Final = 1024  # a run may open its whole concurrency at once

# aiohttp answers what is no HTTP by itself, and logs it: here, where nothing prints unless asked to.
LOGGER: Final = logging.getLogger(__name__)
LOGGER.addHandler(logging.NullHandler())


# What is set


@dataclass(frozen=True, slots=True)
class Fail:
    """A share of all requests, from 0 to 1, that is answered with an error status instead."""

    status: int
    share: float

    @classmethod
    def parse(cls, text: str) -> Fail:
        """Read `503=5%`."""
        match = re.fullmatch(r"([0-9]{3})=([0-9]+(?:\.[0-9]+)?)%", text.strip())
        if match is None:
            raise UsageError(f"--fail {text}: write a status and a share of the requests, such as 503=5%.")
        return cls(int(match[1]), float(match[2]) / 100)

    def __post_init__(self) -> None:
        if not 400 <= self.status <= 599:
            raise UsageError(f"--fail {self.status}: an error status is from 400 to 599.")
        if not 0 <= self.share <= 1:
            raise UsageError(f"--fail {self.status}={self.share * 100:g}%: a share is from 0% to 100%.")


@dataclass(frozen=True, kw_only=True, slots=True)
class SandboxSettings:
    """What the sandbox listens on, how slow it is, and how often it fails.

    `port` 0 takes any free one; `latency` in seconds; `rate_limit` in requests a second; `accepted`
    is a JSONL file that accepted events are appended to; `seed` makes the failures repeatable.
    """

    port: int = 8790
    key: str = field(default="sandbox", repr=False)
    latency: float = 0.0
    fail: tuple[Fail, ...] = ()
    rate_limit: float | None = None
    accepted: Path | None = None
    seed: int | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65_535:
            raise UsageError(f"--port {self.port}: from 1 to 65535, or 0 for any free one.")
        if not self.key or not self.key.isprintable() or self.key != self.key.strip():
            raise UsageError("--key: a key is text without spaces at its ends, as it stands in a header.")
        if not 0 <= self.latency <= 3600:
            raise UsageError(f"--latency {self.latency:g}: seconds, from 0 to 3600.")
        if sum(fail.share for fail in self.fail) > 1 + 1e-9:
            raise UsageError("--fail: the shares add up to more than 100%. Lower one of them.")
        if self.rate_limit is not None and not 0 < self.rate_limit < math.inf:
            raise UsageError(f"--rate-limit {self.rate_limit:g}: more than 0 requests a second, or none.")


# What the page says of a request


def invalid(body: bytes) -> str | None:
    """Say what the API's page calls invalid in a request's body; None if it is valid."""
    try:
        request = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return f"the body cannot be read as JSON: {error}"
    if not isinstance(request, dict):
        return "the body must be a JSON object"
    for name in ("event", "user"):
        if not isinstance(request.get(name), dict):
            return f"{name} must be an object"
    return _invalid_event(request["event"]) or _invalid_user(request["user"])


def _invalid_event(event: dict[str, Any]) -> str | None:
    key = event.get("key")
    if not isinstance(key, str) or not key:
        return "event.key must be a string that is not empty"
    value = event.get("value", 0)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "event.value must be a number"
    if not isinstance(event.get("properties", {}), dict):
        return "event.properties must be an object"
    return None


def _invalid_user(user: dict[str, Any]) -> str | None:
    for name in ("identifiers", "properties"):
        if not isinstance(user.get(name, {}), dict):
            return f"user.{name} must be an object"
    identifiers = {f"user.{name}": user[name] for name in ("userId", "deviceId", "id") if name in user}
    custom = user.get("identifiers", {})
    identifiers |= {f"user.identifiers.{name}": value for name, value in custom.items()}
    for name, value in identifiers.items():
        if not isinstance(value, str):
            return f"{name} must be a string"
    if not any(value.strip() for value in identifiers.values()):
        return "user must have an identifier that is not blank"
    return None


# What is answered


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    message: str = ""
    retry_after_seconds: int | None = None

    def response(self) -> web.Response:
        if self.status == HTTPStatus.OK:
            return web.Response()
        headers = {} if self.retry_after_seconds is None else {"Retry-After": str(self.retry_after_seconds)}
        body = msgspec.json.encode({"code": _code(self.status), "message": self.message})
        return web.Response(status=self.status, body=body, headers=headers, content_type=hackle.CONTENT_TYPE)


def _code(status: int) -> str:
    try:
        return HTTPStatus(status).name
    except ValueError:  # a status that somebody uses and no standard names, such as 520
        return f"STATUS_{status}"


class RateLimit:
    """A bucket of tokens that holds one second's worth (at least one), full at the start."""

    def __init__(self, per_second: float, clock: Callable[[], float]) -> None:
        self._per_second = per_second
        self._clock = clock
        self._capacity = max(1.0, per_second)
        self._tokens = self._capacity
        self._seen = clock()

    def wait_seconds(self) -> float:
        """Take a token: 0 if there was one, else the seconds until there is."""
        now = self._clock()
        self._tokens = min(self._capacity, self._tokens + (now - self._seen) * self._per_second)
        self._seen = now
        if self._tokens >= 1 - 1e-6:  # adding up fractions may fall short by a hair
            self._tokens -= 1
            return 0.0
        return (1 - self._tokens) / self._per_second


class _AcceptedFile:
    """The accepted events, a body a line, as they were received.

    Once writing has failed, whatever follows fails too: nobody should trust a file with a hole in it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._failure: OSError | None = None
        try:
            # Bodies are personal data: for their owner alone, like all that a run writes.
            self._file = os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab")
        except OSError as error:
            raise UsageError(
                f"--accepted {path}: cannot be written ({error.strerror}). "
                "Name a file in a folder that exists and is yours."
            ) from error

    def write(self, body: bytes) -> None:
        if b"\n" in body or b"\r" in body:  # in valid JSON these stand between tokens only
            body = msgspec.json.format(body, indent=-1)
        with self._in_words():
            self._file.write(body + b"\n")

    def flush(self) -> None:
        with self._in_words():
            self._file.flush()

    def close(self) -> None:
        with self._in_words():
            self._file.close()

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self._failure = self._failure or error
        if self._failure is not None:
            raise StorageError(
                f"--accepted {self._path}: writing failed ({self._failure.strerror}), "
                "so its last lines are missing. Make room, then start the sandbox again."
            ) from self._failure


class Sandbox:
    """The documented API on a loopback port, from `async with` to its end.

    `counts` holds the number of answers by status. `sleep` (seconds) and `clock` (seconds, monotonic)
    are arguments, so that nothing needs to wait in a test.
    """

    def __init__(
        self,
        settings: SandboxSettings,
        *,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._sleep = sleep
        self._key = settings.key.encode()
        self._random = random.Random(settings.seed)  # noqa: S311 - it plays faults, it keeps no secret
        limit = settings.rate_limit
        self._rate_limit = None if limit is None else RateLimit(limit, clock)
        self._accepted: _AcceptedFile | None = None
        self._flushing: asyncio.Task[None] | None = None
        self._port = settings.port
        self.counts: Counter[int] = Counter()

    @property
    def url(self) -> str:
        """The address that takes events."""
        return f"http://{HOST}:{self._port}{hackle.PATH}"

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            if self._settings.accepted is not None:
                self._accepted = _AcceptedFile(self._settings.accepted)
                stack.callback(self._accepted.close)
                self._flushing = asyncio.create_task(self._flush(self._accepted))
                stack.push_async_callback(_cancel, self._flushing)
            await self._listen(stack)
            self._running = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._running.__aexit__(kind, error, trace)

    async def serve_until(self, stop: asyncio.Event) -> None:
        """Serve until `stop` is set, or the accepted file fails (leaving the sandbox then says so)."""
        stopping = asyncio.create_task(stop.wait())
        ends: set[asyncio.Task[Any]] = {stopping}
        if self._flushing is not None:
            ends.add(self._flushing)
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await _cancel(stopping)

    async def _listen(self, stack: AsyncExitStack) -> None:
        server = web.Server(self._respond, access_log=None, logger=LOGGER)
        runner = web.ServerRunner(server, shutdown_timeout=self._settings.latency + 1)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        try:
            await web.TCPSite(runner, HOST, self._settings.port, backlog=BACKLOG).start()
        except OSError as error:
            raise _not_listening(self._settings.port, error) from error
        self._port = runner.addresses[0][1]

    async def _flush(self, accepted: _AcceptedFile) -> None:
        while True:
            await self._sleep(FLUSH_SECONDS)
            accepted.flush()

    async def _respond(self, request: web.BaseRequest) -> web.Response:
        answer = self._refusal(request) or await self._judged(request)
        if self._settings.latency:
            await self._sleep(self._settings.latency)
        self.counts[answer.status] += 1
        return answer.response()

    def _refusal(self, request: web.BaseRequest) -> _Answer | None:
        """Refuse a request whatever its body says; None if the body is to be judged."""
        if request.path != hackle.PATH:
            return _Answer(404, f"nothing is here; events go to {hackle.PATH}")
        if request.method != "POST":
            return _Answer(405, f"{request.method} is not understood here; send a POST")
        key = request.headers.get(hackle.KEY_HEADER, "").encode(errors="surrogateescape")
        if not hmac.compare_digest(key, self._key):
            return _Answer(
                401, f"the header {hackle.KEY_HEADER} is missing, or its key is not this sandbox's"
            )
        return self._limited() or self._failed()

    def _limited(self) -> _Answer | None:
        wait = 0.0 if self._rate_limit is None else self._rate_limit.wait_seconds()
        if not wait:
            return None
        return _Answer(429, f"more than {self._settings.rate_limit:g} requests a second", math.ceil(wait))

    def _failed(self) -> _Answer | None:
        if not self._settings.fail:
            return None
        drawn = self._random.random()
        for fail in self._settings.fail:
            drawn -= fail.share
            if drawn < 0:
                return _Answer(fail.status, "this failure was asked for with --fail")
        return None

    async def _judged(self, request: web.BaseRequest) -> _Answer:
        if request.content_type != hackle.CONTENT_TYPE:
            return _Answer(400, f"Content-Type must be {hackle.CONTENT_TYPE}")
        if "Content-Encoding" in request.headers:
            return _Answer(400, "Content-Encoding is not documented; send the body as it is")
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            return _Answer(413, f"a body has at most {request.client_max_size} bytes")
        reason = invalid(body)
        return self._take(body) if reason is None else _Answer(400, reason)

    def _take(self, body: bytes) -> _Answer:
        if self._accepted is not None:
            try:
                self._accepted.write(body)
            except StorageError as error:
                return _Answer(500, str(error))
        return _Answer(200)


async def _cancel(task: asyncio.Task[Any]) -> None:
    """End a task; what it raised before is raised here."""
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        if not task.cancelled():  # it is we who are cancelled
            raise


def _not_listening(port: int, error: OSError) -> UsageError:
    if error.errno == errno.EADDRINUSE:
        return UsageError(
            f"--port {port}: another program listens there. End it, take another port, or 0 for any free one."
        )
    return UsageError(f"--port {port}: cannot be listened on ({error.strerror}). Take one from 1024 up.")
