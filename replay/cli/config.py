"""Options that need not be typed each time: `REPLAY_*` variables and a `replay.toml` beside the data.

An option on the command line wins over its variable, that over the file, and that over the default. The
file is looked for in the folder of the first source, then in the working folder; the first found is the
one. A variable or a file may lie about unseen, so neither can say what sends rows to another place, sends
them twice, hides what was sent, leaves rows out, writes into a file, or speaks for a person who was asked:
what they may say is every option that is made by `setting`. The plan says what came from where.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import typer

from replay import toml
from replay.cli.mistakes import mistake
from replay.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

FILE: Final = "replay.toml"
PREFIX: Final = "REPLAY_"
PATHS: Final = frozenset({"map"})  # what the file says of these is meant from where it lies
_WILD: Final = frozenset("*?[")


def setting(flag: str, **more: Any) -> Any:
    """An option that a variable and the file may say too."""
    return typer.Option(flag, envvar=variable(flag.removeprefix("--")), **more)


def variable(name: str) -> str:
    """The variable of an option."""
    return PREFIX + name.upper().replace("-", "_")


def look_for(context: typer.Context, sources: list[str] | str | None) -> list[str] | str | None:
    """Let a command take what the file and the variables say; called with its sources before all else.

    Raises UsageError for what they may not say, and for names that there are not.
    """
    if not context.resilient_parsing:
        _check_variables(context)
        folders = [_folder_of(sources[0]), Path()] if isinstance(sources, list) and sources else [Path()]
        path = next((folder / FILE for folder in folders if _is_there(folder / FILE)), None)
        if path is not None:
            context.meta[FILE] = path
            context.default_map = _read(context, path)
    return sources


def given(context: typer.Context) -> list[str]:
    """The settings that a command took from elsewhere than the command line, with where from."""
    return [f"{name} {_shown(context, param)} ({origin})" for name, param, origin in _origins(context)]


@contextmanager
def blaming(context: typer.Context) -> Iterator[None]:
    """Say of an error in an option where the option came from, if nobody typed it."""
    try:
        yield
    except UsageError as error:
        for name, _, origin in _origins(context):
            if str(error).startswith(f"--{name} "):
                raise type(error)(f"{origin}: {error}") from error
        raise


def _origins(context: typer.Context) -> Iterator[tuple[str, Any, str]]:
    for param in context.command.params:
        source = context.get_parameter_source(param.name or "")
        where = {"ENVIRONMENT": param.envvar, "DEFAULT_MAP": context.meta.get(FILE)}
        if source is not None and source.name in where:
            yield _name(param), param, str(where[source.name])


def _shown(context: typer.Context, param: Any) -> str:
    value = context.params[param.name]
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _name(param: Any) -> str:
    """An option as it is typed, without its dashes; of a short and a long one the long one."""
    return str(max(param.opts, key=len)).removeprefix("--")


def _known(context: typer.Context) -> dict[str, bool]:
    """Every option of every command, and whether a variable and the file may say it."""
    commands = getattr(context.find_root().command, "commands", {}).values()
    params = [param for command in commands for param in command.params if param.opts[0].startswith("-")]
    known = dict.fromkeys(map(_name, params), False)
    return known | {_name(param): True for param in params if param.envvar is not None}


def _check_variables(context: typer.Context) -> None:
    """Refuse a variable for an option that takes none, or nearly for one that does; others are not ours."""
    own = {variable(_name(param)): param for param in context.command.params}
    taken = [variable(name) for name, may in _known(context).items() if may]
    for word in sorted(os.environ):
        if not word.startswith(PREFIX) or not os.environ[word] or word in taken:
            continue
        if word in own:
            raise UsageError(f"{word}: {_typed_only(_name(own[word]))} Unset it.")
        if near := get_close_matches(word, taken, 1, 0.85):
            raise UsageError(f"{word}: there is no such variable. Did you mean {near[0]}?")


def _typed_only(name: str) -> str:
    return f"--{name} comes from the command line alone, so that nothing lying about can decide it."


def _folder_of(source: str) -> Path:
    """The folder that a source lies in, as it was typed."""
    if source == "-" or "://" in source:
        return Path()
    path = Path(source)
    try:
        if path.is_dir():
            return path
        return path.parent if path.is_file() else Path(*_before_wild(path.parts))
    except OSError:  # the source's own trouble, told where it is opened
        return Path()


def _is_there(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False


def _before_wild(parts: Iterable[str]) -> list[str]:
    """The folders of a glob that are told by name."""
    plain: list[str] = []
    for part in [*parts][:-1]:
        if _WILD & set(part):
            break
        plain.append(part)
    return plain


def _read(context: typer.Context, path: Path) -> dict[str, Any]:
    """What the file says of the options of this command, by parameter."""
    try:
        document = toml.load(path)
    except (OSError, toml.TomlError) as error:
        raise UsageError(f"{path} cannot be read: {error}. Fix it, or move it away.") from error
    known = _known(context)
    for name in document:
        _check_name(path, name, known)
    params = {_name(param): param for param in context.command.params if param.envvar is not None}
    told = {name: _value(path, name, value) for name, value in document.items() if name in params}
    for name, value in told.items():
        _check_value(context, params[name], value, path)
    return {params[name].name: value for name, value in told.items()}


def _check_name(path: Path, name: str, known: dict[str, bool]) -> None:
    if name not in known:
        allowed = [option for option, may in known.items() if may]
        near = get_close_matches(name.replace("_", "-"), allowed, 1)
        hint = f"Did you mean {near[0]}?" if near else f"It may say {', '.join(sorted(allowed))}."
        raise UsageError(f"{path}: {name}: there is no such option. {hint}")
    if not known[name]:
        raise UsageError(f"{path}: {name}: {_typed_only(name)} Take it out.")


def _value(path: Path, name: str, value: Any) -> Any:
    """What an option would be given on the command line."""
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return value
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise UsageError(f"{path}: {name}: write a text or a number, as after --{name}.")
    return str(path.parent / str(value)) if name in PATHS else str(value)


def _check_value(context: typer.Context, param: Any, value: Any, path: Path) -> None:
    try:
        param.process_value(context, value)
    except typer.BadParameter as error:
        raise UsageError(f"{path}: {_name(param)}: {mistake(error)}") from error
