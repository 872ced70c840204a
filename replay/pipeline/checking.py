"""`check`: the first pass alone, and every problem of every row where that is asked for."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from replay.errors import StorageError, UsageError
from replay.pipeline.choosing import WHERE
from replay.pipeline.planning import make_plan
from replay.pipeline.tally import problem_of_unreadable, problems_of
from replay.report import csv_line

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from replay.pipeline.plan import Plan
    from replay.pipeline.planning import Watch
    from replay.pipeline.stages import Job, Judged
    from replay.pipeline.tally import Problem, RuleTally

COLUMNS: Final = ("source", "row", "line", "rule", "severity", "field", "value", "message")


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What a check found. `rows`: read, valid, invalid, warned (valid rows with a warning).

    `estimates` names the counts that are not exact; `reasons` are those of skipped rows, as in a summary.
    """

    rows: dict[str, int]
    problems: list[RuleTally]
    event_keys: dict[str, int]
    users: int
    columns: list[str]
    estimates: list[str]
    reasons: list[dict[str, Any]] = field(default_factory=list)

    @property
    def skipped(self) -> int:
        """Rows that the mapping's `[where]` leaves out."""
        return sum(reason["rows"] for reason in self.reasons)

    @property
    def exit_code(self) -> int:
        """0 no errors, 3 some rows invalid."""
        return 3 if self.rows["invalid"] else 0

    def as_dict(self) -> dict[str, Any]:
        """The result as `check --json` prints it."""
        return {
            "rows": self.rows,
            "problems": [tally.as_dict() for tally in self.problems],
            "event_keys": self.event_keys,
            "users": self.users,
            "columns": self.columns,
            "estimates": self.estimates,
            "reasons": self.reasons,
        }


def check_job(
    job: Job, problems: Path | None = None, *, force: bool = False, watch: Watch | None = None
) -> CheckResult:
    """Judge every row of every source; write each problem into `problems` if it is given."""
    with ExitStack() as stack:
        listen = None
        if problems is not None:
            listen = stack.enter_context(ProblemsFile(problems, job, force=force)).add
        return result_of(make_plan(job, watch=watch, listen=listen))


def result_of(plan: Plan) -> CheckResult:
    """What a plan says of the rows."""
    valid = plan.valid + plan.skipped["same-content"]
    keys = sorted(plan.tally.event_keys.items(), key=lambda item: -item[1])
    return CheckResult(
        rows={"read": plan.read, "valid": valid, "invalid": plan.invalid, "warned": plan.tally.warned},
        problems=plan.tally.problems(),
        event_keys=dict(keys),
        users=plan.tally.users,
        columns=list(plan.columns),
        estimates=plan.tally.estimates,
        reasons=[reason for reason in plan.counts.reasons_listed() if reason["reason"] == WHERE],
    )


class ProblemsFile:
    """A CSV of every problem of every row, in the order of the rows."""

    def __init__(self, path: Path, job: Job, *, force: bool) -> None:
        self._path = path
        self._severities = job.severities()
        self._mode = "wb" if force else "xb"
        if path.resolve() in [source.path.resolve() for source in job.sources if source.path]:
            raise UsageError(f"--problems {path}: this is a source. Name another file.")

    def __enter__(self) -> ProblemsFile:
        try:
            self._file = self._path.open(self._mode)
            self._file.write(csv_line(COLUMNS))
        except FileExistsError as error:
            raise UsageError(
                f"--problems {self._path}: the file exists. Name another one, or add --force."
            ) from error
        except OSError as error:
            raise self._in_words(error) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._file.close()
        except OSError as fault:
            raise self._in_words(fault) from fault

    def add(self, source: str, judged: Judged) -> None:
        """Write the problems of one chunk."""
        problems = [problem_of_unreadable(source, record) for record in judged.chunk.unreadable]
        for finding in judged.findings:
            problems.extend(problems_of(source, judged.chunk, finding, self._severities[finding.rule]))
        problems.sort(key=lambda problem: problem.row)
        try:
            self._file.writelines(csv_line(_cells(problem)) for problem in problems)
        except OSError as error:
            raise self._in_words(error) from error

    def _in_words(self, error: OSError) -> StorageError:
        return StorageError(
            f"--problems {self._path} cannot be written: {error.strerror or error}. Name another file."
        )


def _cells(problem: Problem) -> list[str]:
    return [str(getattr(problem, name)) for name in COLUMNS]
