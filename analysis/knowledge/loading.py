"""The data files of this folder, read once."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from analysis.errors import PlaybookError

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable


@cache
def load(name: str) -> dict[str, Any]:
    """Return the content of a file that ships."""
    return toml(files(__package__) / name)


def toml(file: Traversable) -> dict[str, Any]:
    """Return the content of a TOML file; raise PlaybookError where it is none."""
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise PlaybookError(file.name, str(error), "correct the TOML") from None
