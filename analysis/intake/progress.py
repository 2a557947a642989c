"""A bar on standard error while a long file is read.

In: a content. Out: what shows how far its reading has come. Reads nothing itself.
"""

from __future__ import annotations

import sys
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from analysis.quoting import visible

if TYPE_CHECKING:
    from analysis.intake.sources import Content

_LONG_LOAD = 100 << 20  # bytes from which a bar is shown


def bar(content: Content, wanted: bool | None) -> Any:
    """Return a bar for reading `content`; `wanted` is None to show it on a terminal, if it is long."""
    from tqdm import tqdm  # noqa: PLC0415 - for long loads

    try:
        size = Path(content.name).stat().st_size if content.held is None else len(content.held)
    except OSError:  # a store's: its size is not known
        size = None
    hidden = (
        not (sys.stderr.isatty() and (size or 0) > _LONG_LOAD) if wanted is None else not wanted
    )
    return tqdm(
        total=size,
        unit="B",
        unit_scale=True,
        desc=visible(PurePath(content.name).name, longest=40),
        disable=hidden,
        leave=False,
    )
