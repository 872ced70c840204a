"""`check`: the first pass alone, and every problem of every row where that is asked for."""

from __future__ import annotations

import codecs
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from replay.errors import StorageError, UsageError
from replay.pipeline.choosing import WHERE
from replay.pipeline.planning import make_plan
from replay.pipeline.profiles import Profiles
from replay.pipeline.tally import problem_of_unreadable, problems_of
from replay.report import Checked, as_text, clean, csv_line, load_page, private
from replay.rules import RULES

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from replay.pipeline.plan import Plan
    from replay.pipeline.planning import Listen, Watch
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


@dataclass(frozen=True, slots=True)
class CheckFiles:
    """What a check writes: every problem of every row, a report for people; with `force` over what exists."""

    problems: Path | None = None
    report: Path | None = None
    force: bool = False


def check_job(job: Job, files: CheckFiles | None = None, *, watch: Watch | None = None) -> CheckResult:
    """Judge every row of every source; write the files that are asked for."""
    files = files or CheckFiles()
    with ExitStack() as stack:
        listeners: list[Listen] = []
        report = None
        if files.report is not None:
            report = CheckReport(files.report, job, force=files.force)
            listeners.append(report.add)
        if files.problems is not None:
            file = stack.enter_context(ProblemsFile(files.problems, job, force=files.force))
            listeners.append(file.add)

        def listen(source: str, judged: Judged) -> None:
            for listener in listeners:
                listener(source, judged)

        result = result_of(make_plan(job, watch=watch, listen=listen if listeners else None))
        if report is not None:
            report.write(result.as_dict())
        return result


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


def refuse_source(option: str, path: Path, job: Job) -> None:
    """Raise UsageError where a file that is to be written is one that is to be read."""
    if path.resolve() in [source.path.resolve() for source in job.sources if source.path]:
        raise UsageError(f"{option} {path}: this is a source. Name another file.")


class CheckReport:
    """The HTML report of a check: columns are looked at while they pass; it is written at the end."""

    def __init__(self, path: Path, job: Job, *, force: bool) -> None:
        self._page = load_page()
        self._path = path
        self._job = job
        self._force = force
        self._profiles = Profiles(job.mask)
        self.add = self._profiles.add
        refuse_source("--report", path, job)
        if path.exists() and not force:
            raise UsageError(f"--report {path}: the file exists. Name another one, or add --force.")

    def write(self, result: dict[str, Any]) -> None:
        """Write the report of what was found, whole or not at all."""
        rules = {rule.id: (rule.limit, rule.advice) for rule in RULES.values()}
        checked = Checked(
            result=result,
            rules=rules,
            sources=[source.name for source in self._job.sources],
            profiles=self._profiles.profiles(),
            columns_beyond=self._profiles.beyond,
            time_range=self._profiles.time_range(),
            masked=self._job.mask.fields,
        )
        page = self._page.check_page(checked)
        try:
            with open(self._path, "wb" if self._force else "xb", opener=private) as file:
                file.write(page)
        except OSError as error:
            raise StorageError(
                f"--report {self._path} cannot be written: {error.strerror or error}. Name another file."
            ) from error


class ProblemsFile:
    """A CSV of every problem of every row, in the order of the rows, for people: no cell is a formula."""

    def __init__(self, path: Path, job: Job, *, force: bool) -> None:
        self._path = path
        self._severities = job.severities()
        self._mask = job.mask
        self._mode = "wb" if force else "xb"
        refuse_source("--problems", path, job)

    def __enter__(self) -> ProblemsFile:
        try:
            self._file = open(self._path, self._mode, opener=private)
            self._file.write(codecs.BOM_UTF8 + csv_line(COLUMNS))
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
        problems = [problem_of_unreadable(source, record, self._mask) for record in judged.chunk.unreadable]
        for finding in judged.findings:
            severity = self._severities[finding.rule]
            problems.extend(problems_of(source, judged.chunk, finding, severity, self._mask))
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
    cells = {name: str(getattr(problem, name)) for name in COLUMNS}
    cells["source"] = clean(cells["source"])
    return [as_text(cell) for cell in cells.values()]
