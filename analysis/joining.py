"""Which alerts are one story, and why: pairs of alerts that agree on a join's fields, near in time.

In: alerts, their order in time, their processes. Out: pairs, each with the field that agrees. What
joins is data (`knowledge/joins.toml`); a missing value joins nothing, an undated alert neither.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from analysis.features import event_sources
from analysis.knowledge import joining, joins
from analysis.knowledge.masks import coded, each, met

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from analysis.knowledge import Join


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

    def column(self, field: str, rows: Any) -> pd.Series | None:
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
            yield _near(join.reason, join.one_of, alerts, *_entries(rows, key, held), gap)
        else:
            yield _near(join.reason, (join.by,), alerts, rows, key, np.zeros_like(rows), gap)


def lineage_pairs(alerts: Ordered, named: Sequence[tuple[str, Any]]) -> Pairs:
    """Return the pairs of alerts that name one process.

    Parameters
    ----------
    alerts : Ordered
    named : sequence of (field, codes)
        For each field that names a process (`proc.pid`, `proc.ppid`, ...), the process of each
        alert in order of time, -1 where there is none or where it joins nothing.
    """
    rows = np.flatnonzero(alerts.dated)
    table = joining()["lineage"]
    entries = _entries(rows, np.zeros_like(rows), [codes[rows] for _, codes in named])
    fields = tuple(field for field, _ in named)
    return _near(table["reason"], fields, alerts, *entries, pd.Timedelta(table["gap"]))


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


def _values(alerts: Ordered, field: str, rows: Any, telling: str) -> pd.Series:
    """Return a column's values; missing where they tell too little to join."""
    column = alerts.column(field, rows)
    if column is None:
        return pd.Series(pd.NA, index=range(len(rows)), dtype="str")
    text = column.astype("str").reset_index(drop=True)
    return text.where(text.str.contains(telling, na=False)) if telling else text


def _entries(rows: Any, key: Any, held: Sequence[Any]) -> tuple[Any, Any, Any]:
    """Return one entry per alert and field that holds a value: place, key with value, field."""
    if not held:
        return rows[:0], key[:0], rows[:0]
    values = pd.concat([pd.Series(one) for one in held], ignore_index=True)
    codes = pd.factorize(values)[0] if values.dtype != "int64" else values.to_numpy()
    told = np.flatnonzero(codes >= 0)
    row, field = told % len(rows), told // len(rows)
    return rows[row], key[row] * (codes.max(initial=0) + 1) + codes[told], field


def _near(
    reason: str,
    fields: tuple[str, ...],
    alerts: Ordered,
    rows: Any,
    key: Any,
    field: Any,
    gap: pd.Timedelta,
) -> Pairs:
    ascending = len(rows) < 2 or bool((rows[1:] > rows[:-1]).all())  # noqa: PLR2004
    # a stable sort keeps the order of time
    order = np.argsort(key, kind="stable") if ascending else np.lexsort((field, rows, key))
    earlier, later = order[:-1], order[1:]
    near = alerts.time[rows[later]] - alerts.time[rows[earlier]] <= gap.value
    joined = (key[earlier] == key[later]) & near & (rows[earlier] != rows[later])
    earlier, later = earlier[joined], later[joined]
    return Pairs(reason, fields, rows[later], rows[earlier], field[later], field[earlier])
