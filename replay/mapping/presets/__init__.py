"""The mappings of vendors' exports, one TOML file each: plain mapping files, to be copied and edited."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

from replay.errors import MappingError
from replay.mapping import paths

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

_ENDING = ".toml"


def names() -> list[str]:
    """The names of the presets, in order."""
    found = (file.name for file in _folder().iterdir())
    return sorted(name.removesuffix(_ENDING) for name in found if name.endswith(_ENDING))


def text(name: str) -> str:
    """A preset as a mapping file. Raises MappingError, with near matches, where there is none of the name."""
    if name not in names():
        raise MappingError(
            f"{name}: no preset has this name{paths.near(name, names()) or '.'} "
            f"There are {', '.join(names())}."
        )
    return (_folder() / f"{name}{_ENDING}").read_text("utf-8")


def about(name: str) -> str:
    """What a preset is for: the first line of its file."""
    return text(name).partition("\n")[0].removeprefix("# ").rstrip(".")


def _folder() -> Traversable:
    return files(__name__)
