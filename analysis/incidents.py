"""Group alerts into incidents, and say why each alert is in its own.

In: alerts. Out: the alerts with `incident_id`, one row per incident, and the links: which field
joined which alerts. What joins is data (`joining`), who belongs together then follows (`forest`).
Ids come from content, so the same alerts give the same incidents in any order.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from analysis import triage
from analysis.forest import Forest
from analysis.grouping import Groups, distinct
from analysis.identity import identify
from analysis.joining import Ordered, Pairs, lineage_pairs, pairs
from analysis.knowledge import joining, tactics
from analysis.knowledge.masks import coded
from analysis.processes import ProcessTree, process_tree
from analysis.schema import PRIORITY, TIME, require

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


_TREE = ("time", "evt.time", "hostname", "container.id", "user.loginuid")


class Correlation(NamedTuple):
    """What `correlate` returns: three frames."""

    alerts: pd.DataFrame
    incidents: pd.DataFrame
    links: pd.DataFrame


def correlate(
    alerts: pd.DataFrame, *, gap: str | pd.Timedelta = "15min", by: str = "activity"
) -> Correlation:
    """Give each alert its incident.

    Alerts are of one incident where they share a container, a pod, a login session or, in cloud and
    audit sources, actor and source address, with no more than `gap` between one and the next; and
    where they name one process (`knowledge/joins.toml` has each rule and its reason). A missing
    value joins nothing, and an alert without a time stays alone.

    Parameters
    ----------
    alerts : DataFrame
        As `read_alerts` returns it. Reads `time`, `priority`, `rule`, `source`, `hostname`, what
        `identify` reads, and the fields named in `joins.toml`, each where the frame has it.
    gap : time span
        The longest pause inside an incident.
    by : {"activity", "alert"}
        "alert" makes one incident per alert.

    Returns
    -------
    alerts : DataFrame
        A copy with `alert_id` (see `identify`), `process_id` (str, see `process_tree`; missing where
        the alert tells no pid), and `incident_id` (str): `inc-` and the 16
        hexadecimal digits of the incident's first alert, by time, then by `alert_id`. So the id
        stays whatever happens elsewhere, and while later alerts join; an earlier alert that
        arrives late renames the incident.
    incidents : DataFrame
        One row per incident, by time: `incident_id` (str), `first_seen`, `last_seen`
        (datetime64[ns, UTC]), `duration` (timedelta64[ns]), `priority` (the highest), `score`
        (float, 0 to 100, see `triage.score`), `rules`, `tactics` (in the order of the kill chain),
        `hosts`, `containers` (ids), `images`, `users` (tuples of str, as they came first),
        `alerts` (int, distinct), `records` (int, with every delivery of an alert).
    links : DataFrame
        A spanning forest, one row less than an incident has alerts: `alert_id` was joined with
        the earlier `other_alert_id` for this `reason` (category); the one holds in its `field`, the
        other in its `other_field` (mostly the same), this `value` (str).

    Raises
    ------
    AlertSchemaError
        If a column above is missing.
    ValueError
        If `by` is neither, or `gap` no time span, or negative.
    """
    grouped = _group(alerts, gap, by)
    incidents = _incidents(grouped.groups, grouped.own, grouped.roots, grouped.belongs)
    return Correlation(
        grouped.alerts, incidents, _links(grouped.found, grouped.alerts, grouped.order)
    )


def assign_incidents(
    alerts: pd.DataFrame, *, gap: str | pd.Timedelta = "15min", by: str = "activity"
) -> pd.DataFrame:
    """Return the alerts as `correlate` does, where nobody asks for the incidents and their scores."""
    return _group(alerts, gap, by).alerts


class _Grouped(NamedTuple):
    """Alerts with their incidents, and what the frames of these are made from."""

    alerts: pd.DataFrame
    groups: Groups
    own: pd.Series
    roots: Any
    belongs: Any
    found: list[Pairs]
    order: Any


def _group(alerts: pd.DataFrame, gap: str | pd.Timedelta, by: str) -> _Grouped:
    require(alerts, ("time", "priority", "rule", "hostname", "source"), by="correlate")
    span = pd.to_timedelta(gap, errors="coerce")
    if by not in ("activity", "alert") or pd.isna(span) or span.value < 0:
        raise ValueError(
            f"by={by!r}, gap={gap!r}: give activity or alert, and a span such as 15min"
        )
    attrs = alerts.attrs
    # the tree needs no ids, and leaves a core to them
    with ThreadPoolExecutor(1) as beside:
        growing = beside.submit(_tree, alerts)
        if "alert_id" not in alerts:
            alerts = identify(alerts)
        tree = growing.result()
    order, place = distinct(alerts)
    forest = Forest(len(order))
    ordered = Ordered(alerts, order)
    found: list[Pairs] = []
    if by == "activity" and len(order) > 1:
        found = _join(chain(pairs(ordered, span), lineage_pairs(ordered, tree, span)), forest)
    is_first = forest.root == np.arange(len(order))
    roots, group = np.flatnonzero(is_first), (np.cumsum(is_first) - 1)[forest.root]
    ids = alerts["alert_id"].iloc[order]
    own = pd.Series("inc-" + ids.iloc[roots].str[2:].array, dtype="str")
    correlated = alerts.assign(
        incident_id=own.array.take(group[place]),
        process_id=tree.alert_process.reindex(range(len(alerts))).astype("str").array,
    )
    correlated.attrs = attrs
    groups = Groups(alerts, order, group, len(roots))
    return _Grouped(correlated, groups, own, roots, group[place], found, order)


def _tree(alerts: pd.DataFrame) -> ProcessTree:
    """Return the tree of the processes that pids tell: names alone join nothing further."""
    wanted = [name for name in alerts if name in _TREE or str(name).startswith("proc.")]
    frame = alerts[wanted].reset_index(drop=True)
    if "proc.pid" not in frame:
        return process_tree(frame.iloc[:0])
    known = frame["proc.pid"].notna().to_numpy(bool)
    return process_tree(frame if known.all() else frame[known])


def _join(found: Iterable[Pairs], forest: Forest) -> list[Pairs]:
    """Join what the pairs join; return of them those that were needed."""
    needed = []
    for one in found:
        kept = forest.join(one.later, one.earlier)
        parts = (part[kept] for part in (one.later, one.earlier, one.field, one.other_field))
        needed.append(Pairs(one.reason, one.fields, *parts))
    return needed


def _incidents(groups: Groups, own: pd.Series, roots: Any, belongs: Any) -> pd.DataFrame:
    measures = triage.measure(groups)
    group, tactic = np.nonzero(measures.tactics)
    first = groups.alerts["time"].iloc[groups.rows[roots]].reset_index(drop=True)
    newest = np.empty(groups.count, dtype="int64")
    newest[groups.group] = np.arange(len(groups.rows))  # in order of time: the last one stays
    last = groups.alerts["time"].iloc[groups.rows[newest]].reset_index(drop=True)
    incidents = pd.DataFrame(
        {
            "incident_id": own,
            "first_seen": first.astype(TIME),
            "last_seen": last.astype(TIME),
            "duration": (last - first).astype("timedelta64[ns]"),
            "priority": _highest(groups, belongs),
            "score": triage.points(measures).sum(axis=1).round(1),
            "rules": groups.named("rule"),
            "tactics": groups.tuples(group, tactic, list(tactics().values())),
            "hosts": groups.named("hostname"),
            "containers": groups.named("container.id", without=("", "host")),
            "images": groups.named("container.image.repository"),
            "users": groups.named(*joining()["users"]["fields"]),
            "alerts": np.bincount(groups.group, minlength=groups.count),
            "records": np.bincount(belongs, minlength=groups.count),
        }
    )
    return incidents.reset_index(drop=True)


def _highest(groups: Groups, belongs: Any) -> pd.Categorical:
    """Return the highest priority of each incident, over every record: deliveries may differ."""
    codes = groups.alerts["priority"].astype(PRIORITY).cat.codes.to_numpy()
    found = np.full(groups.count, -1, dtype=codes.dtype)
    np.maximum.at(found, belongs, codes)
    return pd.Categorical.from_codes(found, dtype=PRIORITY)


def _links(found: Sequence[Pairs], alerts: pd.DataFrame, order: Any) -> pd.DataFrame:
    """Return the links, by time of the later alert."""
    reasons = list(dict.fromkeys(one.reason for one in found))
    fields = list(dict.fromkeys(field for one in found for field in one.fields))
    none = np.zeros(0, dtype="int64")
    later = np.concatenate([none, *(one.later for one in found)])
    sort = np.argsort(later, kind="stable")

    def whole(parts: Iterable[Any]) -> Any:
        return np.concatenate([none, *parts])[sort]

    def place(one: Pairs, at: Any) -> Any:
        return np.array([fields.index(field) for field in one.fields])[at]

    later, earlier = order[later[sort]], order[whole(one.earlier for one in found)]
    field = whole(place(one, one.field) for one in found)
    reason = whole(np.full(len(one.later), reasons.index(one.reason)) for one in found)
    return pd.DataFrame(
        {
            "alert_id": alerts["alert_id"].iloc[later].array,
            "other_alert_id": alerts["alert_id"].iloc[earlier].array,
            "reason": _label(reason, reasons),
            "field": _label(field, fields),
            "value": _values(alerts, later, field, fields),
            "other_field": _label(whole(place(one, one.other_field) for one in found), fields),
        }
    )


def _label(codes: Any, names: list[str]) -> pd.Categorical:
    return pd.Categorical.from_codes(codes, pd.Index(names, dtype="str"))


def _values(alerts: pd.DataFrame, rows: Any, field: Any, fields: Sequence[str]) -> Any:
    """Return the value of each row's own field, as text."""
    values: list[Any] = [None]
    codes = np.zeros(len(rows), dtype="int64")
    for at, name in enumerate(fields):
        held = np.flatnonzero(field == at)
        if not len(held):  # of several fields, the frame may lack one
            continue
        own, texts = coded(alerts[name].iloc[rows[held]])
        codes[held] = own + len(values)
        values += map(str, texts)
    return pd.array(values, dtype="str").take(codes)
