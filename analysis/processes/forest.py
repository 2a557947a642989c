"""Trees as arrays: each node's parent by number, -1 for a root. Any size, any depth.

In: numpy arrays. Out: numpy arrays. Pointer jumping (each node's pointer doubles its reach every
round), so the cost grows with the logarithm of the depth.
"""

from __future__ import annotations

import numpy as np


def depths(parent: np.ndarray) -> np.ndarray:
    """Return each node's distance from its root; a node that reaches no root has -1."""
    reach = np.where(parent < 0, -1, parent)
    steps = (parent >= 0).astype(np.int64)
    open_ = np.flatnonzero(reach >= 0)
    for _ in range(len(parent).bit_length() + 1):
        if not len(open_):
            return steps
        via = reach[open_]
        steps[open_], reach[open_] = steps[open_] + steps[via], reach[via]
        open_ = open_[reach[open_] >= 0]
    steps[open_] = -1
    return steps


def without_cycles(parent: np.ndarray, rank: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return parents and depths, each cycle cut above its member of least `rank` (all distinct)."""
    depth = depths(parent)
    lost = np.flatnonzero(depth < 0)
    if not len(lost):
        return parent, depth
    number = np.full(len(parent), -1)
    number[lost] = np.arange(len(lost))
    reach = number[parent[lost]]  # what never reaches a root has a parent that never does
    least = rank[lost]
    for _ in range(len(lost).bit_length()):
        least, reach = np.minimum(least, least[reach]), reach[reach]
    on_cycle = np.zeros(len(lost), dtype=bool)
    on_cycle[reach] = True  # after more steps than nodes all have arrived on a cycle
    cut = parent.copy()
    cut[lost[on_cycle & (least == rank[lost])]] = -1
    return cut, depths(cut)


def ancestors(parent: np.ndarray, node: int) -> list[int]:
    """Return the nodes above `node`, nearest first."""
    found = []
    node = int(parent[node])
    while node >= 0:
        found.append(node)
        node = int(parent[node])
    return found


def descendants(parent: np.ndarray, node: int) -> np.ndarray:
    """Return the nodes below `node`, level by level."""
    order = np.argsort(parent, kind="stable")
    by_parent = parent[order]
    found, level = [], np.array([node])
    while len(level):
        left = np.searchsorted(by_parent, level, side="left")
        sizes = np.searchsorted(by_parent, level, side="right") - left
        starts = np.repeat(left - np.cumsum(sizes) + sizes, sizes)
        level = order[starts + np.arange(sizes.sum())]
        found.append(level)
    return np.concatenate(found)
