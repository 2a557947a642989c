"""Processes of which alerts tell names only: what their chains of names are consistent with.

In: `Sightings` and, per row, the level from which on no pid is told. Out: `Chains`: a prefix tree
over the chains, from the top, inside one scope: host, container, login, and no pause. Two chains
never meet across scopes. Stock Falco rules print no pid, so for them this is all there is.

Rules print chains of different length. A chain that stops short goes on as another does that has
the same process: same name and command line; or the same two or more names in sequence; or, in a
container, the same name. Where others disagree on how it goes on, it does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa

from analysis.processes.by_pid import PAUSE
from analysis.processes.keys import encode, mix, texts_hash, tuples

if TYPE_CHECKING:
    from analysis.processes.sightings import Sightings

_LONGEST_OVERLAP = 3  # more names in sequence prove no more


@dataclass
class Chains:
    """One entry per process; `nodes` has per step above `first` the process of each row, or -1."""

    key: np.ndarray
    parent: np.ndarray
    joined: np.ndarray
    nodes: list[np.ndarray]


@dataclass
class _Steps:
    """Distinct chains: codes by step from the lowest and by chain; how many steps are told."""

    scope: np.ndarray
    name: np.ndarray
    exepath: np.ndarray
    cmdline: np.ndarray
    length: np.ndarray
    in_container: np.ndarray


def by_name(s: Sightings, rows: np.ndarray, first: np.ndarray) -> Chains:
    """Return the processes of these rows' chains, each from its level `first` on."""
    scope, scope_key = _scopes(s, rows)
    commands, texts = encode([level.cmdline.take(pa.array(rows)) for level in s.levels])
    steps = [
        _shift(codes, first)
        for codes in (
            [level.name[rows] for level in s.levels],
            [level.exepath[rows] for level in s.levels],
            commands,
        )
    ]
    told = np.logical_and.accumulate(np.maximum.reduce(steps) >= 0)
    for codes in steps:
        codes[~told] = -1
    code, one = tuples(scope, *(codes for part in steps for codes in part))
    outside = _outside(s)[s.container[rows][one]]
    name, exepath, cmdline = (part[:, one] for part in steps)
    chains = _Steps(scope[one], name, exepath, cmdline, told[:, one].sum(axis=0), ~outside)
    hashes = [texts_hash(v) for v in (s.names, s.exepaths, texts)]
    tree = _prefix_tree(chains, scope_key, hashes)
    tree.nodes = [nodes[code] for nodes in tree.nodes]
    return tree


def _outside(s: Sightings) -> np.ndarray:
    """Return for each container's code whether it is none: the host's, or (-1) not told."""
    return np.array([*(name == "host" for name in s.containers.to_pylist()), True])


def _scopes(s: Sightings, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each row's scope, and a hash of each scope's content."""
    host, container, clock = s.host[rows], s.container[rows], s.clock[rows]
    place = mix(texts_hash(s.hosts)[host], texts_hash(s.containers)[container], s.login[rows])
    # two alerts without a host's name are not known to be of one host; a container is one place
    alone = np.flatnonzero((host < 0) & _outside(s)[container])
    if len(alone):
        place[alone] = mix(s.content(rows[alone], 0), clock[alone])
    order = np.lexsort((clock, place))
    new = np.ones(len(rows), dtype=bool)
    new[1:] = (np.diff(place[order]) != 0) | (np.diff(clock[order]) > PAUSE)
    scope = np.empty(len(rows), dtype=np.int64)
    scope[order] = np.cumsum(new) - 1
    begin = order[new]
    return scope, mix(place[begin], clock[begin])


def _shift(levels: list[np.ndarray], first: np.ndarray) -> np.ndarray:
    """Return codes by step above `first` instead of by level."""
    if not first.any():
        return np.array(levels)
    steps = np.full((len(levels), len(first)), -1)
    for start in range(len(levels)):
        here = first == start
        for step, codes in zip(steps, levels[start:], strict=False):
            step[here] = codes[here]
    return steps


def _longer(c: _Steps) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the names and lengths of the chains gone on, and whether that rests on names alone."""
    depth, count = c.name.shape
    name = np.full((2 * depth, count), -1)
    name[:depth] = c.name
    length = c.length.copy()
    top = length - 1
    command = c.cmdline[top, np.arange(count)]
    keys = [mix(c.scope, c.name[k], c.cmdline[k]) for k in range(depth)]
    follows = [(c.cmdline[k] >= 0) & (c.name[k + 1] >= 0) for k in range(depth - 1)]
    onward = _Onward(keys[:-1], follows, list(c.name[1:]))
    on = onward.of(mix(c.scope, c.name[top, np.arange(count)], command))
    on[command < 0] = -1
    name[length[on >= 0], np.flatnonzero(on >= 0)] = on[on >= 0]
    length += on >= 0
    # a top whose command line is told, and is nobody else's, is nobody else
    single = c.in_container & ((command < 0) | (on >= 0))
    code, one = tuples(c.scope, single, *name)
    names, lengths = name[:, one], length[one]
    _go_on(names, lengths, c.scope[one], single[one])
    weak = lengths[code] > length
    return names[:, code], lengths[code], weak


def _go_on(name: np.ndarray, length: np.ndarray, scope: np.ndarray, single: np.ndarray) -> None:
    """Lengthen chains, in place, as long as others that overlap agree on the next name."""
    depth = len(name) // 2
    tables = {}
    for m in range(1, _LONGEST_OVERLAP + 1):
        starts = range(depth + 1 - m)
        tables[m] = _Onward(
            [mix(scope, *name[k : k + m]) for k in starts],
            [name[k + m] >= 0 for k in starts],
            [name[k + m] for k in starts],
        )
    open_ = np.arange(len(scope))
    for _ in range(depth):
        open_ = open_[length[open_] < len(name)]
        on = np.full(len(open_), -1)
        for m in range(_LONGEST_OVERLAP, 0, -1):
            # -1 is no answer; -2, two answers, ends the search
            ask = (on == -1) & (length[open_] >= m) & (single[open_] if m == 1 else True)
            which = open_[ask]
            if len(which):
                top = [name[length[which] - m + k, which] for k in range(m)]
                on[ask] = tables[m].of(mix(scope[which], *top))
        open_, on = open_[on >= 0], on[on >= 0]
        if not len(open_):
            return
        name[length[open_], open_] = on
        length[open_] += 1


class _Onward:
    """The one name that follows a key wherever it occurs: -1 if none does, -2 if several do."""

    def __init__(
        self, keys: list[np.ndarray], follows: list[np.ndarray], names: list[np.ndarray]
    ) -> None:
        empty = np.empty(0, dtype=np.uint64)
        key = np.concatenate([empty, *(k[f] for k, f in zip(keys, follows, strict=True))])
        name = np.concatenate(
            [np.empty(0, np.int64), *(n[f] for n, f in zip(names, follows, strict=True))]
        )
        code, distinct = pd.factorize(key)
        least, most = np.full(len(distinct), 2**62), np.full(len(distinct), -1)
        np.minimum.at(least, code, name)
        np.maximum.at(most, code, name)
        self._keys = pd.Index(distinct)
        self._names = np.append(np.where(least == most, most, -2), -1)

    def of(self, keys: np.ndarray) -> np.ndarray:
        """Return the name after each key."""
        names: np.ndarray = self._names[self._keys.get_indexer(keys)]
        return names


def _prefix_tree(c: _Steps, scope_key: np.ndarray, hashes: list[np.ndarray]) -> Chains:
    """Return the chains as one tree, made from the top down."""
    name, length, weak = _longer(c)
    depth, count = c.name.shape
    nodes = [np.full(count, -1) for _ in range(depth)]
    parents, joins = [], []
    above, made = np.full(count, -1), 0
    key = np.empty(0, dtype=np.uint64)
    for down in range(int(length.max(initial=0))):
        chain = np.flatnonzero(length > down)
        step = length[chain] - 1 - down
        seen = step < c.length[chain]
        # a step that another chain told: a command line is then not told
        told = np.minimum(step, depth - 1)
        labels = [name[step, chain]]
        labels += [np.where(seen, part[told, chain], -1) for part in (c.exepath, c.cmdline)]
        place = mix(c.scope[chain], above[chain], labels[0])
        filled = _fill(place, labels[1], labels[2], seen)
        label = mix(place, labels[1], labels[2])
        code, distinct = pd.factorize(label[seen])
        node = np.empty(len(chain), dtype=np.int64)
        node[seen] = code + made
        other = pd.Index(distinct).get_indexer(label[~seen])
        node[~seen] = np.where(other >= 0, other + made, -1)
        one = np.empty(len(distinct), dtype=np.int64)
        one[code] = np.flatnonzero(seen)
        parent = above[chain[one]]
        salt = np.where(
            parent >= 0, np.append(key, np.uint64(0))[parent], scope_key[c.scope[chain[one]]]
        )
        key = np.concatenate(
            [key, mix(salt, *(h[label_[one]] for h, label_ in zip(hashes, labels, strict=True)))]
        )
        low = np.zeros(len(distinct), dtype=bool)
        low[code[(filled | (weak[chain] & (step == c.length[chain] - 1)))[seen]]] = True
        parents.append(parent)
        joins.append(low)
        for k in range(depth):
            here = seen & (step == k)
            nodes[k][chain[here]] = node[here]
        above[chain] = node
        made += len(distinct)
    none = np.empty(0, dtype=np.int64)
    parent, joined = np.concatenate([none, *parents]), np.concatenate([none != 0, *joins])
    # a chain that could not go on ends in a root that others may have reached at once
    same, distinct = pd.factorize(key)
    one = np.empty(len(distinct), dtype=np.int64)
    one[same] = np.arange(len(same))
    low = np.zeros(len(distinct), dtype=bool)
    low[same[joined]] = True
    to = np.append(same, -1)
    return Chains(distinct, to[parent[one]], low, [to[of] for of in nodes])


def _fill(
    place: np.ndarray, exepath: np.ndarray, cmdline: np.ndarray, seen: np.ndarray
) -> np.ndarray:
    """Fill in place, where only one is known, a program or a command line that is not told."""
    before = exepath < 0, cmdline < 0
    for known, value, by in ((~before[1], exepath, cmdline), (~before[0], cmdline, exepath)):
        ask = np.flatnonzero(known)
        if len(ask) and (value >= 0).any():
            value[ask] = _only(mix(place[ask], by[ask]), value[ask], seen[ask])
    bare = (exepath < 0) & (cmdline < 0)
    if bare.any() and not bare.all():
        told = np.flatnonzero(~bare)
        code, distinct = pd.factorize(mix(exepath[told], cmdline[told]))
        one = np.empty(len(distinct), dtype=np.int64)
        one[code] = told
        pair = np.full(len(place), -1)
        pair[told] = code
        pair = _only(place, pair, seen)
        found = np.flatnonzero(bare & (pair >= 0))
        exepath[found], cmdline[found] = exepath[one[pair[found]]], cmdline[one[pair[found]]]
    filled: np.ndarray = (before[0] & (exepath >= 0)) | (before[1] & (cmdline >= 0))
    return filled


def _only(key: np.ndarray, value: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Return the values, a missing one (-1) filled where its key has one value only."""
    if not (value < 0).any():
        return value
    code, distinct = pd.factorize(key)
    told = seen & (value >= 0)
    least, most = np.full(len(distinct), 2**62), np.full(len(distinct), -1)
    np.minimum.at(least, code[told], value[told])
    np.maximum.at(most, code[told], value[told])
    return np.where((value < 0) & (least == most)[code], most[code], value)
