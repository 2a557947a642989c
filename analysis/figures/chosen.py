"""Which processes of a tree are drawn, where so many would hide the few that matter.

In: processes, one a row, each with its parent. Out: the rows of a figure, top to bottom; what is
not drawn is counted, in a row of its own or between two that are. Nothing is lost: drawn,
between and folded add up to all.

Processes of one shape (the same names from the root down) stand for each other; the rarest shapes
come first, so that 5,000 runs of one job take one row and the one odd shell is seen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

COLUMNS = ("process", "indent", "above", "between", "between_alerts", "folded", "folded_alerts", "names")  # fmt: skip
_NEAREST = 3  # ancestors drawn directly above a process, where the way to the root is long
_LONG = 8  # processes; a longer way is shortened


def choose(processes: pd.DataFrame, most: int) -> pd.DataFrame:
    """Return the rows of a tree's figure, at most about `most`.

    Parameters
    ----------
    processes : DataFrame
        As `ProcessTree.processes`.
    most : int
        Rows, of processes and of counts, that the figure may have. All processes are drawn where
        they are no more than that.

    Returns
    -------
    DataFrame
        One row per row of the figure: `process` (int64, its position in `processes`, -1 for a
        count), `indent` (int64), `above` (int64, the row of the drawn parent, -1 for none),
        `between` (int64, processes between it and that parent that are not drawn),
        `between_alerts` (int64), `folded` (int64, processes that a count stands for),
        `folded_alerts` (int64), `names` (tuple of (name, count), most frequent first).
    """
    tree = _Tree(processes)
    drawn = np.ones(tree.size, dtype=bool)
    if tree.size > most:
        chosen = tree.worth(most)
        drawn = _mask(chosen, tree.size)
        while chosen and (over := int(drawn.sum()) + tree.counts(drawn) - most) > 0:
            del chosen[-max(1, over // 2) :]
            drawn = _mask(chosen, tree.size)
    return tree.lay_out(drawn)


class _Tree:
    """A tree as arrays; levels, not recursion, so that no depth is too deep."""

    def __init__(self, processes: pd.DataFrame) -> None:
        self.size = len(processes)
        ids = pd.Index(processes["process_id"])
        self.parent: NDArray[np.intp] = ids.get_indexer(processes["parent_id"])
        self.alerts = processes["alerts"].to_numpy(dtype="int64")
        self.names = (
            processes["proc.name"].astype("object").where(processes["proc.name"].notna(), "")
        )
        self.boundary = processes["boundary"].to_numpy(dtype=bool)
        by_depth = np.argsort(processes["depth"].to_numpy(), kind="stable")
        cuts = np.flatnonzero(np.diff(processes["depth"].to_numpy()[by_depth])) + 1
        self.levels = np.split(by_depth, cuts) if self.size else []
        # earliest first; ids break ties, so that the order of the rows does not count
        order = np.lexsort((pd.factorize(ids, sort=True)[0], processes["first_seen"].fillna(
            pd.Timestamp.max.tz_localize("UTC")).to_numpy(dtype="datetime64[ns]")))  # fmt: skip
        self.place = np.empty(self.size, dtype="int64")
        self.place[order] = np.arange(self.size)
        self.commands = pd.factorize(processes["proc.cmdline"])[0]

    def worth(self, most: int) -> list[int]:
        """Return processes worth a row, best first, each after what leads to it."""
        shape = self._shapes()
        frame = pd.DataFrame(
            {
                "shape": shape,
                "command": self.commands,
                "quiet": self.alerts == 0,
                "place": self.place,
                "often": np.bincount(shape, minlength=1)[shape],
            }
        ).sort_values("place")
        repeated = frame.duplicated(["shape", "quiet"])
        # the same again, to the letter: worth a number, not a row
        again = frame.duplicated(["shape", "command", "quiet"])
        # one without an alert is drawn for what lies below it, so not for itself
        quiet = frame["quiet"] & bool((self.alerts > 0).any())
        ranked = frame.assign(repeated=repeated)[~again & ~quiet]
        chosen: dict[int, None] = {}
        for process in ranked.sort_values(["repeated", "often", "place"]).index:
            if len(chosen) >= most:
                break
            chosen |= dict.fromkeys(self._way(process, chosen))
        return list(chosen)

    def counts(self, drawn: NDArray[np.bool_]) -> int:
        """Return how many rows of counts there are where `drawn` are drawn."""
        near, _, _, above_drawn = self._relations(drawn)
        return len(np.unique(near[~drawn & ~above_drawn]))

    def lay_out(self, drawn: NDArray[np.bool_]) -> pd.DataFrame:
        """Return the rows, each child below its parent, a count last."""
        near, between, between_alerts, above_drawn = self._relations(drawn)
        children: dict[int, list[int]] = {}
        for process in sorted(np.flatnonzero(drawn).tolist(), key=self.place.__getitem__):
            children.setdefault(int(near[process]), []).append(process)
        hidden = np.flatnonzero(~drawn & ~above_drawn)
        folded = pd.Series(hidden).groupby(near[hidden]).indices
        rows: list[tuple[object, ...]] = []
        waiting = [(-1, -1, -1, False)]
        while waiting:
            process, indent, above, count = waiting.pop()
            if count:
                some = hidden[folded[process]]
                names = self.names.iloc[some].value_counts(sort=False)
                most = tuple(sorted(names.items(), key=lambda one: (-one[1], one[0])))
                rows.append(
                    (-1, indent, above, 0, 0, len(some), int(self.alerts[some].sum()), most)
                )
                continue
            if process >= 0:
                rows.append((process, indent, above, between[process], between_alerts[process], 0, 0, ()))  # fmt: skip
            here = len(rows) - 1 if process >= 0 else -1
            if process in folded:
                waiting.append((process, indent + 1, here, True))
            waiting += [(c, indent + 1, here, False) for c in reversed(children.get(process, []))]
        kinds = dict.fromkeys(COLUMNS[:-1], "int64")
        return pd.DataFrame(rows, columns=list(COLUMNS)).astype(kinds)

    def _shapes(self) -> NDArray[np.int64]:
        codes, names = pd.factorize(self.names)
        shape, known = np.zeros(self.size, dtype="int64"), 0
        for level in self.levels:
            above = np.where(self.parent[level] < 0, 0, shape[self.parent[level]] + 1)
            _, kinds = np.unique(above * len(names) + codes[level], return_inverse=True)
            shape[level] = known + kinds
            known += kinds.max() + 1
        return shape

    def _way(self, process: int, chosen: dict[int, None]) -> Iterator[int]:
        way = [process]
        while (above := int(self.parent[way[-1]])) >= 0 and above not in chosen:
            way.append(above)
        kept = {*way[: _NEAREST + 1], *way[-2:]} if len(way) > _LONG else set(way)
        return (one for one in reversed(way) if one in kept or self.boundary[one])

    def _relations(
        self, drawn: NDArray[np.bool_]
    ) -> tuple[NDArray[np.intp], NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
        near = np.full(self.size, -1)
        between, alerts = np.zeros(self.size, dtype="int64"), np.zeros(self.size, dtype="int64")
        for level in self.levels:
            above = self.parent[level]
            passed = (above >= 0) & ~drawn[above]
            near[level] = np.where(passed, near[above], above)
            between[level] = np.where(passed, between[above] + 1, 0)
            alerts[level] = np.where(passed, alerts[above] + self.alerts[above], 0)
        above_drawn = np.zeros(self.size, dtype=bool)
        for level in reversed(self.levels):
            inner = level[self.parent[level] >= 0]
            leads = inner[drawn[inner] | above_drawn[inner]]
            above_drawn[self.parent[leads]] = True
        return near, between, alerts, above_drawn


def _mask(chosen: list[int], size: int) -> NDArray[np.bool_]:
    drawn = np.zeros(size, dtype=bool)
    drawn[chosen] = True
    return drawn
