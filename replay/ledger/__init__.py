"""The durable truth about every run: which rows went where, over all runs, whatever happened in between.

Format 2. One SQLite file (WAL, synced at each commit) and, while a run lives, one window file beside it.

A row is its destination (a *target*: an URL and the environment behind its keys), its source's
*content* (with the part of it that was read, such as one array of records) and its number there. A *copy*
is a content at a target; a run begun with `--again` does not look at what others did to it.

    form      a name for this ledger, by which its runs know it again
    targets   an URL, an environment          keys      salted hashes of the keys that open it
    contents  what a source holds             versions  the lengths and digests it was seen with
    heads     the first rows of a content     readings  on which lines a run found the rows of a copy
    copies    a content at a target           runs      when, what, its live leg, and whether it ended
    spans     delivered stretches of a copy: first to last row, never touching or overlapping
    words     copy, row, run → how a row ended that was not delivered, and in which leg; `doubted`: whether it
              was ever ambiguous in this run, so that the rows ever recorded as delivered or ambiguous are
              those in spans and the doubted words, whatever was settled or sent again since
    batches   rows announced by a live run, and the page of the window that holds their state
    samples   how a run went over time, of a bounded size, for its report alone

`format` of a content and of a run's copy: in which format it was recorded. What format 1 recorded has no
part (records path, sheet), and its mapping digests are made in another way. A ledger of format 1 is brought
to this format when something opens it that may write (`upgrading`).

A *leg* is a run from its beginning, or a resume, to its end; legs are numbered over all runs. Each has
its own window: a memory-mapped file, one byte a row in flight, written out in advance. It outlives a
killed process, not a killed machine, so its bytes are trusted only under the boot id that wrote them.

Invariants:
 1. A request leaves only after its row stands in a committed batch (`announce`).
 2. Its byte says STARTED before its first byte leaves, and how it ended before anything else does.
 3. A batch goes in the transaction that writes how the last of its rows ended, never before.
 4. So after a kill a row without an outcome is pending if its byte says ANNOUNCED, and ambiguous
    if it says STARTED; after a power loss every announced row without an outcome is ambiguous.
 5. A leg holds a lock on its window while it lives; a run that is open and whose lock is free is dead.
    In the transaction that begins a leg every dead run is ended, and no live one shares a copy with it.
 6. A row of a run stands in a span or in one word, never in both; delivered is for good.
 7. An error of the database or the disk ends the run (StorageError); nothing goes on without it.
 8. A leg writes only while the ledger holds it open; one that was taken for dead stops (BusyError).
 9. What decides whether a row is sent stands twice (in a table and an index) or under a seal, so that
    `integrity_check` finds a bit that changed; and a window knows how many commits were durable, so
    that a journal cut short is found. A leg begins only on a ledger that was looked through so.

The same tables may lie in a Postgres that machines share (`postgres`). There leases say who lives, and the
machine that a run is kept on still has its window: elsewhere what it announced is ambiguous. The rows of
one run may then be sent by many, each holding a share of it (`shares`, with invariants of its own).

It holds no payloads and no API keys. The names of event keys stand in the samples, with their counts.
"""

from replay.ledger.asking import (
    busy,
    content_of_uid,
    copy_of,
    has_any_arrived,
    has_arrived,
    has_words,
    is_live_run,
    last_mapping,
    mappings_delivered,
    open_runs,
    rows_delivered,
    rows_failed,
    rows_left,
    rows_recorded,
    run_id,
    runs_in_order,
    runs_known,
    runs_that_failed,
    target_of,
    was_reached,
    words,
)
from replay.ledger.base import Store
from replay.ledger.book import Book
from replay.ledger.contents import (
    Content,
    FirstRows,
    Resolved,
    beginnings,
    cut_lengths,
    has_arrived_at,
    knows_old_contents,
    lacks_part,
    lengths,
    resolve,
)
from replay.ledger.ends import NO_SLOT
from replay.ledger.heads import KEPT_ROWS, SHARED_ROWS, entries_of, entry
from replay.ledger.history import History, Past
from replay.ledger.marks import Marks
from replay.ledger.opening import Opening, Totals, begin, recover_dead, reopen, totals
from replay.ledger.places import open_ledger
from replay.ledger.readings import Reading, readings_of
from replay.ledger.samples import samples_of, write_samples
from replay.ledger.settling import settle
from replay.ledger.shares import (
    Claim,
    End,
    Share,
    Standing,
    deal,
    drop_news,
    news,
    standings,
    take_back,
)
from replay.ledger.store import FILE_NAME
from replay.ledger.targets import Destination, environment_of, find_target, opens

__all__ = [
    "FILE_NAME",
    "KEPT_ROWS",
    "NO_SLOT",
    "SHARED_ROWS",
    "Book",
    "Claim",
    "Content",
    "Destination",
    "End",
    "FirstRows",
    "History",
    "Marks",
    "Opening",
    "Past",
    "Reading",
    "Resolved",
    "Share",
    "Standing",
    "Store",
    "Totals",
    "begin",
    "beginnings",
    "busy",
    "content_of_uid",
    "copy_of",
    "cut_lengths",
    "deal",
    "drop_news",
    "entries_of",
    "entry",
    "environment_of",
    "find_target",
    "has_any_arrived",
    "has_arrived",
    "has_arrived_at",
    "has_words",
    "is_live_run",
    "knows_old_contents",
    "lacks_part",
    "last_mapping",
    "lengths",
    "mappings_delivered",
    "news",
    "open_ledger",
    "open_runs",
    "opens",
    "readings_of",
    "recover_dead",
    "reopen",
    "resolve",
    "rows_delivered",
    "rows_failed",
    "rows_left",
    "rows_recorded",
    "run_id",
    "runs_in_order",
    "runs_known",
    "runs_that_failed",
    "samples_of",
    "settle",
    "standings",
    "take_back",
    "target_of",
    "totals",
    "was_reached",
    "words",
    "write_samples",
]
