"""Processes of alerts that tell pids: which sightings are one process, and who its parent is.

In: `Sightings` whose level 0 has a pid. Out: `Pids`: the processes, and the one of each sighting.

A process is (host, pid, start). Where a start is not told, a sighting belongs to the process of
that pid that had started by then, if name and container fit; else it is a process known by pid
alone, and one run of like sightings is one process: a pause, another program or another container
ends it. So a pid in use again is never merged, and one process may be told as two.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from analysis.processes.keys import UNKNOWN, latest, mix, texts_hash, tuples

if TYPE_CHECKING:
    from analysis.processes.sightings import Sightings

PAUSE = 15 * 60 * 10**9
"""Nanoseconds after which a pid without a start, or a name, is not taken for the same process.

A pid comes round after `kernel.pid_max` forks, on a small machine 32,768."""

_ALWAYS = 2  # init and kthreadd keep their pids as long as the machine is up


@dataclass
class Pids:
    """One entry per process; `nodes` has for each level the process of each sighting, or -1."""

    place: np.ndarray
    start: np.ndarray
    key: np.ndarray
    nodes: list[np.ndarray]
    parent: np.ndarray
    exact: np.ndarray
    reparented: np.ndarray

    @property
    def pid(self) -> np.ndarray:
        """Return the pids."""
        return self.place & 0xFFFFFFFF


def by_pid(s: Sightings) -> Pids:
    """Return the processes of sightings that all have a pid at level 0."""
    place = [s.host << 32 | level.pid for level in s.levels]
    p = _dated(s, place)
    _settle_own(s, place[0], p)
    _settle_ancestors(s, place, p)
    for below, above in zip(p.nodes, p.nodes[1:], strict=False):
        above[below < 0] = -1
    _drop_unseen(p)
    _choose_parents(s, p)
    return p


def _drop_unseen(p: Pids) -> None:
    """Drop the processes that only chains told which turned out to end below them."""
    seen = np.zeros(len(p.place) + 1, dtype=bool)
    for nodes in p.nodes:
        seen[nodes] = True
    seen[-1] = False  # the place of -1
    if not seen[:-1].all():
        number = np.where(seen, np.cumsum(seen) - 1, -1)
        p.place, p.start, p.key = p.place[seen[:-1]], p.start[seen[:-1]], p.key[seen[:-1]]
        p.nodes = [number[nodes] for nodes in p.nodes]


def _dated(s: Sightings, place: list[np.ndarray]) -> Pids:
    """Return the processes whose start is told, by themselves or by a child."""
    told = [(level.pid > 0) & (level.start > UNKNOWN) for level in s.levels[:2]]
    places = np.concatenate([of[t] for of, t in zip(place, told, strict=False)])
    starts = np.concatenate([level.start[t] for level, t in zip(s.levels, told, strict=False)])
    code, first = tuples(places, starts)
    nodes = [np.full(len(s), -1) for _ in s.levels]
    for of, t, codes in zip(nodes, told, np.split(code, [told[0].sum()]), strict=False):
        of[t] = codes
    places, starts = places[first], starts[first]
    key = mix(texts_hash(s.hosts)[places >> 32], places & 0xFFFFFFFF, starts)
    none = np.empty(0, dtype=np.int64)
    return Pids(places, starts, key, nodes, none, none, none)


def _settle_own(s: Sightings, place: np.ndarray, p: Pids) -> None:
    """Give each alert whose process has no start one that fits, or a process known by pid alone."""
    rows = np.flatnonzero(p.nodes[0] < 0)
    if not len(rows):
        return
    level = s.levels[0]
    found = latest(p.place, p.start, place[rows], s.clock[rows])
    fits = _agrees(found, level.name[rows], *_names(s, p)) & _agrees(
        found, s.container[rows], p.nodes[0], s.container
    )
    p.nodes[0][rows[fits]] = found[fits]
    rows = rows[~fits]
    told = [level.name[rows], level.exepath[rows], s.container[rows]]
    hashes = [texts_hash(v) for v in (s.names, s.exepaths, s.containers)]
    content = [of[values] for of, values in zip(hashes, told, strict=True)]
    p.nodes[0][rows] = _add_runs(s, p, place[rows], s.clock[rows], told=told, content=content)


def _settle_ancestors(s: Sightings, place: list[np.ndarray], p: Pids) -> None:
    """Give each ancestor whose start is not told a process that fits, or one known by pid alone."""
    asked = _asked(s, place, p)
    if asked is None:
        return
    where, clock, name, child = asked["place"], asked["clock"], asked["name"], asked["child"]
    count = (p.start > UNKNOWN).sum()  # those come first
    node = latest(p.place[:count], p.start[:count], where, clock)
    names = _names(s, p)
    fits = _agrees(node, name, *names)
    # a pid whose process started after the child is in use again: not the ancestor, nor known
    again = fits & (p.start[child] > UNKNOWN) & (p.start[node] > p.start[child])
    node[~fits] = -1
    first, last = np.full(len(p.place), 2**62), np.full(len(p.place), UNKNOWN)
    own = np.flatnonzero(p.nodes[0] >= count)
    np.minimum.at(first, p.nodes[0][own], s.clock[own])
    np.maximum.at(last, p.nodes[0][own], s.clock[own])
    pause = np.where((where & 0xFFFFFFFF) > _ALWAYS, PAUSE, 2**61)
    before = latest(p.place[count:], first[count:], where, clock)
    after = latest(p.place[count:], -first[count:], where, -clock)
    for run in (before, after):
        other = np.where(run >= 0, run + count, -1)
        near = np.maximum(clock - last[other], first[other] - clock) <= pause
        meets = (node < 0) & (other >= 0) & near & _agrees(other, name, *names)
        node[meets] = other[meets]
    rest = node < 0
    node[rest] = _add_runs(
        s, p, where[rest], clock[rest], told=[name[rest]], content=[texts_hash(s.names)[name[rest]]]
    )
    node[again] = -1
    for k, (rows, code) in asked["back"].items():
        p.nodes[k][rows] = node[code]


def _asked(s: Sightings, place: list[np.ndarray], p: Pids) -> dict[str, Any] | None:
    """Return the distinct (process, ancestor's pid and name) that have no start, each once."""
    parts, back, offset = [], {}, 0
    told = p.nodes[0] >= 0
    for k in range(1, len(s.levels)):
        told = told & (s.levels[k].pid > 0)
        rows = np.flatnonzero(told & (p.nodes[k] < 0))
        if not len(rows):
            continue
        where, name, child = place[k][rows], s.levels[k].name[rows], p.nodes[0][rows]
        code, first = tuples(child, where, name)
        clock = np.full(len(first), 2**62)
        np.minimum.at(clock, code, s.clock[rows])
        parts.append((where[first], clock, name[first], child[first]))
        back[k] = rows, code + offset
        offset += len(first)
    if not parts:
        return None
    merged = (np.concatenate(part) for part in zip(*parts, strict=True))
    return dict(zip(("place", "clock", "name", "child"), merged, strict=True)) | {"back": back}


def _names(s: Sightings, p: Pids) -> tuple[np.ndarray, np.ndarray]:
    """Return (process, name) of the sightings that are settled, themselves and parents."""
    return (
        np.concatenate(p.nodes[:2]),
        np.concatenate([level.name for level in s.levels[:2]]),
    )


def _agrees(
    candidate: np.ndarray, value: np.ndarray, owner: np.ndarray, told: np.ndarray
) -> np.ndarray:
    """Return whether a candidate was ever told with this value; what is not told agrees."""
    count = int(max(candidate.max(initial=-1), owner.max(initial=-1))) + 2
    wanted = np.zeros(count, dtype=bool)
    wanted[candidate] = True
    wanted[-1] = False  # the answer for -1
    known = wanted[owner] & (told >= 0)
    named = np.zeros(count, dtype=bool)
    named[owner[known]] = True
    pairs = pd.Series(candidate << 32 | value)
    same = pairs.isin(owner[known] << 32 | told[known]).to_numpy()
    agrees: np.ndarray = (candidate >= 0) & (same | (value < 0) | ~named[candidate])
    return agrees


def _add_runs(
    s: Sightings,
    p: Pids,
    place: np.ndarray,
    clock: np.ndarray,
    *,
    told: list[np.ndarray],
    content: list[np.ndarray],
) -> np.ndarray:
    """Add a process for each run of like sightings, and return the one of each sighting."""
    order = np.lexsort((mix(*content), clock, place))
    where, when = place[order], clock[order]
    new = np.ones(len(order), dtype=bool)
    paused = (np.diff(when) > PAUSE) & ((where[1:] & 0xFFFFFFFF) > _ALWAYS)
    new[1:] = (np.diff(where) != 0) | paused
    number = np.arange(len(order))
    block = np.maximum.accumulate(np.where(new, number, 0)) if len(order) else number
    for values in told:
        value = values[order]
        known = np.maximum.accumulate(np.where(value >= 0, number, -1)) if len(order) else number
        before = known[:-1]
        new[1:] |= (value[1:] >= 0) & (before >= block[1:]) & (value[before] != value[1:])
    first = order[new]
    node = np.empty(len(order), dtype=np.int64)
    node[order] = np.cumsum(new) - 1 + len(p.place)
    where = place[first]
    salt = np.full(len(first), len(told))
    key = mix(
        salt,
        texts_hash(s.hosts)[where >> 32],
        where & 0xFFFFFFFF,
        clock[first],
        *(c[first] for c in content),
    )
    p.place = np.concatenate([p.place, where])
    p.start = np.concatenate([p.start, np.full(len(first), UNKNOWN)])
    p.key = np.concatenate([p.key, key])
    return node


def _choose_parents(s: Sightings, p: Pids) -> None:
    """Take the parent that the earliest alert tells; a later, different one is a reparenting."""
    count = len(p.place)
    claims = [_claims(p, k) for k in range(len(s.levels) - 1)]
    first = np.full(count, np.iinfo(np.int64).max)
    for rows, child, _ in claims:
        np.minimum.at(first, child, s.clock[rows])
    by_key = np.argsort(p.key)
    rank = np.empty(count, dtype=np.int64)
    rank[by_key] = np.arange(count)
    best = np.full(count, count)
    for rows, child, parent in claims:
        at_first = s.clock[rows] == first[child]
        np.minimum.at(best, child[at_first], rank[parent[at_first]])
    p.parent = np.append(by_key, -1)[best]
    p.exact, p.reparented = np.zeros(count, dtype=bool), np.zeros(count, dtype=bool)
    for k, (rows, child, parent) in enumerate(claims):
        chosen = p.parent[child]
        if k == 0:
            told = s.levels[1].start[rows] > UNKNOWN
            p.exact[child[told & (parent == chosen)]] = True
        dated = (p.start[parent] > UNKNOWN) & (p.start[chosen] > UNKNOWN)
        other = (p.pid[parent] != p.pid[chosen]) | (dated & (p.start[parent] != p.start[chosen]))
        p.reparented[child[other]] = True


def _claims(p: Pids, level: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (row, child, parent) where alerts tell a parent that can be one."""
    below, above = p.nodes[level], p.nodes[level + 1]
    rows = np.flatnonzero((below >= 0) & (above >= 0) & (below != above))
    child, parent = below[rows], above[rows]
    later = (p.start[child] > UNKNOWN) & (p.start[parent] > p.start[child])
    return rows[~later], child[~later], parent[~later]
