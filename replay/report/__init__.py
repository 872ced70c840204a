"""What a run leaves behind: its folder, its counts, and the rows that failed."""

from replay.report.cells import as_text, csv_line
from replay.report.checkstory import Checked, ColumnProfile
from replay.report.course import Course
from replay.report.extra import load_page
from replay.report.failed import FailedFile, failed_names, shape_of
from replay.report.folder import (
    DEFAULT_RUNS,
    PART,
    RunFolder,
    all_runs,
    find_run,
    in_words,
    new_run_id,
    open_runs,
    read_record_or_none,
    salt_of,
    write_whole,
)
from replay.report.notes import (
    RESENT,
    Note,
    Notes,
    Selection,
    carried_notes,
    carries_notes,
    first_name,
    uid_of,
)
from replay.report.story import Example, Reason
from replay.report.story import Told as ToldRun
from replay.report.summary import (
    Counts,
    Files,
    Summary,
    SummaryFile,
    ended_summary,
    read_summary,
    resent_rows,
    shown,
    typed,
    typed_resend,
    typed_runs,
    way_on,
)
from replay.report.text import clean, short
from replay.report.unreadable import UnreadableFile

__all__ = [
    "DEFAULT_RUNS",
    "PART",
    "RESENT",
    "Checked",
    "ColumnProfile",
    "Counts",
    "Course",
    "Example",
    "FailedFile",
    "Files",
    "Note",
    "Notes",
    "Reason",
    "RunFolder",
    "Selection",
    "Summary",
    "SummaryFile",
    "ToldRun",
    "UnreadableFile",
    "all_runs",
    "as_text",
    "carried_notes",
    "carries_notes",
    "clean",
    "csv_line",
    "ended_summary",
    "failed_names",
    "find_run",
    "first_name",
    "in_words",
    "load_page",
    "new_run_id",
    "open_runs",
    "read_record_or_none",
    "read_summary",
    "resent_rows",
    "salt_of",
    "shape_of",
    "short",
    "shown",
    "typed",
    "typed_resend",
    "typed_runs",
    "uid_of",
    "way_on",
    "write_whole",
]
