"""A zip archive as one content: the files in it, in natural order, one after the other.

What comes of them is what the same files, joined by hand, would be: each ends with a line end, and tables
have their header once. Numbers of rows and lines, the fingerprint, and so what is known of rows sent
before, are of that joint content; an archive of one file is that file. Folders, hidden files and __MACOSX are
left out, each file may be compressed itself, and entries are read only where no two share bytes, so that what
they unpack to is bounded by the archive's size. A damage ends the content: files after it are not read.
"""

from __future__ import annotations

import re
import struct
import zipfile
import zlib
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, BinaryIO, Final

from replay.errors import SourceError
from replay.source import bounds
from replay.source.compression import PARQUET_MAGIC, ZIP_MAGIC, Content, Damage
from replay.source.entries import data_entries, full_folder, named, refuse_overlaps
from replay.source.finding import natural
from replay.source.joining import Joint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from replay.settings import ReadSettings

_LOCAL: Final = struct.Struct("<4s5H3L2H")
_ENCRYPTED: Final = 0x1
_SIZES_FOLLOW: Final = 0x8
_UTF8_NAME: Final = 0x800
_STORED, _DEFLATED = 0, 8
_PACKED: Final = re.compile(r"\.(gz|bz2|xz|zst)$", re.IGNORECASE)
_DESCRIPTORS: Final = (0, 12, 16, 20, 24)  # bytes that may follow a file's own
_UNKNOWN_SIZE: Final = 1 << 62


@dataclass(frozen=True, slots=True)
class Entry:
    """A file in an archive: where its packed bytes are, and what they are; `sum` if it is known."""

    name: str
    method: int
    flags: int
    start: int
    packed_bytes: int
    sum: int | None


class Archive:
    """The joint content of an archive, with the face of Content."""

    compression = "zip"

    def __init__(self, file: BinaryIO, name: str, settings: ReadSettings) -> None:
        self._file = file
        self._name = name
        self._settings = settings
        self._size = file.seek(0, 2)
        self._produced = 0
        self.consumed = 0
        self.damage: Damage | None = None
        try:
            self._entries = self._listed()
        except (zipfile.BadZipFile, NotImplementedError, struct.error, ValueError):
            self._entries = []  # its directory is at its end: what is there of it is found file by file
        self._is_cut = not self._entries and self._size > len(ZIP_MAGIC[1]) + 18
        self.inside: str | None = self._entries[0].name if self._entries else None
        if self._is_cut:
            first = self._entry_at(0)
            self.inside = first.name if first else None
        self._refuse()

    def __iter__(self) -> Iterator[bytes]:
        entries = self._walked() if self._is_cut else iter(self._entries)
        joint = Joint(self._name, self._settings)
        for entry in entries:
            yield from joint.add(entry.name, self._pieces(entry))
            if self.damage is not None:
                return
        if self._is_cut:
            self.damage = Damage("damaged zip file: it is cut off, its directory is missing", cut=True)
        self.consumed = self._size

    def _listed(self) -> list[Entry]:
        with zipfile.ZipFile(self._file) as archive:
            infos = data_entries(self._name, archive.infolist())
        if len(infos) > bounds.ZIP_MEMBERS:
            raise SourceError(f"{self._name}: more than {bounds.ZIP_MEMBERS:,} files in it: unpack it.")
        if not infos:
            raise SourceError(f"{self._name}: an archive without a file in it.")
        names = sorted(infos, key=lambda name: [natural(part) for part in name.split("/")])
        found = [self._entry_of(name, infos[name]) for name in names]
        spans = [(infos[one.name].header_offset, one.start + one.packed_bytes, one.name) for one in found]
        refuse_overlaps(self._name, spans)
        return found

    def _entry_of(self, name: str, info: zipfile.ZipInfo) -> Entry:
        head = self._header_at(info.header_offset)
        if head is None:
            raise ValueError(name)
        start = info.header_offset + _LOCAL.size + head[8] + head[9]
        return Entry(name, info.compress_type, info.flag_bits, start, info.compress_size, info.CRC)

    def _refuse(self) -> None:
        """Refuse what cannot be read as one content."""
        names = [entry.name for entry in self._entries]
        if "[Content_Types].xml" in names:
            raise SourceError(f"{self._name}: a spreadsheet, which is not read. Save it as CSV (UTF-8).")
        kinds = {kind_of(name): name for name in reversed(names)}
        if len(kinds) > 1:
            raise SourceError(
                f"{self._name}: holds files of different kinds ({', '.join(sorted(kinds.values())[:3])}): "
                "unpack it, and name those that are data."
            )
        for entry in self._entries:
            self._refuse_entry(entry)

    def _refuse_entry(self, entry: Entry) -> None:
        if entry.flags & _ENCRYPTED:
            raise SourceError(
                f"{self._name}: {entry.name} in it is encrypted: unpack it with its password, and give the "
                "file inside."
            )
        if entry.method not in (_STORED, _DEFLATED):
            raise SourceError(
                f"{self._name}: {entry.name} in it is packed in a way that is not read "
                f"(method {entry.method}): unpack it, and give the file inside."
            )

    def _header_at(self, place: int) -> tuple[int, ...] | None:
        self._file.seek(place)
        data = self._file.read(_LOCAL.size)
        if len(data) < _LOCAL.size or not data.startswith(ZIP_MAGIC[0]):
            return None
        fields: tuple[int, ...] = _LOCAL.unpack(data)[1:]
        return fields

    def _entry_at(self, place: int) -> Entry | None:
        """The file whose own header stands at a place, if one does."""
        head = self._header_at(place)
        if head is None:
            return None
        _, flags, method, _, _, sum_, packed, _, name_bytes, extra_bytes = head
        name = self._file.read(name_bytes).decode("utf-8" if flags & _UTF8_NAME else "cp437", "replace")
        start = place + _LOCAL.size + name_bytes + extra_bytes
        if flags & _SIZES_FOLLOW:
            return Entry(name, method, flags, start, _UNKNOWN_SIZE, None)
        return Entry(name, method, flags, start, packed, sum_)

    def _walked(self) -> Iterator[Entry]:
        """The files of an archive without a directory, as they come."""
        place = 0
        while (entry := self._entry_at(place)) is not None:
            one = named(self._name, entry.name)
            if one.kind == "file":
                self._refuse_entry(entry)
                yield replace(entry, name=one.name)
                end = self._end
            else:
                packed = _Packed(self._file, entry)
                if packed.skip() and one.kind == "folder":
                    raise full_folder(self._name, entry.name)
                end = entry.start + packed.taken
            place = next((end + more for more in _DESCRIPTORS if self._header_at(end + more)), self._size)

    def _pieces(self, entry: Entry) -> Iterator[bytes]:
        """What one file in the archive holds."""
        packed = _Packed(self._file, entry)
        content = Content(packed, f"{self._name}: {entry.name}")
        begin = next(iter_ := iter(content), b"")
        if begin.startswith((*ZIP_MAGIC, PARQUET_MAGIC)):
            what = "a Parquet file" if begin.startswith(PARQUET_MAGIC) else "another archive"
            raise SourceError(f"{self._name}: {entry.name} in it is {what}: unpack it, and give that.")
        before = self.consumed
        for piece in chain([begin], iter_):
            self.consumed = before + packed.taken
            self._count(len(piece))
            yield piece
        self._end = entry.start + packed.taken
        flaw = packed.flaw or content.damage
        if flaw is not None:
            is_last = not self._is_cut and entry is self._entries[-1]
            self.damage = Damage(
                f"damaged zip file: {entry.name} in it: {flaw.reason}", flaw.cut or not is_last
            )

    def _count(self, size: int) -> None:
        self._produced += size
        if self._produced > max(bounds.RATIO_FROM_BYTES, bounds.RATIO * self.consumed):
            raise SourceError(
                f"{self._name}: refused: it unpacks to more than {bounds.RATIO} times its size. "
                "If that is what it should be, unpack it and give the file inside."
            )


class _Packed:
    """One file of an archive, read from its beginning; `flaw`: what is wrong with it, known at its end."""

    def __init__(self, file: BinaryIO, entry: Entry) -> None:
        self._file = file
        self._entry = entry
        self.seek(0)

    def seek(self, offset: int, /) -> int:
        """Go back to the beginning."""
        self._inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        self._pending = b""
        self._may_hold_more = False
        self._sum = 0
        self._ended = False
        self.taken = 0
        self.flaw: Damage | None = None
        return offset

    def skip(self) -> bool:
        """Go to its end; whether there was anything in it."""
        return sum(map(len, iter(lambda: self.read(bounds.INFLATED_BYTES), b""))) > 0

    def read(self, size: int, /) -> bytes:
        """The next bytes, none at the end, or where the archive is damaged."""
        while not self._ended:
            data = self._stored(size) if self._entry.method == _STORED else self._inflated(size)
            self._sum = zlib.crc32(data, self._sum)
            if self._ended and self.flaw is None and self._entry.sum not in (None, self._sum):
                self.flaw = Damage("the checksum does not hold: some of its rows may be wrong", cut=False)
            if data:
                return data
        return b""

    def _take(self, size: int) -> bytes:
        self._file.seek(self._entry.start + self.taken)
        data = self._file.read(max(0, min(size, self._entry.packed_bytes - self.taken)))
        self.taken += len(data)
        return data

    def _stored(self, size: int) -> bytes:
        data = self._take(size)
        if self.taken == self._entry.packed_bytes:
            self._ended = True
        elif not data:
            self._broken("it is cut off before its end")
        return data

    def _inflated(self, size: int) -> bytes:
        if not self._pending and not self._may_hold_more:
            self._pending = self._take(bounds.FEED_BYTES)
            if not self._pending:
                self._broken("it is cut off before its end")
        try:
            data = self._inflate.decompress(self._pending, size)
        except zlib.error as error:
            self._broken(f"it is broken ({error})")
            return b""
        self._pending = self._inflate.unconsumed_tail
        self._may_hold_more = len(data) == size  # zlib may have taken in all, and not given all
        if self._inflate.eof:
            self.taken -= len(self._inflate.unused_data)
            self._ended = True
        return data

    def _broken(self, reason: str) -> None:
        self._ended = True
        self.flaw = Damage(reason, cut=True)


def kind_of(name: str) -> str:
    """How a file's name ends, that of its compression taken off: files of one kind can be joined."""
    bare = _PACKED.sub("", name.rpartition("/")[2]).lower()
    return bare.rpartition(".")[2] if "." in bare else ""
