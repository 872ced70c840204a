"""What a ledger is kept in: what SQLite and Postgres both do, each in its own way.

Statements are written once, in the SQL that both understand: `?` for a value, `ON CONFLICT`, `RETURNING`,
truth values as TRUE and FALSE.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Self

from replay.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path
    from types import TracebackType


class Store(ABC):
    """One open ledger. All its statements run under one lock, in the thread that asks.

    `name` is what it is called where people read it; windows lie beside `path`. `is_shared`: machines
    share it, so that leases say who lives, and workers may hold shares of a run.
    """

    name: str
    path: Path
    is_shared: ClassVar[bool] = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def identity(self) -> str:
        """The ledger's own name, which its runs keep; empty where format 1 gave it none."""
        return str(self.one("SELECT name FROM form"))

    @abstractmethod
    def close(self) -> None:
        """Close it; nothing is pending here that a commit did not write."""

    @abstractmethod
    def transaction(self, *, alone: bool = True) -> AbstractContextManager[None]:
        """All or nothing, durable when the block ends.

        With `alone` no other writer is at work meanwhile; without, only what this run owns may be written.
        """

    @abstractmethod
    def ask(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """The rows that a query gives."""

    @abstractmethod
    def each(self, statement: str, *values: Any) -> Iterator[tuple[Any, ...]]:
        """The rows that a query gives, one after another: there may be more than memory holds.

        Nothing else is asked of the ledger in between.
        """

    def one(self, statement: str, *values: Any) -> Any:
        """The first column of the first row that a query gives; None if there is none."""
        rows = self.ask(statement, *values)
        return rows[0][0] if rows else None

    def tell(self, statement: str, *values: Any) -> None:
        """Run a statement."""
        self.change(statement, *values)

    @abstractmethod
    def change(self, statement: str, *values: Any) -> int:
        """Run a statement; returns how many rows it changed."""

    @abstractmethod
    def tell_many(self, statement: str, rows: Iterable[tuple[Any, ...]]) -> None:
        """Run a statement for each of the rows."""

    @abstractmethod
    def verify(self) -> None:
        """Look it through: raises StorageError where it does not hold what was written."""

    def settle_down(self) -> None:  # noqa: B027 - nothing, if need be
        """Put in order what a run leaves, where there is anything to put in order."""

    @abstractmethod
    def in_words(self) -> AbstractContextManager[None]:
        """Tell its faults, and those of what lies below it, in words."""

    def damaged(self, what: str) -> StorageError:
        """The error of a ledger that does not hold what was written."""
        return StorageError(
            f"The ledger {self.name} is damaged ({what}). Restore it from a backup, or name another one with "
            "--ledger to begin again. Neither knows all that was sent: the next command compares it with the "
            "runs folder, and refuses to send rows a second time. Nothing is sent without a ledger."
        )

    @abstractmethod
    def is_live(self, run: int, window: Path, boot: str) -> bool:
        """Whether a process is at work on an open run; its leg's window, and the boot that it began under."""

    @property
    def is_due(self) -> bool:
        """Whether what is held should be held anew, though there is nothing else to write."""
        return False

    def hold(self, run: int) -> None:  # noqa: B027
        """Say within a transaction that a run lives, where no lock of the system says so."""

    def refuse_unheld(self) -> None:  # noqa: B027
        """Raise StorageError where others may take the run for dead by now."""
