"""Who belongs together, from pairs: components, and a spanning forest of the pairs that made them.

In: pairs of numbers. Out: which pairs joined what was apart, and each number's component. Whole
arrays at a time: a round hooks every component to a smaller neighbour, and then each number to
the end of its chain, so that rounds grow with the logarithm of the longest chain.
"""

from __future__ import annotations

from typing import Any

import numpy as np


class Forest:
    """Numbers from 0 to `length` - 1, each at first alone.

    Attributes
    ----------
    root : array of int
        The smallest number of the component of each number.
    """

    def __init__(self, length: int) -> None:
        self.root: Any = np.arange(length)

    def join(self, ones: Any, others: Any) -> Any:
        """Join the pairs; return (as positions, ascending) those that joined what was apart.

        Which of several pairs is the one that joins follows from the numbers alone, never from
        the order of the pairs.
        """
        chosen = []
        left = np.arange(len(ones))
        while len(left):
            one, other = self.root[ones[left]], self.root[others[left]]
            apart = one != other
            left, one, other = left[apart], one[apart], other[apart]
            low, high = np.minimum(one, other), np.maximum(one, other)
            hooking = _first_of_each(high, low, ones[left], others[left])
            # to a smaller number each: no cycle can arise
            self.root[high[hooking]] = low[hooking]
            chosen.append(left[hooking])
            self._shorten()
        return np.sort(np.concatenate(chosen)) if chosen else np.array([], dtype="int64")

    def _shorten(self) -> None:
        while True:
            further = self.root[self.root]
            if np.array_equal(further, self.root):
                return
            self.root = further


def _first_of_each(high: Any, low: Any, ones: Any, others: Any) -> Any:
    """Return, for each distinct `high`, the position of its least (low, ones, others)."""
    ascending = bool((high[1:] > high[:-1]).all())
    if ascending:  # distinct, as in a chain through time
        return np.arange(len(high))
    order = np.lexsort((others, ones, low, high))
    first = np.r_[True, high[order][1:] != high[order][:-1]]
    return order[first]
