"""Every bound on what is read, so that no file, broken or hostile, takes more memory than this.

Past a bound a record is one invalid row, or a file is refused, always in words.
"""

from __future__ import annotations

from typing import Final

KIB: Final = 1024
MIB: Final = 1024 * KIB

HEAD_BYTES: Final = MIB  # what format, encoding, delimiter and header are found out from
PIECE_BYTES: Final = 256 * KIB  # one read of a plain file
FEED_BYTES: Final = 4 * KIB  # one read of a compressed file: as much as damage in the middle takes along
BLOCK_BYTES: Final = 2 * MIB  # whole lines that are parsed at once
PART_BYTES: Final = 256 * KIB  # the smaller parts of a block that is not regular as a whole
INFLATED_BYTES: Final = MIB  # the most that one step of decompression gives

LINE_BYTES: Final = 16 * MIB  # one line
RECORD_BYTES: Final = MIB  # one quoted record that runs over lines
RECORD_LINES: Final = 10_000
RAW_BYTES: Final = 64 * KIB  # what is kept of a record that cannot be read
DEPTH: Final = 128  # objects and arrays inside one another, in one JSON record
DIGITS: Final = 4_300  # of one JSON integer

RATIO: Final = 1_000  # decompressed bytes for one on disk…
RATIO_FROM_BYTES: Final = 64 * MIB  # …judged from here on
FETCH_BYTES: Final = 8 * MIB  # one piece of a download
ZIP_MEMBERS: Final = 10_000  # files in one archive
XZ_MEMORY_BYTES: Final = 256 * MIB

TABLE_ROWS: Final = 20_000  # rows of one chunk of a table
RECORD_ROWS: Final = 2_000  # rows of one chunk of records: small ones spare the garbage collector
RECORD_CELLS: Final = 400_000  # values of one chunk of records with known columns: wide rows come in fewer
GATHERED_BYTES: Final = 8 * MIB  # the text of one chunk of records that are gathered one by one
