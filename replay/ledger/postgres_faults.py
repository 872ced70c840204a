"""The faults of Postgres, and of the way to it, in words that hold no password."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from psycopg import Error

_LOCKED: Final = "another run has held it for {seconds:g} seconds; wait for it, then try again"
_REFUSED: Final = (
    "the server refuses the user or the password ({text}); no address keeps them: set PGUSER and PGPASSWORD, "
    "or write a ~/.pgpass, or give --ledger in full"
)
_NO_DATABASE: Final = "there is no such database ({text}); make it: createdb NAME"
_NOT_ALLOWED: Final = "its user may not write there ({text}); let it make a schema in the database"
_FULL: Final = (
    "the server's disk is full; make room there, then repeat the command, "
    "or `replay resume` a run that had begun"
)
_AWAY: Final = (
    "the server cannot be reached, or went away ({text}). Of its address only host and database are kept: "
    "where more is needed, set PGUSER and PGPASSWORD or give --ledger in full; replay resume goes on"
)

_BY_STATE: Final = {
    "55P03": _LOCKED,  # lock_not_available
    "3D000": _NO_DATABASE,  # invalid_catalog_name
    "42501": _NOT_ALLOWED,  # insufficient_privilege
    "25006": "it is read-only: a standby, or a user who may only read; name the server that is written to",
    "53100": _FULL,  # disk_full
}
_BY_WORDS: Final = {
    re.compile(r"password authentication failed|no password supplied|role .* does not exist|pg_hba"): "28000",
    re.compile(r"database .* does not exist"): "3D000",
}
_BY_CLASS: Final = {"28": _REFUSED, "08": _AWAY, "57": _AWAY}


def words_of(error: Error, busy_seconds: float) -> str:
    """What happened and what to do; the server's own text where no words are known for it."""
    state = error.sqlstate or ""
    text = " ".join(str(error).split("\n")[0].split()) or type(error).__name__
    if not state:  # before there is a connection, there is none
        state = next((code for said, code in _BY_WORDS.items() if said.search(text)), "")
    words = _BY_STATE.get(state) or _BY_CLASS.get(state[:2]) or (_AWAY if not state else "{text}")
    return words.format(text=text, seconds=busy_seconds)
