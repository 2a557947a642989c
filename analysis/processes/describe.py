"""What is said of each process: of all its sightings, the earliest that tells it.

In: `Sightings` and, for each level, the process of each row. Out: `Described`, one entry per
process. A process with alerts of its own is described by those, one without by its descendants'.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analysis.processes.keys import earliest

if TYPE_CHECKING:
    from analysis.processes.sightings import Sightings

_LATEST = np.iinfo(np.int64).max


@dataclass
class Described:
    """Codes into the vocabularies of the sightings (-1: not told); times in ns.

    `cmdline` is the place of a sighting that tells it: `cmdlines` reads it.
    """

    host: np.ndarray
    container: np.ndarray
    name: np.ndarray
    exepath: np.ndarray
    cmdline: np.ndarray
    tty: np.ndarray
    leader: np.ndarray
    first_seen: np.ndarray
    last_seen: np.ndarray
    alerts: np.ndarray


@dataclass
class _Entries:
    """Sightings of some processes: the process, and where it was seen."""

    owner: np.ndarray
    row: np.ndarray
    level: np.ndarray

    def take(self, places: np.ndarray) -> _Entries:
        return _Entries(self.owner[places], self.row[places], self.level[places])


def describe(s: Sightings, at: list[np.ndarray], count: int) -> Described:
    """Return what the sightings tell of `count` processes, in whatever order they came."""
    alerts = np.bincount(at[0][at[0] >= 0], minlength=count)
    first_seen, last_seen = np.full(count, _LATEST), np.full(count, -_LATEST)
    found = []
    for level, owner in enumerate(at):
        rows = np.flatnonzero(owner >= 0)
        np.minimum.at(first_seen, owner[rows], s.seen[rows])
        np.maximum.at(last_seen, owner[rows], s.seen[rows])
        if level:
            rows = rows[alerts[owner[rows]] == 0]
        found.append(_Entries(owner[rows], rows, np.full(len(rows), level)))
    entries = _Entries(
        *(np.concatenate([getattr(e, part) for e in found]) for part in ("owner", "row", "level"))
    )
    chosen = entries.take(_earliest(s, entries, count))
    name = _codes(s, chosen, "name")
    told = {"name": name}
    for part in ("exepath", "cmdline", "container", "tty", "leader"):
        value = _told(s, chosen, part)
        lacking = value < 0
        if lacking.any() and _is_told(s, part):
            more = entries.take(np.flatnonzero(lacking[entries.owner]))
            # what another program in the same process told is not said of this one
            same = _codes(s, more, "name") == name[more.owner]
            more = more.take(np.flatnonzero(same & (_told(s, more, part) >= 0)))
            best = _earliest(s, more, count)
            value[best >= 0] = _told(s, more.take(best[best >= 0]), part)
        told[part] = value
    return Described(
        host=s.host[chosen.row],
        first_seen=first_seen,
        last_seen=last_seen,
        alerts=alerts,
        **told,
    )


def _earliest(s: Sightings, entries: _Entries, count: int) -> np.ndarray:
    def content(places: np.ndarray) -> np.ndarray:
        hashes = np.empty(len(places), dtype=np.uint64)
        for level in range(len(s.levels)):
            here = entries.level[places] == level
            if here.any():
                hashes[here] = s.content(entries.row[places[here]], level)
        return hashes

    return earliest(entries.owner, s.clock[entries.row], count, content)


def _codes(s: Sightings, entries: _Entries, part: str) -> np.ndarray:
    return _by_level(entries, [getattr(level, part) for level in s.levels])


def _by_level(entries: _Entries, levels: list[np.ndarray]) -> np.ndarray:
    if not entries.level.any():
        own: np.ndarray = levels[0][entries.row]
        return own
    values = np.empty(len(entries.row), dtype=levels[0].dtype)
    for level, at in enumerate(levels):
        here = entries.level == level
        values[here] = at[entries.row[here]]
    return values


def _told(s: Sightings, entries: _Entries, part: str) -> np.ndarray:
    """Return a code of what each entry tells, -1 for nothing; a command line's is its place."""
    if part == "exepath":
        return _codes(s, entries, part)
    if part == "cmdline":
        place = entries.row * len(s.levels) + entries.level
        return np.where(_has_cmdline(s, entries), place, -1)
    own: np.ndarray = np.where(entries.level == 0, getattr(s, part)[entries.row], -1)
    return own


def _is_told(s: Sightings, part: str) -> bool:
    """Return whether any sighting tells this part at all."""
    if part == "cmdline":
        return any(level.cmdline.null_count < len(s) for level in s.levels)
    if part == "exepath":
        return len(s.exepaths) > 0
    return bool((getattr(s, part) >= 0).any())


def _has_cmdline(s: Sightings, entries: _Entries) -> np.ndarray:
    lengths = (pc.fill_null(pc.binary_length(level.cmdline), 0) for level in s.levels)
    return _by_level(entries, [np.asarray(length) for length in lengths]) > 0


def cmdlines(s: Sightings, place: np.ndarray) -> pa.Array:
    """Return the command lines at these places; none for -1."""
    width = len(s.levels)
    texts: list[Any] = [pa.nulls(1, pa.large_string())]
    at = np.zeros(len(place), dtype=np.int64)
    offset = 1
    for level in range(width):
        here = np.flatnonzero((place >= 0) & (place % width == level))
        texts.append(s.levels[level].cmdline.take(pa.array(place[here] // width)))
        at[here] = np.arange(len(here)) + offset
        offset += len(here)
    return pa.concat_arrays(texts).take(pa.array(at))
