"""What Typer says of a command line that it cannot read, in this tool's words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import typer

if TYPE_CHECKING:
    from typer.exceptions import TyperException

_WORDS: Final = {
    "int_parsing": "write a whole number",
    "float_parsing": "write a number",
    "less_than_equal": "at most {le}",
    "greater_than_equal": "at least {ge}",
    "value_error": "{error}",
}
"""By the kind of mistake as Pydantic names it, which reads the values for Typer."""


def in_words(error: TyperException) -> str:
    """What is wrong, where it comes from, and where more is told."""
    message, context = _message(error), getattr(error, "ctx", None)
    if context is None:
        return message
    end = "" if message.endswith((".", "?")) else "."
    return f"{message}{end} See: {context.command_path} --help"


def _message(error: TyperException) -> str:
    near, option = getattr(error, "possibilities", None), getattr(error, "option_name", "")
    if near:
        return f"No such option: {option}. Did you mean {' or '.join(sorted(near))}?"
    param = getattr(error, "param", None)
    if not isinstance(error, typer.BadParameter) or param is None:
        return error.format_message()
    if not error.message:
        return f"Missing {param.param_type_name} '{param.metavar or max(param.opts, key=len)}'"
    return f"{_origin(error, param)}{max(param.opts, key=len)}: {mistake(error)}"


def mistake(error: TyperException) -> str:
    """What is wrong with a value; in Typer's words where it is none of the usual mistakes."""
    found: list[Any] = getattr(error.__cause__, "errors", list)()
    words = _WORDS.get(found[0]["type"]) if found else None
    return words.format_map(found[0].get("ctx", {})) if words else str(error.message)


def _origin(error: Any, param: Any) -> str:
    """The variable that a value comes from, if it does."""
    source = error.ctx and error.ctx.get_parameter_source(param.name)
    return f"{param.envvar}: " if source and source.name == "ENVIRONMENT" else ""
