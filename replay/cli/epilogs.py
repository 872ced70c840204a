"""What stands at the end of each command's `--help`: examples, and what the exit code means."""

from __future__ import annotations

from typing import Final

SENT: Final = (
    "0 everything delivered or skipped on purpose, 1 stopped by an error, 2 wrong usage, "
    "3 some rows not delivered, 4 some rows ambiguous, 130 interrupted."
)
_AS_IT_IS: Final = "\b"  # keeps the lines of a paragraph apart
DONE: Final = "0 done, 1 it could not be done, 2 wrong usage."

SETTINGS: Final = (
    "Options with an env var may also stand in replay.toml, in the folder of the first source, else in the "
    "working folder: option, then variable, then file, then default."
)


def epilog(*examples: str, exits: str = DONE, settings: bool = False) -> str:
    """Examples, a line each, and the exit codes."""
    shown = "\n".join([_AS_IT_IS, "Examples:", *(f"  {example}" for example in examples)])
    return "\n\n".join([shown, *([SETTINGS] if settings else []), f"Exit: {exits}"])
