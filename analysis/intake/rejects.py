"""What is no alert: kept in order, listed as a frame, counted where there is too much to be listed.

In: rejects as they are met. Out: the rejects frame. Why a record is none is for `records`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from analysis.intake.records import Origin, Reject
from analysis.schema import REJECTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MOST = 100_000
"""Rejects of one file that are listed; the others are counted in a last row."""

_MORE = "more records that are no alerts: the first {most} of a file are listed"


class Rejects:
    """The rejects of one file: the first, and how many more there are."""

    def __init__(self) -> None:
        self._kept: list[Reject] = []
        self._more = 0

    def append(self, reject: Reject) -> None:
        """Take one reject, in any order."""
        self._kept.append(reject)
        if len(self._kept) > 2 * MOST:
            self._cut()

    def extend(self, others: Rejects) -> None:
        """Take over those of a part of the file."""
        self._kept += others._kept
        self._more += others._more
        if len(self._kept) > 2 * MOST:
            self._cut()

    def __iter__(self) -> Iterator[Reject]:
        """Yield the first rejects by their place in the file, then one for all others."""
        self._cut()
        yield from self._kept
        if self._more:
            last = self._kept[-1].origin
            end = Origin(last.file, last.line, last.offset + last.length, 0)
            yield Reject(end, f"{self._more} {_MORE.format(most=MOST)}", "")

    def _cut(self) -> None:
        self._kept.sort(key=lambda reject: reject.origin.offset)
        self._more += len(self._kept[MOST:])
        del self._kept[MOST:]


def rejects_frame(rejects: Sequence[Reject]) -> pd.DataFrame:
    """Return rejects as a frame, in the order in which they were met."""
    origins = [reject.origin for reject in rejects]
    made = {
        "origin_file": pd.array([o.file for o in origins], dtype="str"),
        "origin_line": np.array([o.line for o in origins], dtype=np.int64),
        "origin_offset": np.array([o.offset for o in origins], dtype=np.int64),
        "origin_length": np.array([o.length for o in origins], dtype=np.int64),
        "reason": pd.array([reject.reason for reject in rejects], dtype="str"),
        "excerpt": pd.array([reject.excerpt for reject in rejects], dtype="str"),
    }
    return pd.DataFrame(made, columns=list(REJECTS))


def count(rejects: pd.DataFrame) -> int:
    """Return how many records a rejects frame tells of, listed or not."""
    unlisted = rejects["reason"].str.extract(rf"\A(\d+) {re.escape(_MORE.partition('{')[0])}")[0]
    return len(rejects) + int((unlisted.dropna().astype("int64") - 1).sum())
