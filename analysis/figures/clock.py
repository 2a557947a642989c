"""A time axis that stays readable over hours of silence.

In: times. Out: where each stands. A long gap is cut out and named; time is to scale within a
part, not across a cut.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from numpy.typing import NDArray

CUT = 0.72  # inches that a cut takes
_SHARE = 0.2  # of all the time: a gap this long hides the rest
_RATIO = 10  # a gap is long only beside a short one
_CUTS = 3  # at most, or nothing else is left
_APART, _ROOM = 0.8, 0.4  # inches between ticks, and from a tick to the end
_SECOND = 10**9
_STEPS = [
    *(s * 10**e for e in (6, 7, 8) for s in (1, 2, 5)),
    *(_SECOND * s for s in (1, 2, 5, 10, 15, 30)),
    *(60 * _SECOND * s for s in (1, 2, 5, 10, 15, 30)),
    *(3600 * _SECOND * s for s in (1, 2, 3, 6, 12)),
    *(86400 * _SECOND * s for s in (1, 2, 7, 14, 28, 91, 182, 365, 3650, 36500)),
]


@dataclass(frozen=True)
class Part:
    """A stretch of time without a long gap: from `first` to `last` [ns], `left` to `right` [inch]."""

    first: int
    last: int
    left: float
    right: float

    @property
    def step(self) -> int:
        """Between two ticks [ns], so that what is written at them does not touch."""
        least = _APART * (self.last - self.first) / (self.right - self.left)
        moment = self.last == self.first
        return _SECOND if moment else next((one for one in _STEPS if one >= least), _STEPS[-1])

    def ticks(self) -> list[int]:
        """Return the times to be written: the first, and round ones where there is room."""
        size, step = self.right - self.left, self.step
        if size < 2 * _ROOM or self.last == self.first:
            return [self.first]
        inch = (self.last - self.first) / size
        start = self.first + int(_APART * inch)
        end = self.last - int(_ROOM * inch)
        return [self.first, *range(-(-start // step) * step, end + 1, step)]


def parts(times: NDArray[np.int64], left: float, right: float) -> list[Part]:
    """Return the parts of an axis from `left` to `right` that holds `times` [ns]."""
    known = np.unique(times)
    gaps = np.diff(known)
    limit = max(_SHARE * (known[-1] - known[0]), _RATIO * gaps.min()) if gaps.size else 0
    longest = np.argsort(gaps, kind="stable")[::-1][:_CUTS]
    cuts = np.sort(longest[gaps[longest] > limit]) + 1
    pieces = np.split(known, cuts)
    weights = np.array([1 + np.log2(len(piece)) for piece in pieces])
    sizes = weights / weights.sum() * (right - left - CUT * len(cuts))
    starts = left + np.concatenate([[0.0], np.cumsum(sizes + CUT)[:-1]])
    return [
        Part(int(piece[0]), int(piece[-1]), float(start), float(start + size))
        for piece, start, size in zip(pieces, starts, sizes, strict=True)
    ]


def place(times: NDArray[np.int64], axis: list[Part]) -> NDArray[np.float64]:
    """Return where `times`, each within a part of `axis`, stand on it [inch]."""
    known, where = [], []
    for part in axis:
        known += [part.first, part.last]
        where += [part.left, part.right if part.last > part.first else part.left]
    start = known[0]  # from here on: a float holds ns of an incident, not ns since 1970
    return np.interp(times - start, np.array(known) - start, where)


def written(time: int, step: int) -> str:
    """Return a time of day, with milliseconds where the `step` between ticks [ns] is short."""
    stamp = pd.Timestamp(time, unit="ns", tz="UTC")
    if step < _SECOND:
        return f"{stamp:%H:%M:%S}.{stamp.value % _SECOND // 10**6:03d}"
    return f"{stamp:%H:%M:%S}"
