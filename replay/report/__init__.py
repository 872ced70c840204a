"""What a run leaves behind: its folder, its counts, and the rows that failed."""

from replay.report.cells import csv_line
from replay.report.checkstory import Checked, ColumnProfile
from replay.report.course import Course
from replay.report.data import blank_rows, row_digests
from replay.report.extra import load_page
from replay.report.failed import FailedFile, Shape, failed_names, shape_of
from replay.report.folder import (
    DEFAULT_RUNS,
    PART,
    UNREADABLE_FILE,
    PrivateFile,
    RunFolder,
    all_runs,
    find_run,
    in_words,
    new_run_id,
    open_runs,
    salt_of,
    write_whole,
)
from replay.report.notes import (
    COLUMNS,
    ID_COLUMN,
    RESENT,
    RUN_COLUMN,
    Note,
    Notes,
    Selection,
    carried_notes,
    carries_notes,
    first_name,
    flaw_of,
    misnamed_columns,
    parse_id,
    uid_of,
)
from replay.report.parts import EDITED
from replay.report.recorded import has_reached_a_target, keep_recorded, recorded_before
from replay.report.rowlog import RowLog, logged
from replay.report.story import Example, Reason
from replay.report.story import Told as ToldRun
from replay.report.summary import (
    Counts,
    Files,
    Summary,
    ended_summary,
    failed_rows,
    odd_words,
    read_summary,
    shown,
    typed,
    unreadable_rows,
)
from replay.report.text import short
from replay.report.unreadable import UnreadableFile, line_of

__all__ = [
    "COLUMNS",
    "DEFAULT_RUNS",
    "EDITED",
    "ID_COLUMN",
    "PART",
    "RESENT",
    "RUN_COLUMN",
    "UNREADABLE_FILE",
    "Checked",
    "ColumnProfile",
    "Counts",
    "Course",
    "Example",
    "FailedFile",
    "Files",
    "Note",
    "Notes",
    "PrivateFile",
    "Reason",
    "RowLog",
    "RunFolder",
    "Selection",
    "Shape",
    "Summary",
    "ToldRun",
    "UnreadableFile",
    "all_runs",
    "blank_rows",
    "carried_notes",
    "carries_notes",
    "csv_line",
    "ended_summary",
    "failed_names",
    "failed_rows",
    "find_run",
    "first_name",
    "flaw_of",
    "has_reached_a_target",
    "in_words",
    "keep_recorded",
    "line_of",
    "load_page",
    "logged",
    "misnamed_columns",
    "new_run_id",
    "odd_words",
    "open_runs",
    "parse_id",
    "read_summary",
    "recorded_before",
    "row_digests",
    "salt_of",
    "shape_of",
    "short",
    "shown",
    "typed",
    "uid_of",
    "unreadable_rows",
    "write_whole",
]
