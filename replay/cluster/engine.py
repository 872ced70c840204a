"""Dask, as far as it is used: which workers there are, and tasks that are put to them."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from replay.cluster.messages import Reply, decode_reply, encode_task
from replay.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from replay.cluster.messages import Task

CONNECT_SECONDS: Final = 10.0

_TALKATIVE: Final = ("distributed", "distributed.client", "distributed.gc", "tornado.application")
"""Loggers that write to standard error; what matters of it is said in our words."""

Work = Callable[[bytes], bytes]
"""What a worker is asked to do: a module's function, which every worker has installed."""


class EngineError(Exception):
    """The scheduler cannot be reached, or could not do what it was asked; a keeper makes a stop of it."""


class Engine:
    """A connection to a scheduler. Its calls block and belong into a thread."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._client: Any = None
        distributed = require_engine()
        with self._in_words():
            self._client = distributed.Client(address, timeout=CONNECT_SECONDS, set_as_default=False)

    def workers(self) -> list[str]:
        """The addresses of the workers that there are now, as far as the scheduler can be asked."""
        with self._in_words():
            return sorted(self._client.nthreads())

    def ask(self, work: Work, task: Task, workers: Sequence[str]) -> list[Reply]:
        """Let each of these workers do the same; returns what they say, in their order."""
        with self._in_words():
            asked = [self._client.submit(work, encode_task(task), **_pinned(worker)) for worker in workers]
            said = self._client.gather(asked, errors="raise")
            return [decode_reply(told) for told in said]

    def put(self, work: Work, task: Task, worker: str | None) -> Any:
        """Let a worker do this; if that one is gone, any other. Returns what `reply_of` understands."""
        with self._in_words():
            return self._client.submit(work, encode_task(task), **_pinned(worker, is_strict=False))

    def reply_of(self, put: Any) -> Reply | None:
        """How a task ended; None while it has not."""
        if put.status == "pending":
            return None
        if put.status in ("lost", "cancelled"):
            return Reply()
        with self._in_words():
            if put.status == "finished":
                return decode_reply(put.result(timeout=CONNECT_SECONDS))
            error = put.exception(timeout=CONNECT_SECONDS)
        return Reply("error", f"a Dask worker could not do its task: {type(error).__name__}: {error}")

    def close(self) -> None:
        """Hang up; tasks that nobody has begun are forgotten."""
        self._client.close(timeout=CONNECT_SECONDS)

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        """Whatever an engine raises, for its faults have no common root."""
        try:
            if self._client is not None and self._client.status != "running":
                raise EngineError("the scheduler is lost")
            yield
        except EngineError as error:
            raise EngineError(f"--cluster {self._address}: {error}") from error
        except Exception as error:
            said = " ".join(str(error).split()) or type(error).__name__
            raise EngineError(f"--cluster {self._address}: {said[:300]}") from error


def _pinned(worker: str | None, *, is_strict: bool = True) -> dict[str, Any]:
    """How a task is put: once, under a name that tells nothing."""
    place = {} if worker is None else {"workers": [worker], "allow_other_workers": not is_strict}
    return {"key": f"hackle-replay-{secrets.token_hex(8)}", "pure": False, "retries": 0, **place}


def require_engine() -> Any:
    """Dask, if it is installed; raises UsageError in words where it is not."""
    try:
        import distributed  # noqa: PLC0415 - of an extra
    except ImportError as error:
        raise UsageError(
            "--cluster needs more than is installed. Install it, here and on the workers: "
            "pip install 'hackle-replay[cluster]'"
        ) from error
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return distributed
