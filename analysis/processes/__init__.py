"""Processes and their tree, from all alerts of a set: who ran, below whom, how surely it is known.

In: an alerts frame. Out: a `ProcessTree`. Ancestry inside one alert is `lineage`'s job. Where
alerts tell pids, `by_pid` says which sightings are one process; where they tell names only,
`by_name` says what they are consistent with, and every such row is marked `inferred`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from analysis.features import terminal_name
from analysis.knowledge import names
from analysis.processes import forest
from analysis.processes.describe import cmdlines, describe
from analysis.processes.join import join
from analysis.processes.keys import UNKNOWN, hexadecimal
from analysis.processes.sightings import sightings

if TYPE_CHECKING:
    from analysis.processes.describe import Described
    from analysis.processes.sightings import Sightings

CONFIDENCE = ("low", "medium", "high")


@dataclass(frozen=True)
class ProcessTree:
    """Processes, one row each, and the process of each alert; see `process_tree`."""

    processes: pd.DataFrame
    alert_process: pd.Series

    def ancestors(self, process_id: str) -> pd.DataFrame:
        """Return the processes above one, nearest first."""
        return self.processes.iloc[forest.ancestors(self._parent, self._place(process_id))]

    def descendants(self, process_id: str) -> pd.DataFrame:
        """Return the processes below one, children before grandchildren."""
        return self.processes.iloc[forest.descendants(self._parent, self._place(process_id))]

    def roots(self) -> pd.DataFrame:
        """Return the processes of which no parent is known."""
        return self.processes[self.processes["parent_id"].isna()]

    def path(self, one: str, other: str) -> pd.DataFrame:
        """Return the processes from `one` to `other`, both included; none if no tree has both."""
        places = self._place(one), self._place(other)
        up, down = ([at, *forest.ancestors(self._parent, at)] for at in places)
        meeting = next((at for at in up if at in set(down)), None)
        if meeting is None:
            return self.processes.iloc[[]]
        way = up[: up.index(meeting) + 1] + down[: down.index(meeting)][::-1]
        return self.processes.iloc[way]

    @cached_property
    def _ids(self) -> Any:
        return pd.Index(self.processes["process_id"])

    @cached_property
    def _parent(self) -> np.ndarray:
        places: np.ndarray = self._ids.get_indexer(self.processes["parent_id"])
        return places

    def _place(self, process_id: str) -> int:
        if process_id not in self._ids:
            raise KeyError(f"no process {process_id!r} in this tree")
        return int(self._ids.get_loc(process_id))


def process_tree(alerts: pd.DataFrame) -> ProcessTree:
    """Join what alerts tell of processes into trees.

    Parameters
    ----------
    alerts : DataFrame
        As `read_alerts` returns it; reads `time`, `evt.time`, `hostname`, `container.id`,
        `user.loginuid` and the fields of processes and ancestors, each where the frame has it.

    Returns
    -------
    ProcessTree
        `processes`, one row each by `first_seen`, with

        process_id, parent_id : str
            `p-` and 16 hexadecimal digits, from content; `parent_id` is missing for a root.
        depth : int64
            0 for a root.
        hostname, container.id : category
        proc.name, proc.exepath, proc.cmdline : str
            As the earliest alert on the process tells them; of a process without alerts, as the
            earliest alert below it does.
        proc.pid : Int64
        started : datetime64[ns, UTC]
            `proc.pid.ts` or `proc.ppid.ts`; else the event's time minus the duration.
        first_seen, last_seen : datetime64[ns, UTC]
            Times of the alerts on the process, or naming it as an ancestor.
        alerts : int64
            Rows of `alerts` on this very process; 0: known as an ancestor only.
        inferred : bool
            The process, or who its parent is, rests on names only.
        confidence : str
            high: pid and start told, and those of its parent. medium: one of them matched by pid
            and name; or a name chain of one alert. low: no host told, or name chains joined.
        boundary : bool
            It bears the name of a container runtime: above it is the host.
        session_leader : boolean
        terminal : str
            The terminal of `proc.tty`, "none" for 0.
        reparented : bool
            A later alert tells another parent than the earliest: that one had ended.

        `alert_process`, the process_id of each alert, missing where it tells of no process.

    Notes
    -----
    The same for any order of the rows. A pid used again is another process; no parent is on
    another host, nor started after its child. `parent_id` is what the earliest alert tells.
    """
    s = sightings(alerts)
    made = join(s)
    told = describe(s, made.nodes, len(made.key))
    confidence = np.where(told.host < 0, 0, made.confidence)
    order = np.lexsort((made.key, told.first_seen))
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    parent, depth = forest.without_cycles(made.parent, rank)
    parent = np.where(parent >= 0, rank[parent], -1)[order]
    ids = hexadecimal("p-", made.key[order])
    processes = pd.DataFrame(
        {
            "process_id": pd.array(ids, dtype="str"),
            "parent_id": _texts(ids, parent),
            "depth": depth[order],
            **_described(s, told, order),
            "proc.pid": pd.arrays.IntegerArray(made.pid[order], made.pid[order] == 0),
            "started": _times(made.start[order]),
            "first_seen": _times(told.first_seen[order]),
            "last_seen": _times(told.last_seen[order]),
            "alerts": told.alerts[order],
            "inferred": made.inferred[order],
            "confidence": _texts(pa.array(CONFIDENCE, pa.large_string()), confidence[order]),
            "reparented": made.reparented[order],
        }
    )
    own_rank = np.append(rank, -1)[made.nodes[0]]
    return ProcessTree(processes, pd.Series(_texts(ids, own_rank), index=alerts.index))


def _described(s: Sightings, told: Described, order: np.ndarray) -> dict[str, Any]:
    runtime = re.compile(names()["runtime"])
    known = [bool(runtime.search(name or "")) for name in s.names.to_pylist()]
    tty, distinct = pd.factorize(told.tty[order])
    terminals = [terminal_name(int(device)) if device >= 0 else None for device in distinct]
    leader = told.leader[order]
    return {
        "hostname": _category(s.hosts, told.host[order]),
        "container.id": _category(s.containers, told.container[order]),
        "proc.name": _texts(s.names, told.name[order]),
        "proc.exepath": _texts(s.exepaths, told.exepath[order]),
        "proc.cmdline": pd.array(cmdlines(s, told.cmdline[order]), dtype="str"),
        "boundary": np.array([*known, False])[told.name[order]],
        "session_leader": pd.arrays.BooleanArray(leader == 1, leader < 0),
        "terminal": _texts(pa.array(terminals, pa.large_string()), tty),
    }


def _texts(vocabulary: pa.Array, codes: np.ndarray) -> Any:
    return pd.array(vocabulary.take(pa.array(codes, mask=codes < 0)), dtype="str")


def _category(vocabulary: pa.Array, codes: np.ndarray) -> pd.Categorical:
    used = np.unique(codes[codes >= 0])
    texts = pd.array(vocabulary.take(pa.array(used)), dtype="str")
    order = np.argsort(texts)
    place = np.full(len(vocabulary) + 1, -1)
    place[used[order]] = np.arange(len(used))
    return pd.Categorical.from_codes(place[codes], categories=pd.Index(texts[order], dtype="str"))


def _times(nanoseconds: np.ndarray) -> Any:
    known = nanoseconds > UNKNOWN
    times = np.where(known, nanoseconds, np.iinfo(np.int64).min).view("datetime64[ns]")
    return pd.DatetimeIndex(times).tz_localize("UTC")
