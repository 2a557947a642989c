"""All processes of a set of alerts: those that pids tell, then those that only names tell.

In: `Sightings`. Out: `Joined`, one entry per process, parents by number. Where the chain of pids of
an alert ends and names go on, the process at its end hangs below a chain of names.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.compute as pc

from analysis.processes.by_name import by_name
from analysis.processes.by_pid import by_pid
from analysis.processes.keys import UNKNOWN, earliest

if TYPE_CHECKING:
    from analysis.processes.sightings import Sightings

LOW, MEDIUM, HIGH = range(3)


@dataclass
class Joined:
    """One entry per process; `nodes` has for each level the process of each alert, or -1."""

    key: np.ndarray
    parent: np.ndarray
    pid: np.ndarray
    start: np.ndarray
    inferred: np.ndarray
    confidence: np.ndarray
    reparented: np.ndarray
    nodes: list[np.ndarray]


def join(s: Sightings) -> Joined:
    """Return the processes that `s` tells of."""
    told = s.levels[0].pid > 0
    joined = _with_pids(s, np.flatnonzero(told))
    rows, first = _chains(s, joined, told)
    return _with_names(s, joined, rows, first) if len(rows) else joined


def _with_pids(s: Sightings, rows: np.ndarray) -> Joined:
    p = by_pid(s.take(rows))
    nodes = [np.full(len(s), -1) for _ in s.levels]
    for whole, part in zip(nodes, p.nodes, strict=True):
        whole[rows] = part
    sure = (p.start > UNKNOWN) & ((p.parent < 0) | p.exact)
    return Joined(
        key=p.key,
        parent=p.parent,
        pid=p.pid,
        start=p.start,
        inferred=np.zeros(len(p.key), dtype=bool),
        confidence=np.where(sure, HIGH, MEDIUM),
        reparented=p.reparented,
        nodes=nodes,
    )


def _chains(s: Sightings, joined: Joined, with_pid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows that tell a chain of names, and the level from which on it is all there is."""
    rows, first = [], []
    own = s.levels[0]
    named = (own.name >= 0) | (own.exepath >= 0)
    named |= np.asarray(
        pc.fill_null(pc.greater(pc.binary_length(own.cmdline), 0), fill_value=False)
    )
    rows.append(np.flatnonzero(named & ~with_pid))
    first.append(np.zeros(len(rows[0]), dtype=np.int64))
    root = np.append(joined.parent < 0, False)
    for level in range(len(s.levels) - 1):
        above = s.levels[level + 1]
        ends = root[joined.nodes[level]] & (above.pid == 0) & (above.name >= 0)
        rows.append(np.flatnonzero(ends))
        first.append(np.full(len(rows[-1]), level + 1))
    return np.concatenate(rows), np.concatenate(first)


def _with_names(s: Sightings, joined: Joined, rows: np.ndarray, first: np.ndarray) -> Joined:
    chains = by_name(s, rows, first)
    count, more = len(joined.key), len(chains.key)
    parent = joined.parent.copy()
    inferred, confidence = joined.inferred.copy(), joined.confidence.copy()
    below = np.full(len(rows), -1)
    for level in np.unique(first[first > 0]):
        here = first == level
        below[here] = joined.nodes[level - 1][rows[here]]
    links = np.flatnonzero(below >= 0)
    above = chains.nodes[0][links]
    chosen = earliest(below[links], s.clock[rows[links]], count, lambda i: chains.key[above[i]])
    hung = np.flatnonzero(chosen >= 0)
    parent[hung] = above[chosen[hung]] + count
    inferred[hung] = True
    confidence[hung] = MEDIUM
    for level, nodes in enumerate(joined.nodes):
        for step, named in enumerate(chains.nodes):
            here = np.flatnonzero((first == level - step) & (named >= 0))
            nodes[rows[here]] = named[here] + count
    none = np.zeros(more, dtype=np.int64)
    return Joined(
        key=np.concatenate([joined.key, chains.key]),
        parent=np.concatenate([parent, np.where(chains.parent < 0, -1, chains.parent + count)]),
        pid=np.concatenate([joined.pid, none]),
        start=np.concatenate([joined.start, none + UNKNOWN]),
        inferred=np.concatenate([inferred, none == 0]),
        confidence=np.concatenate([confidence, np.where(chains.joined, LOW, MEDIUM)]),
        reparented=np.concatenate([joined.reparented, none != 0]),
        nodes=joined.nodes,
    )
