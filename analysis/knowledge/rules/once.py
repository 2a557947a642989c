"""The user's own rules by the paths of their files, read once for all reports of a batch.

In: paths. Out: rules by name. What is wrong inside the files is for whoever reads them first,
with `read_rules`, to say.
"""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from analysis.errors import SourceError
from analysis.knowledge.rules import Rule, read_rules

if TYPE_CHECKING:
    from collections.abc import Iterable


def own_rules(files: str | Iterable[str | os.PathLike[str]]) -> dict[str, Rule]:
    """Return the rules of rules files by name, read once as long as no file changes.

    Parameters
    ----------
    files : str or iterable of path
        Paths, or one text that joins them as the system joins paths (`:`; `;` on Windows).

    Raises
    ------
    SourceError
        If a file cannot be read at all. What is wrong inside is left out: see `read_rules`.
    """
    names = files.split(os.pathsep) if isinstance(files, str) else map(str, files)
    return dict(_read_once(tuple((name, _state(name)) for name in names if name)))


@lru_cache(maxsize=4)
def _read_once(files: tuple[tuple[str, tuple[int, int]], ...]) -> dict[str, Rule]:
    return read_rules([name for name, _ in files])[0].rules


def _state(name: str) -> tuple[int, int]:
    try:
        known = Path(name).stat()
    except OSError as error:
        raise SourceError(f"{name}: {error.strerror or error}") from None
    return known.st_mtime_ns, known.st_size
