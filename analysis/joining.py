"""Which alerts are one story, and why: pairs of alerts that agree on a join's fields, near in time.

In: alerts, their order in time, their processes. Out: pairs, each with the field that agrees. What
joins is data (`knowledge/joins.toml`); a missing value joins nothing, an undated alert neither.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from analysis.features import event_sources
from analysis.knowledge import joining, joins, names
from analysis.knowledge.masks import coded, each, met

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from analysis.knowledge import Join
    from analysis.processes import ProcessTree


# of each alert that holds a value: its place, the value with all else that must agree, the field
_Entries = tuple[Any, Any, Any]


@dataclass(frozen=True)
class Pairs:
    """Pairs of alerts, as places in the order of time: `later` and `earlier`, and what agrees.

    `field` and `other_field` are positions in `fields`: where the later and the earlier alert
    hold the value.
    """

    reason: str
    fields: tuple[str, ...]
    later: Any
    earlier: Any
    field: Any
    other_field: Any


class Ordered:
    """The columns of alerts in order of time, taken from the frame where they are needed."""

    def __init__(self, alerts: pd.DataFrame, order: Any) -> None:
        self.alerts, self.order = alerts, order
        self.time = alerts["time"].astype("int64").to_numpy()[order]
        self.dated = alerts["time"].notna().to_numpy()[order]
        self.source = event_sources(alerts)

    def column(self, field: str, rows: Any) -> Any:
        """Return a column at these places, or None where the frame has none."""
        whole = self.source if field == "source" else self.alerts.get(field)
        return None if whole is None else whole.iloc[self.order[rows]]

    def codes(self, field: str, rows: Any) -> Any:
        """Return a column as codes; -1 where its value joins nothing."""
        column = self.column(field, rows)
        if column is None:
            return np.full(len(rows), -1)
        codes, values = coded(column)
        nothing = ["<NA>", *joining()["unknown"].get(field, ())]
        kept = [at if value not in nothing else -1 for at, value in enumerate(values)]
        return np.array([*kept, -1])[codes]


def pairs(alerts: Ordered, gap: pd.Timedelta) -> Iterator[Pairs]:
    """Yield, join by join, the neighbours in time that agree and are no further apart than `gap`."""
    known = set(alerts.source.cat.categories)
    for join in joins():
        if known.isdisjoint(join.sources):
            continue
        rows, key = _meeting(join, alerts)
        if len(rows) < 2:  # noqa: PLR2004 - one alone joins nothing
            continue
        if join.one_of:
            held = [_values(alerts, field, rows, join.telling) for field in join.one_of]
            yield _near((join.reason, join.one_of), alerts, _entries(rows, key, held), gap)
        else:
            entries = rows, key, np.zeros_like(rows)
            yield _near((join.reason, (join.by,)), alerts, entries, gap)


def lineage_pairs(alerts: Ordered, tree: ProcessTree, gap: pd.Timedelta) -> Iterator[Pairs]:
    """Yield the pairs of alerts that name one process, as their own or as an ancestor.

    Only by pid, and only a process whose name is known. What starts everybody's work (systemd,
    sshd, a container's shim) joins nothing; a server joins within `gap`; any other process joins
    for as long as `joins.toml` says.

    Parameters
    ----------
    alerts : Ordered
    tree : ProcessTree
        Of all rows of the frame behind `alerts`, or of some; its index counts them from 0.
    gap : Timedelta
    """
    table = joining()["lineage"]
    processes = tree.processes
    if processes.empty:
        return
    ids = pd.Index(_numbers(processes["process_id"]))
    parent = ids.get_indexer(_numbers(processes["parent_id"]))
    own = np.full(len(alerts.alerts), -1)
    own[tree.alert_process.index] = ids.get_indexer(_numbers(tree.alert_process))
    own = own[alerts.order]
    pid = processes["proc.pid"].fillna(-1).to_numpy("int64")
    name = processes["proc.name"]
    barred = processes["boundary"].to_numpy() | processes["inferred"].to_numpy() & (pid < 0)
    barred |= (pid <= 1) | ~each(name, lambda one: not re.search(table["starter"], one))
    serving = each(name, lambda one: bool(re.search(names()["server"], one)))
    fields, nodes = [], []
    for level in range(table["levels"] + 1):
        for field in _pid_fields(level):
            if field in alerts.alerts:
                told = alerts.alerts[field].iloc[alerts.order].fillna(-1).to_numpy("int64")
                fields.append(field)
                nodes.append(np.where((own >= 0) & (pid[own] == told) & ~barred[own], own, -1))
        own = np.where(own >= 0, parent[own], -1)
    if not nodes:
        return
    named = np.stack(nodes, axis=1)
    named[~alerts.dated] = -1
    for span, kind in ((gap, serving), (pd.Timedelta(table["gap"]), ~serving)):
        # the last kind is that of -1
        wanted = np.flatnonzero(np.append(kind, False)[named.ravel()])
        rows, told = np.divmod(wanted, len(fields))
        entries = rows, named.ravel()[wanted], told
        yield _near((table["reason"], tuple(fields)), alerts, entries, span)


def _pid_fields(level: int) -> tuple[str, ...]:
    """Return the fields that may tell the pid of the ancestor at a level."""
    plain = ("proc.pid", "proc.ppid")[level : level + 1]
    return (*plain, f"proc.apid[{level}]") if level else plain


def _numbers(ids: pd.Series) -> Any:
    """Return ids of two characters and 16 hexadecimal digits as numbers; a missing one as 0.

    Numbers are found ten times as fast as texts, and there is one per alert.
    """
    texts = pa.array(ids, pa.large_string()).drop_null()
    ends = np.frombuffer(texts.buffers()[1], "int64")[texts.offset :][: len(texts) + 1]
    held = np.frombuffer(texts.buffers()[2] or b"", "uint8")[ends[0] : ends[-1]]
    letters = held.reshape(-1, 18)[:, 2:]
    digits = np.where(letters >= ord("a"), letters - ord("a") + 10, letters - ord("0"))
    octets = np.ascontiguousarray((digits[:, ::2] << 4) | digits[:, 1::2])
    numbers = np.zeros(len(ids), dtype="uint64")
    numbers[ids.notna().to_numpy()] = octets.view(">u8").ravel()
    return numbers


def _meeting(join: Join, alerts: Ordered) -> tuple[Any, Any]:
    """Return the places of the alerts that a join is about, and its key for each."""
    rows = np.flatnonzero(alerts.dated)
    rows = rows[each(alerts.column("source", rows), lambda source: source in join.sources)]
    for condition in join.all:
        rows = rows[met(condition, alerts.column(condition.field, rows), len(rows))]
    key = np.zeros(len(rows), dtype="int64")
    for field in join.fields:
        codes = alerts.codes(field, rows)
        held = codes >= 0
        # dense, so that no number of fields makes the key overflow
        key = pd.factorize(key[held] * (codes.max(initial=0) + 1) + codes[held])[0]
        rows = rows[held]
    return rows, key


def _values(alerts: Ordered, field: str, rows: Any, telling: str) -> Any:
    """Return a column's values; missing where they tell too little to join."""
    column = alerts.column(field, rows)
    if column is None:
        return pd.Series(pd.NA, index=range(len(rows)), dtype="str")
    text = column.astype("str").reset_index(drop=True)
    return text.where(text.str.contains(telling, na=False)) if telling else text


def _entries(rows: Any, key: Any, held: Sequence[Any]) -> _Entries:
    """Return one entry per alert and field that holds a value: place, key with value, field."""
    codes = pd.factorize(pd.concat(held, ignore_index=True))[0]
    # by alert, then by field
    codes = codes.reshape(len(held), -1).T.ravel()
    told = np.flatnonzero(codes >= 0)
    row, field = np.divmod(told, len(held))
    return rows[row], key[row] * (codes.max(initial=0) + 1) + codes[told], field


def _near(
    join: tuple[str, tuple[str, ...]], alerts: Ordered, entries: _Entries, gap: pd.Timedelta
) -> Pairs:
    """Return the pairs of entries of one key that are neighbours in time, and near."""
    rows, key, field = entries
    # a stable sort keeps the order of time; numpy has a faster one for short numbers
    short = key.astype(np.min_scalar_type(int(key.max(initial=0))))
    order = np.argsort(short, kind="stable")
    earlier, later = order[:-1], order[1:]
    near = alerts.time[rows[later]] - alerts.time[rows[earlier]] <= gap.value
    joined = (key[earlier] == key[later]) & near & (rows[earlier] != rows[later])
    earlier, later = earlier[joined], later[joined]
    return Pairs(*join, rows[later], rows[earlier], field[later], field[earlier])
