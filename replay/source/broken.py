"""Why a record is not JSON, in words of our own: a decoder's words differ from release to release."""

from __future__ import annotations

import json
from typing import Final, NoReturn

import msgspec

from replay.source import bounds
from replay.source.number import number

TOO_DEEP: Final = f"more than {bounds.DEPTH} objects and arrays inside one another"
_CUT_SHORT: Final = "the record ends before its JSON does"
_HALF_PAIR: Final = "half of a surrogate pair in a text"
_UNDECODABLE: Final = "bytes that do not decode: another encoding than the rest, or damaged"
_DECODER: Final = msgspec.json.Decoder()


def is_cut_short(text: bytes) -> bool:
    """Whether text that is not JSON is only the beginning of it: one byte more, and the fault is another."""
    return _fault(text) != _fault(text + b"\0")


def _fault(text: bytes) -> str:
    try:
        _DECODER.decode(text)
    except (ValueError, RecursionError) as error:
        return str(error)
    return ""


def reason_of(record: bytes, fault: ValueError) -> str:
    """Why a record is not read, from a second reading of it; else the decoder's own `fault`.

    The second reading takes what the first one refused: NaN and half surrogate pairs.
    """
    try:
        value = json.loads(
            record.decode(), parse_int=_counted, parse_float=number, parse_constant=_refuse_constant
        )
        json.dumps(value, ensure_ascii=False).encode()
    except json.JSONDecodeError:
        return _CUT_SHORT if is_cut_short(record) else _in_short(fault)
    except UnicodeEncodeError:
        return _HALF_PAIR
    except UnicodeDecodeError:
        return _UNDECODABLE
    except RecursionError:
        return TOO_DEEP
    except ValueError as error:
        return str(error)
    return _in_short(fault)


def _in_short(fault: ValueError) -> str:
    return str(fault).partition(" - at `$")[0]


def _counted(digits: str) -> int:
    if len(digits.removeprefix("-")) > bounds.DIGITS:
        raise ValueError(f"a number of more than {bounds.DIGITS:,} digits")
    return 0


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number in JSON")
