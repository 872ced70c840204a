"""Files as people have them, each with what must come of it."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from replay.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable

NASTY = Path(__file__).parent / "nasty"
HEADER = "event_key,user_id,device_id,value,qty,ok\n"
CSV = HEADER + "".join(f"purchase,{i:08d},dev-{i},{i}.50,{i % 7},true\n" for i in range(2000))
JSONL = "".join(
    f'{{"event": "구매", "user_id": "{i:05d}", "properties": {{"amount": {i}.5, "big": {2**53 + 1 + i}}}}}\n'
    for i in range(2000)
)
CSV_BYTES = CSV.encode()
JSONL_BYTES = JSONL.encode()
JSONL_GZ = gzip.compress(JSONL_BYTES, mtime=0)
BAD_SUM = JSONL_GZ[:-8] + bytes([JSONL_GZ[-8] ^ 1]) + JSONL_GZ[-7:]


def archive(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as packed:
        for name, data in files.items():
            packed.writestr(name, data)
    return stream.getvalue()


WHOLE = {
    "ok.csv": CSV_BYTES,
    "ok.csv.gz": gzip.compress(CSV_BYTES),
    "ok.csv.bz2": bz2.compress(CSV_BYTES),
    "ok.csv.xz": lzma.compress(CSV_BYTES),
    "gz-named.csv": gzip.compress(CSV_BYTES),
    "plain-named.csv.gz": CSV_BYTES,
    "crlf.csv": CSV.replace("\n", "\r\n").encode(),
    "cr-only.csv": CSV.replace("\n", "\r").encode(),
    "no-final-newline.csv": CSV_BYTES[:-1],
    "ok.jsonl": JSONL_BYTES,
    "bom.jsonl": b"\xef\xbb\xbf" + JSONL_BYTES,
    "ok.jsonl.gz": JSONL_GZ,
    "trailing-nul.jsonl.gz": JSONL_GZ + bytes(512),
}

# rows that are read, the unreadable ones included; lines and rules of the unreadable ones
UNREADABLE = "row-unreadable"
FIELDS = "row-fields"
SMALL: dict[str, tuple[int, list[tuple[int, str]]]] = {
    "empty.jsonl": (0, []),
    "header-only.csv": (0, []),
    "header-no-newline.csv": (0, []),
    "blank-lines.csv": (3, [(5, FIELDS)]),
    "blank-lines.jsonl": (1, []),
    "single-column-blank.csv": (2, []),
    "bom.csv": (2, []),
    "double-bom.csv": (2, []),
    "bom-quoted-header.csv": (1, []),
    "korean-utf-8-sig.csv": (2, []),
    "korean-utf-16.csv": (2, []),
    "korean-utf-32.csv": (2, []),
    "korean-nfd.csv": (2, []),
    "mixed-encoding.csv": (2, [(3, UNREADABLE)]),
    "mixed-eol.csv": (3, []),
    "bare-cr-in-field.csv": (2, [(2, FIELDS)]),
    "quoted-newlines.csv": (4, []),
    "unclosed-quote.csv": (3, [(2, UNREADABLE)]),
    "unclosed-quote-then-quote.csv": (4, [(2, UNREADABLE), (4, UNREADABLE)]),
    "text-after-quote.csv": (2, [(2, UNREADABLE)]),
    "quote-in-field.csv": (2, []),
    "backslash-escape.csv": (2, [(2, UNREADABLE)]),
    "space-before-quote.csv": (1, [(2, FIELDS)]),
    "short-row.csv": (3, [(3, FIELDS)]),
    "long-row.csv": (3, [(3, FIELDS)]),
    "all-rows-longer.csv": (2, [(2, FIELDS), (3, FIELDS)]),
    "trailing-comma-rows.csv": (2, [(2, FIELDS), (3, FIELDS)]),
    "dup-header.csv": (1, []),
    "spaces-in-header.csv": (1, []),
    "case-header.csv": (1, []),
    "types.csv": (26, []),
    "nul.csv": (2, []),
    "nul.jsonl": (2, [(2, UNREADABLE)]),
    "control.jsonl": (1, [(1, UNREADABLE)]),
    "one-nan.jsonl": (1, [(1, UNREADABLE)]),
    "one-infinity.jsonl": (1, [(1, UNREADABLE)]),
    "one-1e400.jsonl": (1, [(1, UNREADABLE)]),
    "one-dup-keys.jsonl": (1, [(1, UNREADABLE)]),
    "one-bigint.jsonl": (1, []),
    "one-lone-surrogate.jsonl": (1, [(1, UNREADABLE)]),
    "one-trailing-comma.jsonl": (1, [(1, UNREADABLE)]),
    "one-single-quotes.jsonl": (1, [(1, UNREADABLE)]),
    "one-two-on-a-line.jsonl": (1, [(1, UNREADABLE)]),
    "one-array-line.jsonl": (1, [(1, UNREADABLE)]),
    "one-scalar-line.jsonl": (1, [(1, UNREADABLE)]),
    "one-null-line.jsonl": (1, [(1, UNREADABLE)]),
    "one-u2028.jsonl": (1, []),
    "one-comment.jsonl": (1, [(1, UNREADABLE)]),
    "one-int-float.jsonl": (1, []),
    "bad-in-the-middle.jsonl": (3, [(2, UNREADABLE)]),
    "unterminated-last.jsonl": (2, []),
    "semicolon-decimal-comma.csv": (1, []),
    "tab.tsv": (1, []),
    "csv-injection.csv": (1, []),
    "pretty.json": (2, []),
    "array-one-line.json": (2, []),
}
REFUSED = {
    "empty.csv": "no header",
    "empty.csv.gz": "no header",
    "zero-byte.csv.gz": "no header",
    "only-bom.csv": "no header",
    "korean-cp949.csv": "--encoding cp949",
    "korean-euc-kr.csv": "euc-kr",
    "korean-utf-16-le.csv": "--encoding utf-16-le",
    "korean-utf-16-be.csv": "--encoding utf-16-be",
    "latin1.csv": "latin-1",
    "one-cp949.jsonl": "--encoding cp949",
}
ENCODED = {
    "korean-utf-16-le.csv": ("utf-16-le", 2),
    "korean-utf-16-be.csv": ("utf-16-be", 2),
    "korean-cp949.csv": ("cp949", 2),
    "korean-euc-kr.csv": ("euc-kr", 2),
    "latin1.csv": ("latin-1", 1),
}

# What is too large to be kept beside the others.
MADE = WHOLE | {
    "multi-member.jsonl.gz": JSONL_GZ + JSONL_GZ,
    "amplitude-style.zip": archive({"1_0.json.gz": JSONL_GZ, "1_1.json.gz": JSONL_GZ}),
    "truncated.csv.gz": (packed_csv := gzip.compress(CSV_BYTES))[: len(packed_csv) // 2],
    "truncated.jsonl.gz": JSONL_GZ[: len(JSONL_GZ) // 2],
    "bad-crc.jsonl.gz": BAD_SUM,
    "trailing-garbage.jsonl.gz": JSONL_GZ + b"garbage",
    "cut-mid-line.jsonl": JSONL_BYTES[:-20],
    "field-131073.csv": b'a,b\n1,"' + b"x" * 131_073 + b'"\n',
    "cols-5000.csv": ",".join(f"c{i}" for i in range(5000)).encode()
    + b"\n"
    + b",".join([b"1"] * 5000)
    + b"\n",
    "one-deep.jsonl": b'{"p":' + b"[" * 5000 + b"]" * 5000 + b"}\n",
    "one-deep-open.jsonl": b"[" * 100_000 + b"\n",
}
MANIFEST = [line.split("\t") for line in (NASTY / "MANIFEST.tsv").read_text("utf-8").splitlines()[1:]]
KOREAN = [("구매", "00123", "커피, 라떼"), ("회원가입", "00124", "줄\n바꿈")]


@pytest.mark.parametrize(
    ("name", "option", "rows", "unreadable", "_"), MANIFEST, ids=[line[0] for line in MANIFEST]
)
def test_each_line_of_the_manifest_is_kept(
    name: str, option: str, rows: str, unreadable: str, _: str, read_bytes: Callable[..., Any]
) -> None:
    data = MADE[name] if name in MADE else (NASTY / name).read_bytes()
    settings = {"encoding": option.removeprefix("--encoding ")} if option else {}
    if option or rows == "refused" or name == "one-cp949.jsonl":
        with pytest.raises(SourceError, match=re.escape(name)):
            read_bytes(name, data)
    if rows == "refused" or name == "one-cp949.jsonl":
        return
    got = read_bytes(name, data, **settings)
    damaged = name in {"bad-crc.jsonl.gz", "trailing-garbage.jsonl.gz"}  # all rows, and one that tells of it
    assert len(got.bad) == int(unreadable)
    if rows == "some":
        assert 0 < len(got.rows) < 2000
    else:
        assert len(got.rows) == int(rows) - (0 if damaged else int(unreadable))


@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_file_is_read_row_for_row_however_it_is_packed(
    name: str, read_bytes: Callable[..., Any]
) -> None:
    got = read_bytes(name, WHOLE[name])
    assert got.rows == list(range(1, 2001))
    assert got.bad == []
    if "jsonl" in name:
        assert got.values[1999] == {
            "event": "구매",
            "user_id": "01999",
            "properties": {"amount": 1999.5, "big": 2**53 + 2000},
        }
    else:
        assert got.reader.header == tuple(HEADER.strip().split(","))
        assert got.values[1999] == ("purchase", "00001999", "dev-1999", "1999.50", "4", "true")


@pytest.mark.parametrize("name", SMALL)
def test_each_odd_file_gives_its_rows_and_names_the_lines_that_are_none(
    name: str, read: Callable[..., Any]
) -> None:
    rows, bad = SMALL[name]
    got = read(NASTY / name)
    assert got.bad_lines == bad
    assert sorted(got.rows + [flaw.row for flaw in got.bad]) == list(range(1, rows + 1))
    assert len(got.values) == rows - len(bad)


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_read_rightly_is_refused_in_words(name: str, read: Callable[..., Any]) -> None:
    with pytest.raises(SourceError, match=REFUSED[name]) as refusal:
        read(NASTY / name)
    assert str(refusal.value).startswith(f"{name}: ")


@pytest.mark.parametrize("name", ENCODED)
def test_with_its_encoding_named_the_same_file_is_read(name: str, read: Callable[..., Any]) -> None:
    encoding, rows = ENCODED[name]
    got = read(NASTY / name, encoding=encoding)
    assert (len(got.rows), got.bad) == (rows, [])
    assert got.values == (KOREAN if name.startswith("korean") else [("né", "2")])


@pytest.mark.parametrize(
    "name", ["bom.csv", "korean-utf-8-sig.csv", "korean-utf-16.csv", "korean-utf-32.csv"]
)
def test_a_byte_order_mark_names_the_encoding_and_is_no_part_of_the_header(
    name: str, read: Callable[..., Any]
) -> None:
    got = read(NASTY / name)
    assert got.reader.header == ("이벤트", "사용자ID", "상품명")
    assert got.values == KOREAN


def test_of_two_byte_order_marks_one_is_taken_off(read: Callable[..., Any]) -> None:
    assert read(NASTY / "double-bom.csv").reader.header[0] == "\ufeff이벤트"


def test_cells_arrive_exactly_as_they_are_written(read: Callable[..., Any]) -> None:
    written = [line for line in (NASTY / "types.csv").read_text().split("\n")[1:] if line]
    expected = [(cell.strip('"') if cell.startswith('"') else cell,) for cell in written]
    assert read(NASTY / "types.csv").values == expected
    assert read(NASTY / "nul.csv").values == [("x\0y", "1"), ("\0", "2")]
    assert read(NASTY / "semicolon-decimal-comma.csv").values == [("구매", "001", "1.234,50")]
    assert read(NASTY / "csv-injection.csv").values == [("=cmd|x", "@sum")]
    assert read(NASTY / "spaces-in-header.csv").reader.header == (" a ", " b")
    assert read(NASTY / "dup-header.csv").reader.header == ("a", "a", "b", "", "", "a.1")


def test_records_keep_every_digit_and_the_kind_of_every_number(read: Callable[..., Any]) -> None:
    big = read(NASTY / "one-bigint.jsonl").values[0]
    assert big["id"] == 123456789012345678901234567890
    assert (big["u64"], big["neg"]) == (2**64 - 1, -(2**63) - 1)
    mixed = read(NASTY / "one-int-float.jsonl").values[0]
    assert [type(mixed[name]).__name__ for name in "abcdefg"] == [
        *("int", "float", "Decimal", "int", "float", "float", "Decimal")
    ]
    assert str(mixed["g"]) == "123456789.123456789"
    assert read(NASTY / "one-u2028.jsonl").values[0]["event"] == "a\u2028b\x85c"


def test_a_row_stands_on_the_line_it_starts_on(read: Callable[..., Any]) -> None:
    assert read(NASTY / "quoted-newlines.csv").lines == [2, 4, 6, 10]
    assert read(NASTY / "quoted-newlines.csv").values[1] == ("2", "c\r\nd")
    assert read(NASTY / "blank-lines.csv").lines == [3, 6]
    assert read(NASTY / "single-column-blank.csv").lines == [2, 4]
    assert read(NASTY / "blank-lines.jsonl").lines == [4]
    assert read(NASTY / "unclosed-quote.csv").lines == [3, 4]
    assert read(NASTY / "unclosed-quote-then-quote.csv").lines == [3, 5]


def test_without_quoting_a_quote_is_a_character_and_a_tab_divides(read: Callable[..., Any]) -> None:
    assert read(NASTY / "tab.tsv").values == [("1", "x\ty")]
    assert read(NASTY / "tab.tsv", quotechar="").bad_lines == [(2, FIELDS)]


def test_a_multi_member_gzip_file_is_read_to_its_last_member(read_bytes: Callable[..., Any]) -> None:
    assert len(read_bytes("multi-member.jsonl.gz", JSONL_GZ + JSONL_GZ).rows) == 4000


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_a_cut_gzip_file_gives_the_whole_records_before_the_cut_and_one_row_that_names_it(
    form: str, read_bytes: Callable[..., Any]
) -> None:
    packed = gzip.compress(CSV_BYTES if form == "csv" else JSONL_BYTES)
    whole = read_bytes(f"whole.{form}.gz", packed).values
    got = read_bytes(f"truncated.{form}.gz", packed[: len(packed) // 2])
    assert 0 < len(got.values) < 2000
    assert got.values == whole[: len(got.values)]
    (damage,) = got.bad
    assert damage.row == len(got.values) + 1
    assert damage.line == len(got.values) + (2 if form == "csv" else 1)
    assert "cut off" in damage.reason


@pytest.mark.parametrize(
    ("data", "word"),
    [(BAD_SUM, "checksum"), (JSONL_GZ + b"garbage", "garbage")],
    ids=["bad-crc", "trailing-garbage"],
)
def test_damage_after_the_last_row_leaves_all_rows_and_is_named(
    data: bytes, word: str, read_bytes: Callable[..., Any]
) -> None:
    got = read_bytes("damaged.jsonl.gz", data)
    assert got.rows == list(range(1, 2001))
    assert [(flaw.row, flaw.line) for flaw in got.bad] == [(2001, 2001)]
    assert word in got.bad[0].reason


def test_a_last_line_that_is_cut_is_one_unreadable_row(read_bytes: Callable[..., Any]) -> None:
    got = read_bytes("cut-mid-line.jsonl", JSONL_BYTES[:-20])
    assert (len(got.rows), got.bad_lines) == (1999, [(2000, UNREADABLE)])


def test_a_cell_longer_than_the_csv_module_takes_is_read(read_bytes: Callable[..., Any]) -> None:
    assert read_bytes("field.csv", b'a,b\n1,"' + b"x" * 131_073 + b'"\n').values == [("1", "x" * 131_073)]


def test_a_table_may_have_thousands_of_columns(read_bytes: Callable[..., Any]) -> None:
    names = ",".join(f"c{i}" for i in range(5000))
    got = read_bytes("cols-5000.csv", f"{names}\n{','.join('1' * 5000)}\n".encode())
    assert got.values == [("1",) * 5000]


@pytest.mark.parametrize(
    "line",
    [b'{"p":' + b"[" * 5000 + b"]" * 5000 + b"}", b"[" * 100_000, b'{"p":' + b"[" * 128 + b"]" * 128 + b"}"],
)
def test_a_record_deeper_than_the_bound_is_unreadable_and_the_bound_is_said(
    line: bytes, read_bytes: Callable[..., Any]
) -> None:
    got = read_bytes("deep.jsonl", line + b"\n")
    assert [(flaw.line, "128" in flaw.reason) for flaw in got.bad] == [(1, True)]


def test_a_record_as_deep_as_the_bound_is_read(read_bytes: Callable[..., Any]) -> None:
    assert read_bytes("deep.jsonl", b'{"p":' + b"[" * 127 + b"]" * 127 + b"}\n").rows == [1]
