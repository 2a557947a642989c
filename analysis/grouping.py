"""Groups of alerts and what is in them: the distinct values of each group, as tuples.

In: the rows of distinct alerts, in order of time, and the group of each. Out: one entry per
group. Whole arrays at a time, whatever the number of groups.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from analysis.knowledge.masks import coded

if TYPE_CHECKING:
    from collections.abc import Sequence


def distinct(alerts: pd.DataFrame) -> tuple[Any, Any]:
    """Return the row of each distinct alert, by time and id, and for each row the place therein."""
    time = alerts["time"].astype("int64").to_numpy(copy=True)
    time[alerts["time"].isna().to_numpy()] = np.iinfo("int64").max
    order = np.argsort(time, kind="stable")
    same = np.flatnonzero(time[order][1:] == time[order][:-1])
    # only alerts of one moment need their ids compared: deliveries share their time
    tied = np.union1d(same, same + 1)
    ids = alerts["alert_id"].iloc[order[tied]].to_numpy(dtype=object)
    order[tied] = order[tied][np.lexsort((ids, time[order[tied]]))]
    new = np.ones(len(order), dtype=bool)
    ids = alerts["alert_id"].iloc[order[tied]].to_numpy(dtype=object)
    new[tied[1:]] = (ids[1:] != ids[:-1]) | (tied[1:] != tied[:-1] + 1)
    place = np.empty(len(order), dtype="int64")
    place[order] = np.cumsum(new) - 1
    return order[new], place


@dataclass(frozen=True)
class Groups:
    """Distinct alerts of a frame: their `rows` in order of time, and the `group` of each.

    Groups are numbered from 0 to `count` - 1, and none is empty.
    """

    alerts: pd.DataFrame
    rows: Any
    group: Any
    count: int

    def codes(self, field: str) -> tuple[Any, list[Any]]:
        """Return a column of these alerts as codes (-1: missing), and its distinct values."""
        if field not in self.alerts:
            return np.full(len(self.rows), -1), []
        codes, values = coded(self.alerts[field])
        return codes[self.rows].astype("int64"), values

    def members(self, codes: Any, size: int) -> tuple[Any, Any]:
        """Return (group, code) of each code that a group holds, by group, then as it came first."""
        told = codes >= 0
        pairs = pd.unique(self.group[told] * max(size, 1) + codes[told])
        group, code = np.divmod(pairs, max(size, 1))
        order = np.argsort(group, kind="stable")
        return group[order], code[order]

    def tuples(self, group: Any, code: Any, names: Sequence[Any]) -> Any:
        """Return, for each group, the names of its codes as a tuple; of (group, code) by group."""
        sizes = np.bincount(group, minlength=self.count)
        ends = np.cumsum(sizes)
        found = np.empty(self.count, dtype=object)
        found.fill(())
        # most groups hold one value: one tuple for all groups of that value
        alone = np.empty(len(names) + 1, dtype=object)
        alone[:-1] = [(name,) for name in names] if len(names) != 1 else None
        if len(names) == 1:
            alone[0] = (names[0],)
        single = np.flatnonzero(sizes == 1)
        found[single] = alone[code[ends[single] - 1]]
        several = np.flatnonzero(sizes > 1)
        words = np.array([*names, None], dtype=object)
        for one in several.tolist():  # a tuple is a Python object, so each is made by Python
            found[one] = tuple(words[code[ends[one] - sizes[one] : ends[one]]])
        return found

    def named(self, *fields: str, without: Sequence[Any] = ("", "<NA>")) -> Any:
        """Return, for each group, the distinct values of the fields as tuples, as they came first."""
        parts = [self.codes(field) for field in fields]
        names = list(dict.fromkeys(str(v) for _, values in parts for v in values))
        places = {name: at if name not in without else -1 for at, name in enumerate(names)}
        code = np.full(len(self.rows), -1)
        for codes, values in parts:
            known = np.array([*(places[str(v)] for v in values), -1])[codes]
            code = np.where(code >= 0, code, known)
        return self.tuples(*self.members(code, len(names)), names)

    def smallest(self, values: Any) -> Any:
        """Return the smallest value of each group."""
        found = np.full(self.count, values.max(initial=0), dtype=values.dtype)
        np.minimum.at(found, self.group, values)
        return found
