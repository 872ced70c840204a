"""What Typer says of a command line that it cannot read, in this tool's words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import typer

if TYPE_CHECKING:
    from typer.exceptions import TyperException

_WORDS: Final = (
    ("Input should be a valid integer, unable to parse string as an integer", "write a whole number"),
    ("Input should be a valid number, unable to parse string as a number", "write a number"),
    ("Input should be less than or equal to ", "at most "),
    ("Input should be greater than or equal to ", "at least "),
    ("Value error, ", ""),
)


def in_words(error: TyperException) -> str:
    """What is wrong, where it comes from, and where more is told."""
    message, context = _message(error), getattr(error, "ctx", None)
    if context is None:
        return message
    end = "" if message.endswith((".", "?")) else "."
    return f"{message}{end} See: {context.command_path} --help"


def _message(error: TyperException) -> str:
    near = getattr(error, "possibilities", None)
    if near:
        return f"{error.message}. Did you mean {' or '.join(sorted(near))}?"
    param = getattr(error, "param", None)
    if not isinstance(error, typer.BadParameter) or param is None or not error.message:
        return error.format_message()
    return f"{_origin(error, param)}{max(param.opts, key=len)}: {plain(error.message)}"


def plain(message: str) -> str:
    """What is wrong with a value."""
    for beginning, words in _WORDS:
        message = message.replace(beginning, words)
    return message


def _origin(error: Any, param: Any) -> str:
    """The variable that a value comes from, if it does."""
    source = error.ctx and error.ctx.get_parameter_source(param.name)
    return f"{param.envvar}: " if source and source.name == "ENVIRONMENT" else ""
