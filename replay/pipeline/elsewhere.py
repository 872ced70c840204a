"""A share of a run on another machine: what a Dask worker is asked to do, and what it is told for that."""

from __future__ import annotations

import asyncio
import os
import socket
from contextlib import ExitStack, aclosing, contextmanager
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from replay import hackle
from replay.cluster import Keeper, Reply, Task, Worker, decode_task, encode_reply
from replay.cluster.keeper import Held
from replay.crew.shares import share_of
from replay.errors import ReplayError, SourceError, UsageError
from replay.ledger import Claim, Content, Resolved, Store, open_ledger, opens, target_of
from replay.pipeline.choosing import Known
from replay.pipeline.feed import ahead, batches
from replay.pipeline.keys import check_key, key_of_file
from replay.pipeline.plan import Plan, SourcePlan, stamp_of
from replay.pipeline.record import kept_sources, run_record
from replay.pipeline.resuming import job_of
from replay.pipeline.tally import Tally
from replay.settings import Postgres
from replay.source import fingerprint_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterator, Sequence

    from replay.ledger import Book
    from replay.ledger.postgres import PostgresStore
    from replay.pipeline.recorder import Recorder
    from replay.records import Event
    from replay.settings import ReadSettings, RunSettings
    from replay.source import Fingerprint, Source

_VERSION: Final = version("hackle-replay")
_looked_at: Final[dict[tuple[Path, ReadSettings, tuple[int, int]], Fingerprint]] = {}
"""What sources held when this process looked at them last, by path and stamp."""


def look(told: bytes) -> bytes:
    """See that this worker can send its share: that it has the sources, the key, and the ledger."""
    return _replied(told, lambda task: _look(task).close())


def work(told: bytes) -> bytes:
    """Claim a share and send it; where somebody else has claimed it, do nothing."""
    return _replied(told, _work)


def keeper_of(  # noqa: PLR0913 - what a run consists of
    plan: Plan,
    settings: RunSettings,
    name: str,
    *,
    store: Store,
    book: Book,
    recorder: Recorder,
    on_disk: Callable[..., Any],
) -> Keeper:
    """Who sends a run by a cluster; `on_disk` runs calls of store and book in the one thread that may."""
    assert settings.cluster is not None
    assert isinstance(settings.ledger, Postgres)
    task = Task(
        version=_VERSION,
        ledger=_without_password(settings.ledger.url),
        ledger_name=str(settings.ledger),
        lease_seconds=store.lease_seconds,  # type: ignore[attr-defined]
        run=book.run,
        target=target_of(store, book.run),
        again=book.again,
        copies=book.copies,
        record=run_record(plan, settings, name, ""),
        send=settings.send,
        sink=replace(settings.sink, api_key=""),
        shares=1,
        key_file=None if settings.key_file is None else str(settings.key_file.resolve()),
    )
    held = Held(store, book, recorder, on_disk, look, work)
    return Keeper(settings.cluster, settings.send, task, held)


def _without_password(url: str) -> str:
    """An address for libpq that holds no secret: workers have theirs in their environment or ~/.pgpass."""
    from psycopg.conninfo import conninfo_to_dict, make_conninfo  # noqa: PLC0415 - of an extra

    parts = conninfo_to_dict(url)
    return make_conninfo(**{name: str(said) for name, said in parts.items() if "password" not in name})


def _replied(told: bytes, do: Callable[[Task], None]) -> bytes:
    """Do a task; what keeps this worker from it is the reply."""
    try:
        do(decode_task(told))
    except ReplayError as error:
        return encode_reply(Reply(error.kind, str(error)))
    return encode_reply(Reply())


def _look(task: Task) -> PostgresStore:
    """The ledger, opened, once all that this worker needs is found to be there."""
    if task.version != _VERSION:
        raise UsageError(
            f"{_here()} has hackle-replay {_VERSION}, and the run was begun by {task.version}. "
            "Install the same everywhere."
        )
    for source, read, stored in kept_sources(task.record):
        _see(source, read, stored["digest"])
    store = _opened(task)
    try:
        if not opens(store, task.target, _key(task)):
            raise UsageError(
                f"The API key of {_here()} is another one than the run was begun with. Set the same "
                f"{hackle.KEY_VARIABLE} for every worker."
            )
    except BaseException:
        store.close()
        raise
    return store


def _see(source: Source, read: ReadSettings, digest: str) -> Fingerprint:
    """What a source holds here. Raises SourceError where that is not what was planned."""
    assert source.path is not None
    try:
        stamp = stamp_of(source)
        if (source.path, read, stamp) not in _looked_at:
            _looked_at[source.path, read, stamp] = fingerprint_of(source, read)
    except SourceError as error:
        raise SourceError(
            f"{_here()} has no {source.path}: {error} Every worker reads the sources itself: put them at the "
            "same path everywhere, or on a disk that all share."
        ) from error
    found = _looked_at[source.path, read, stamp]
    if found.digest != digest:
        raise SourceError(
            f"{source.path} is another file on {_here()} than where the run was begun. "
            "Put the same everywhere."
        )
    return found


def _opened(task: Task) -> PostgresStore:
    store: Any = open_ledger(Postgres(task.ledger, task.ledger_name))
    store.lease_seconds = task.lease_seconds
    opened: PostgresStore = store
    return opened


def _key(task: Task) -> str:
    if task.key_file is not None:
        return key_of_file(Path(task.key_file))
    if hackle.KEY_VARIABLE not in os.environ:
        raise UsageError(
            f"{_here()} has no API key. Set {hackle.KEY_VARIABLE} where the worker is started, or name a "
            "file that is there on every worker with --api-key-file."
        )
    return check_key(os.environ[hackle.KEY_VARIABLE])


def _here() -> str:
    return f"The machine {socket.gethostname()}"


def _work(task: Task) -> None:
    with ExitStack() as stack:
        reading = stack.enter_context(_look(task))
        own = stack.enter_context(_opened(task))
        pace = stack.enter_context(_opened(task))
        claim = Claim(own, task.run, task.share)
        if not claim.claim(task.epoch, f"{socket.gethostname()} {os.getpid()}"):
            return
        sink = replace(task.sink, api_key=_key(task), concurrency=task.send.share(task.share).concurrency)
        worker = Worker(task, claim, pace, _closing())
        with _runner() as runner:
            runner.run(worker.run(_events(task, reading), sink))


async def _events(task: Task, store: Store) -> AsyncGenerator[Sequence[Event], None]:
    """The rows of the share, in the order of the sources."""
    known = Known(store, task.target, task.run, again=task.again)
    async with aclosing(ahead(batches(_plan(task, known), known, task.copies))) as feed:
        async for batch in feed:
            if mine := [event for event in batch.events if _is_mine(task, event)]:
                for event in mine:
                    event.chunk = None  # whoever keeps the run has the record; here it only takes room
                yield mine


def _is_mine(task: Task, event: Event) -> bool:
    """Whether a row is of this share: by its user, and always the same, whoever asks."""
    share = share_of(event.lanes, task.shares) if task.send.order == "user" else None
    return (event.row % task.shares if share is None else share) == task.share


def _plan(task: Task, known: Known) -> Plan:
    """The run's plan, as far as reading needs it."""
    job = job_of(task.record)
    return Plan(
        job,
        Tally(job.severities(), job.mask),
        known,
        sources=[_source_plan(*kept) for kept in kept_sources(task.record)],
    )


def _source_plan(source: Source, read: ReadSettings, stored: dict[str, Any]) -> SourcePlan:
    found = _see(source, read, stored["digest"])
    return SourcePlan(
        source=source,
        read=read,
        format=stored["format"],
        encoding=stored["encoding"],
        compression=stored.get("compression"),
        delimiter=stored.get("delimiter"),
        header=(),
        rows=stored["rows"],
        fingerprint=found,
        stamp=stamp_of(source),
        content=Content(found.length, found.digest, ""),
        resolved=Resolved(None, stored["uid"]),
        opening="",
    )


def _closing() -> Callable[[], bool]:
    """What tells whether the Dask worker around us is to end."""
    from distributed import get_worker  # noqa: PLC0415 - of an extra

    try:
        worker = get_worker()
    except ValueError:  # there is none around us
        return lambda: False
    return lambda: worker.status.name not in ("running", "paused")


@contextmanager
def _runner() -> Iterator[asyncio.Runner]:
    """The fastest event loop there is."""
    try:
        import uvloop  # noqa: PLC0415 - where it runs
    except ImportError:
        factory = None
    else:
        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        yield runner
