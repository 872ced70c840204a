"""Zip archives: the files in one are one source."""

from __future__ import annotations

import bz2
import gzip
import io
import random
import re
import stat
import struct
import zipfile
import zlib
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from replay.errors import SourceError
from replay.settings import ReadSettings
from replay.source import Source, bounds, fingerprint_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def packed(*files: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """An archive of these files, in this order."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, data in files:
            archive.writestr(name, data)
    return stream.getvalue()


def lines(start: int, stop: int) -> bytes:
    return b"".join(
        b'{"n":%d,"noise":%d}\n' % (n, random.Random(n).getrandbits(64)) for n in range(start, stop)
    )


def numbers(got: Any) -> list[int]:
    return [record["n"] for record in got.values]


def test_an_archive_of_one_file_is_that_file(tmp_path: Path, read: Callable[..., Any]) -> None:
    data = b"a,b\n1,2\n3,4\n"
    (tmp_path / "plain.csv").write_bytes(data)
    (tmp_path / "packed.zip").write_bytes(packed(("export/rows.csv", data)))
    plain, archive = read(tmp_path / "plain.csv"), read(tmp_path / "packed.zip")
    assert (archive.reader.compression, archive.reader.format) == ("zip", "csv")
    assert (archive.values, archive.lines) == (plain.values, plain.lines)
    assert archive.reader.fingerprint == plain.reader.fingerprint
    assert archive.chunks[-1].position == archive.reader.size


def test_an_archive_is_read_to_its_end_however_its_last_bytes_are_packed(
    read_bytes: Callable[..., Any],
) -> None:
    for size in range(1, 40):
        got = read_bytes("a.zip", packed(("a.csv", b"a\n" + b"\xc2\x850\n" * size)))
        assert (len(got.values), got.bad) == (size, [])


def test_files_of_an_archive_come_in_natural_order_whatever_they_are_packed_with(
    read_bytes: Callable[..., Any],
) -> None:
    got = read_bytes(
        "export.zip",
        packed(
            ("p/part-10.json.gz", gzip.compress(lines(30, 40))),
            ("p/part-2.json.bz2", bz2.compress(lines(10, 20))),
            ("p/part-1.json", lines(0, 10)),
            ("p/part-3.json.zst", bytes(pa.compress(lines(20, 30), codec="zstd", asbytes=True))),
            ("__MACOSX/p/._part-1.json", b"\0\5\x16\7"),
            ("p/.DS_Store", b"\0\0\0\1Bud1"),
        ),
    )
    assert (numbers(got), got.rows, got.lines) == (
        list(range(40)),
        list(range(1, 41)),
        list(range(1, 41)),
    )
    assert got.bad == []


def test_a_file_that_ends_without_a_line_end_does_not_run_into_the_next(
    read_bytes: Callable[..., Any],
) -> None:
    got = read_bytes("e.zip", packed(("1.jsonl", b'{"n":1}'), ("2.jsonl", b""), ("3.jsonl", b'{"n":2}')))
    assert (numbers(got), got.lines) == ([1, 2], [1, 2])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp949"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_tables_of_an_archive_have_their_header_once(
    encoding: str, end: str, read_bytes: Callable[..., Any]
) -> None:
    first, second = (f'"이름\nx",나이{end}가,{n}{end}나,{n}'.encode(encoding) for n in (1, 2))
    only_header = f'"이름\nx",나이{end}'.encode(encoding)
    data = packed(("a1.csv", first), ("a2.csv", only_header), ("a3.csv", second))
    settings = {"encoding": "cp949"} if encoding == "cp949" else {}
    got = read_bytes("a.zip", data, **settings)
    assert got.reader.header == ("이름\nx", "나이")
    assert got.values == [("가", "1"), ("나", "1"), ("가", "2"), ("나", "2")]
    assert (got.lines, got.bad) == ([3, 4, 5, 6], [])


def test_joined_tables_are_known_as_the_table_that_they_make(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(packed(("1.csv", b"a,b\n1,2\n"), ("2.csv", b"a,b\n3,4\n")))
    (tmp_path / "a.csv").write_bytes(b"a,b\n1,2\n3,4\n")
    archive, plain = (
        fingerprint_of(Source(name, tmp_path / name), ReadSettings()) for name in ("a.zip", "a.csv")
    )
    assert archive == plain


def test_the_measure_of_what_unpacks_too_far_does_not_depend_on_the_order_of_the_files(
    read_bytes: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "RATIO_FROM_BYTES", 1 << 10)
    monkeypatch.setattr(bounds, "RATIO", 20)
    files = [(f"{n}.jsonl", lines(n * 500, n * 500 + 500)) for n in (3, 2, 1, 0)]
    got = read_bytes("a.zip", packed(*files))
    assert numbers(got) == list(range(2000))
    positions = [chunk.position for chunk in got.chunks]
    assert positions == sorted(positions)


def test_what_is_wrong_with_a_file_is_said_of_the_archive_and_of_it(read_bytes: Callable[..., Any]) -> None:
    with pytest.raises(SourceError, match=r"^a\.zip: x/rows\.csv: is not UTF-8"):
        read_bytes("a.zip", packed(("x/rows.csv", "이벤트,값\n구매,1\n".encode("cp949"))))


def test_tables_without_a_header_are_joined_whole(read_bytes: Callable[..., Any]) -> None:
    data = packed(("1.csv", b"1,2\n"), ("2.csv", b"1,2\n"))
    got = read_bytes("a.zip", data, columns=("a", "b"))
    assert got.values == [("1", "2"), ("1", "2")]


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ([("1.csv", b"a,b\n1,2\n"), ("2.csv", b"b,a\n1,2\n")], "2.csv in it has another header than 1.csv"),
        ([("1.csv", b"a,b\n1,2\n"), ("2.csv", b"a,bc\n1,2\n")], "another header"),
        ([("1.csv", b"a\n"), ("README.txt", b"hello")], "different kinds.*unpack it"),
        ([("[Content_Types].xml", b"<x/>"), ("xl/workbook.xml", b"<x/>")], "spreadsheet.*CSV"),
        ([("in.zip", packed(("a.csv", b"a\n")))], "in.zip in it is another archive"),
        ([("a.parquet", b"PAR1....PAR1")], "a.parquet in it is a Parquet file"),
        ([(".hidden.csv", b"a\n")], "without a file in it"),
        ([], "without a file in it"),
    ],
)
def test_what_cannot_be_one_source_is_refused_in_words(
    files: list[tuple[str, bytes]], words: str, read_bytes: Callable[..., Any]
) -> None:
    with pytest.raises(SourceError, match=rf"a\.zip: .*{words}"):
        read_bytes("a.zip", packed(*files))


def test_an_encrypted_file_and_an_unknown_packing_are_refused_with_its_name(
    read_bytes: Callable[..., Any],
) -> None:
    data = bytearray(packed(("rows.csv", b"a\n1\n")))
    for magic, place in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        data[data.index(magic) + place] |= 1
    with pytest.raises(SourceError, match=r"rows\.csv in it is encrypted: unpack it with its password"):
        read_bytes("a.zip", bytes(data))
    with pytest.raises(SourceError, match=r"rows\.csv in it is packed in a way that is not read"):
        read_bytes("a.zip", packed(("rows.csv", b"a\n1\n"), method=zipfile.ZIP_LZMA))


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])
@pytest.mark.parametrize("share", [0.2, 0.45, 0.7, 0.95, 0.999])
def test_an_archive_that_is_cut_off_gives_what_was_readable_and_one_row_that_names_the_cut(
    method: int, share: float, read_bytes: Callable[..., Any]
) -> None:
    data = packed(("1.jsonl", lines(0, 2000)), ("2.jsonl", lines(2000, 4000)), method=method)
    got = read_bytes("a.zip", data[: int(len(data) * share)])
    assert numbers(got) == list(range(len(got.values)))
    assert len(got.values) > 4000 * (share - 0.1)
    (flaw,) = got.bad
    assert flaw.row == len(got.values) + 1
    assert "damaged zip file" in flaw.reason
    assert "cut off" in flaw.reason


def test_an_archive_written_to_a_pipe_is_read_after_a_cut_too(read_bytes: Callable[..., Any]) -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def tell(self) -> int:
            raise OSError("a pipe")

        def seek(self, *_: int) -> int:
            raise OSError("a pipe")

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("1.jsonl", lines(0, 500))
        archive.writestr("2.jsonl", lines(500, 1000))
    data = pipe.getvalue()
    assert numbers(read_bytes("whole.zip", data)) == list(range(1000))
    got = read_bytes("cut.zip", data[:-30])
    assert (numbers(got), len(got.bad)) == (list(range(1000)), 1)


def test_a_wrong_checksum_is_named_with_its_file(read_bytes: Callable[..., Any]) -> None:
    data = bytearray(packed(("1.jsonl", lines(0, 10))))
    place = data.index(b"PK\1\2") + 16
    data[place : place + 4] = struct.pack("<L", 1)
    got = read_bytes("a.zip", bytes(data))
    assert numbers(got) == list(range(10))
    assert [("1.jsonl" in flaw.reason, "checksum" in flaw.reason) for flaw in got.bad] == [(True, True)]


def test_a_broken_file_ends_the_content_there(read_bytes: Callable[..., Any]) -> None:
    inner = gzip.compress(lines(0, 5000))
    data = packed(("1.jsonl.gz", inner[: len(inner) // 2]), ("2.jsonl.gz", gzip.compress(lines(5000, 5010))))
    got = read_bytes("a.zip", data)
    assert numbers(got) == list(range(len(got.values)))
    assert 1000 < len(got.values) < 5000
    assert [(flaw.row, "1.jsonl.gz" in flaw.reason) for flaw in got.bad] == [(len(got.values) + 1, True)]


@pytest.mark.parametrize("inside", ["big.csv", "big.csv.gz"])
def test_an_archive_that_unpacks_beyond_all_measure_is_refused(
    inside: str, read_bytes: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "RATIO_FROM_BYTES", 1 << 20)
    monkeypatch.setattr(bounds, "RATIO", 100)
    bomb = b"a\n" + b"1\n" * (4 << 20)
    with pytest.raises(SourceError, match="more than 100 times its size"):
        read_bytes("a.zip", packed((inside, gzip.compress(bomb) if inside.endswith("gz") else bomb)))


def test_any_damage_to_an_archive_is_words_or_rows_and_never_a_crash(
    tmp_path: Path, read: Callable[..., Any]
) -> None:
    data = packed(("1.jsonl", lines(0, 40)), ("2.jsonl.gz", gzip.compress(lines(40, 80))))
    path = tmp_path / "a.zip"
    path.write_bytes(data)
    whole = read(path).values
    for seed in range(300):
        chance = random.Random(seed)
        broken = bytearray(data)
        for _ in range(chance.randint(1, 3)):
            broken[chance.randrange(4, len(broken))] ^= 1 << chance.randrange(8)
        path.write_bytes(bytes(broken))
        try:
            got = read(path)
        except SourceError:
            continue
        assert got.bad or got.values == whole, seed


@pytest.mark.parametrize("name", ["./1.csv", ".//x/./1.csv", "x//1.csv", "x\\1.csv", ".\\x\\1.csv"])
def test_a_file_is_read_however_its_path_is_spelled(name: str, read_bytes: Callable[..., Any]) -> None:
    got = read_bytes("a.zip", packed((name, b"a\n1\n"), ("x/2.csv", b"a\n2\n")))
    assert got.values == [("1",), ("2",)]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("../1.csv", "leads out of the archive"),
        ("x/../../1.csv", "leads out of the archive"),
        ("..\\1.csv", "leads out of the archive"),
        ("/etc/1.csv", "leads out of the archive"),
        ("\\1.csv", "leads out of the archive"),
        ("C:/1.csv", "leads out of the archive"),
        ("c:1.csv", "leads out of the archive"),
        ("2.csv/", "is a folder that holds data"),
        ("./", "is a folder that holds data"),
        ("./2.csv", "is there twice"),
    ],
)
def test_an_entry_that_is_no_file_of_the_archive_is_refused_by_name(
    name: str, words: str, read_bytes: Callable[..., Any]
) -> None:
    data = packed(("2.csv", b"a\n1\n"), (name, b"a\n2\n"))
    shown = "2.csv" if "twice" in words else name
    with pytest.raises(SourceError, match=rf"a\.zip: {re.escape(repr(shown))} in it .*{words}.*unpack it"):
        read_bytes("a.zip", data)


@pytest.mark.parametrize("name", ["../2.csv", "/2.csv"])
def test_such_an_entry_is_refused_in_an_archive_that_is_cut_off_too(
    name: str, read_bytes: Callable[..., Any]
) -> None:
    with pytest.raises(SourceError, match="leads out of the archive"):
        read_bytes("a.zip", packed(("1.csv", b"a\n1\n"), (name, b"a\n2\n"))[:-30])


def test_a_name_with_a_nul_byte_in_it_does_not_drop_its_file(read_bytes: Callable[..., Any]) -> None:
    data = packed(("1.csv", b"a\n1\n"), ("_2.csv", b"a\n2\n")).replace(b"_2.csv", b"\0.2csv")
    with pytest.raises(SourceError, match="leads out of the archive"):
        read_bytes("a.zip", data)


def test_a_symbolic_link_in_an_archive_is_refused_and_a_folder_is_not(
    read_bytes: Callable[..., Any],
) -> None:
    def with_mode(mode: int, name: str, data: bytes) -> bytes:
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w") as archive:
            info = zipfile.ZipInfo(name)
            info.create_system, info.external_attr = 3, mode << 16
            archive.writestr(info, data)
            archive.writestr("x.csv/1.csv", b"a\n1\n")
        return stream.getvalue()

    assert read_bytes("a.zip", with_mode(stat.S_IFDIR | 0o755, "x.csv/", b"")).values == [("1",)]
    assert read_bytes("a.zip", with_mode(stat.S_IFDIR | 0o755, "x.csv", b"")).values == [("1",)]
    with pytest.raises(SourceError, match=r"'y\.csv' in it is a symbolic link"):
        read_bytes("a.zip", with_mode(stat.S_IFLNK | 0o777, "y.csv", b"x.csv/1.csv"))


def overlapping(kernel: bytes, names: list[str], bridged: bool = False) -> bytes:
    """An archive whose entries all hold one piece of packed data.

    `bridged`: each entry has a header of its own, all before the data, bridged by extra fields.
    """
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -15)
    data = squeeze.compress(kernel) + squeeze.flush()
    sizes = (zlib.crc32(kernel), len(data), len(kernel))
    heads, central = [], []
    head_bytes = 30 + len(names[0])
    for place, name in enumerate(names):
        bridge = (len(names) - 1 - place) * head_bytes if bridged else 0
        heads.append(struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0, 8, 0, 0x21, *sizes, len(name), bridge))
        offset = place * head_bytes if bridged else 0
        central.append(
            struct.pack(
                "<4s6H3L5H2L", b"PK\1\2", 20, 20, 0, 8, 0, 0x21, *sizes, len(name), 0, 0, 0, 0, 0, offset
            )
            + name.encode()
        )
    body = b"".join(head + name.encode() for head, name in zip(heads, names, strict=True))
    body = (body if bridged else heads[0] + names[0].encode()) + data
    end = struct.pack(
        "<4s4H2LH", b"PK\5\6", 0, 0, len(names), len(names), sum(map(len, central)), len(body), 0
    )
    return body + b"".join(central) + end


@pytest.mark.parametrize("bridged", [False, True])
def test_entries_that_share_bytes_are_refused_before_any_is_unpacked(
    bridged: bool, read_bytes: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"{n:03}.csv" for n in range(200)]
    alone = overlapping(b"a\n" + b"1\n" * 1000, names[:1], bridged)
    assert len(read_bytes("alone.zip", alone).values) == 1000
    monkeypatch.setattr(zlib, "decompressobj", None)
    with pytest.raises(SourceError, match=r"000\.csv and 001\.csv in it share the same bytes"):
        read_bytes("a.zip", overlapping(b"a\n" + b"1\n" * 1000, names, bridged))
