"""Ancestry inside one alert: self, parent, grandparent … as far as the alert tells, gaps shown.

In: one alert's fields. Out: a frame, one row per level. Level 0 is the process itself, 1 its
parent (Falco libs `sinsp_filtercheck_thread.cpp`). Trees across alerts are another job.
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import pandas as pd

from analysis.schema import is_missing

if TYPE_CHECKING:
    from collections.abc import Mapping

FACETS = ("name", "exepath", "exe", "cmdline", "pid")
"""What a level can tell: comm (15 characters), kernel path, argv[0], command line, host pid."""

_SELF = {"name": "name", "exepath": "exepath", "exe": "exe", "cmdline": "cmdline", "pid": "pid"}
_PARENT = {
    "pname": "name",
    "pexepath": "exepath",
    "pexe": "exe",
    "pcmdline": "cmdline",
    "ppid": "pid",
}
# falcosidekick can rewrite brackets and dots: proc.aname_2, proc_aname[2]
_INDEXED = re.compile(r"proc[._]a(name|exepath|exe|cmdline|pid)(?:\[(\d{1,3})\]|[._](\d{1,3}))")
_RELATION = ("process", "parent", "grandparent", "great-grandparent")
_LARGEST_PID = 4_194_304  # the kernel's largest pid_max, 2^22


def field_level(field: str) -> tuple[int, str] | None:
    """Return (level, facet) of a lineage field, or None: `proc.aname[2]` is (2, "name").

    `proc.aname` without an index is none: it joins all ancestors by blanks (Falco 0.44), and
    names may hold blanks.
    """
    prefix, _, rest = field.partition(".")
    if prefix == "proc" and rest in _SELF:
        return 0, _SELF[rest]
    if prefix == "proc" and rest in _PARENT:
        return 1, _PARENT[rest]
    found = _INDEXED.fullmatch(field)
    return (int(found[2] or found[3]), found[1]) if found else None


def relation(level: int) -> str:
    """Return what a level is to the process: parent, grandparent, ancestor 4."""
    return _RELATION[level] if level < len(_RELATION) else f"ancestor {level}"


def ancestry(fields: Mapping[str, Any]) -> pd.DataFrame:
    """Return the ancestry that one alert tells, from the process up.

    Parameters
    ----------
    fields : mapping
        An alert's `output_fields`.

    Returns
    -------
    DataFrame
        One row per level from 0 to the highest that has a value: `level` (int), `relation`,
        `name`, `exepath`, `exe`, `cmdline` (str), `pid` (Int64), `fields` (tuple: the alert
        fields this row rests on), `gap` (bool: the alert says nothing of this level). Empty
        where the alert tells nothing of a process.

    Notes
    -----
    Two levels of the same name are normal (a fork without exec), not a loop. Reparenting makes
    later alerts of a process show a shorter chain; a name is at most 15 characters.
    """
    frame = pd.DataFrame(ancestors(fields), columns=["level", "relation", *FACETS, "fields", "gap"])
    return frame.astype(
        {"level": "int64", "relation": "str", "pid": "Int64", "gap": "bool"}
        | dict.fromkeys(("name", "exepath", "exe", "cmdline"), "str")
    )


def ancestors(fields: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of `ancestry`, what is not told as None."""
    levels: dict[int, dict[str, tuple[str, Any]]] = defaultdict(dict)
    for field, value in fields.items():
        place = field_level(field)
        if place and not is_missing(value) and value != "" and _possible(place[1], value):
            levels[place[0]].setdefault(place[1], (field, value))
    rows = []
    for level in range(max(levels) + 1 if levels else 0):
        known = levels.get(level, {})
        rows.append(
            {
                "level": level,
                "relation": relation(level),
                **{facet: known[facet][1] if facet in known else None for facet in FACETS},
                "fields": tuple(field for field, _ in known.values()),
                "gap": not known,
            }
        )
    return rows


def _possible(facet: str, value: object) -> bool:
    """Return whether `value` can be what `facet` says; a pid of -1 marks a faked entry."""
    if facet == "pid":
        return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LARGEST_PID
    return isinstance(value, str)
