"""What the analyst's desk asks of a loaded set: how many of which, these alone, all like this one.

In: alerts as `correlate` returns them. Out: frames. A question is answered from whole columns, so a
hundred thousand alerts answer at a click. What the answers look like is for others (`explorer`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from analysis.grouping import Groups
from analysis.knowledge import joining, tactics
from analysis.knowledge.masks import coded
from analysis.querying import column_of, equal, meets, missing, moment
from analysis.schema import PRIORITIES, require
from analysis.tactics import tactics_of_groups

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

FACETS: dict[str, tuple[str, ...]] = {
    "rule": ("rule",),
    "priority": ("priority",),
    "host": ("hostname",),
    "container": ("container.id",),
    "image": ("container.image.repository",),
    "user": tuple(joining()["users"]["fields"]),
    "tactic": ("tags", "rule", "source"),
}
"""Each facet and the columns it rests on; a user is the first of them that the alert tells."""


def facets(alerts: pd.DataFrame, *, names: Collection[str] = tuple(FACETS)) -> pd.DataFrame:
    """Count the alerts by each facet's values.

    Parameters
    ----------
    alerts : DataFrame
        Reads `alert_id`, and the columns of FACETS, each where the frame has it. Deliveries of one
        alert are one.
    names : collection of str
        Which facets.

    Returns
    -------
    DataFrame
        One row per facet and value, the most frequent first (priorities: the worst first; tactics:
        in the order of the kill chain; what is not told comes last): `facet`, `value` (str; missing where alerts do not tell
        it), `alerts` (int64). An alert of several tactics counts for each.

    Raises
    ------
    AlertSchemaError
        If the alerts have no ids.
    ValueError
        If there is no such facet.
    """
    require(alerts, ("alert_id",), by="facets")
    fields = dict.fromkeys(field for name in names for field in FACETS[_known(name)])
    read = [field for field in fields if field in alerts]
    one = alerts.loc[~alerts["alert_id"].duplicated().to_numpy(), read]
    parts = [_counted(one, name) for name in names]
    empty = pd.DataFrame({"facet": [], "value": [], "alerts": []})
    counted = pd.concat(parts or [empty], ignore_index=True)
    return counted.astype({"facet": "str", "value": "str", "alerts": "int64"})


def choices(
    alerts: pd.DataFrame, chosen: Mapping[str, Collection[str | None]], found: pd.DataFrame
) -> pd.DataFrame:
    """Return `facets` as a desk shows them: what each value would give beside the other facets.

    Parameters
    ----------
    alerts : DataFrame
        What is left by all conditions but `chosen`.
    chosen : mapping
        As `select` takes it.
    found : DataFrame
        `select(alerts, chosen=chosen)`.
    """
    named = [name for name, values in chosen.items() if values]
    parts = [facets(found, names=[name for name in FACETS if name not in named])]
    for name in named:
        others = {key: values for key, values in chosen.items() if key != name and values}
        parts.append(facets(select(alerts, chosen=others), names=[name]))
    return pd.concat(parts, ignore_index=True)


def select(
    alerts: pd.DataFrame,
    *,
    chosen: Mapping[str, Collection[str | None]] | None = None,
    since: str | pd.Timestamp | None = None,
    until: str | pd.Timestamp | None = None,
    query: str = "",
) -> pd.DataFrame:
    """Return the alerts that meet every condition, in their order.

    Parameters
    ----------
    alerts : DataFrame
        As `read_alerts` returns it.
    chosen : mapping, optional
        Facet to values, of which an alert has one; None among them is "not told". A facet
        without values asks nothing.
    since, until : time, optional
        From this moment on, and before that one; a time without a zone is UTC. Alerts without a
        time are left out where one is given.
    query : str
        As `querying.meets` takes it.

    Raises
    ------
    ValueError
        If a facet or a field is not known here, or a value is none of its field's kind.
    """
    held: Any = np.ones(len(alerts), dtype=bool)
    for name, values in (chosen or {}).items():
        if not values:
            continue
        held &= _holds(alerts, _known(name), values)
    if since is not None:
        held &= (alerts["time"] >= moment(since)).to_numpy(bool)
    if until is not None:
        held &= (alerts["time"] < moment(until)).to_numpy(bool)
    held &= meets(alerts, query)
    return _only(alerts, held)


def pivot(alerts: pd.DataFrame, field: str, value: object) -> pd.DataFrame:
    """Return all alerts in which `field` has `value` as received; None: which do not tell it.

    Numbers and text are compared by how they are written, and a list by its items joined by commas;
    times and durations are integers [ns].

    Raises
    ------
    ValueError
        If no alert of the set has the field.
    """
    column_of(alerts, field)
    held = missing(alerts[field]) if value is None else equal(alerts[field], str(value))
    return _only(alerts, held)


def queue(
    alerts: pd.DataFrame, incidents: pd.DataFrame, told: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Return the incidents that any of the alerts belongs to, the best score first.

    Parameters
    ----------
    alerts, incidents : DataFrame
        As `correlate` returns them; `alerts` may be a selection.
    told : DataFrame, optional
        As `verdicts.marks_of_incidents` returns it.

    Returns
    -------
    DataFrame
        Rows of `incidents` with `selected` (int64: how many of the alerts are its own) and
        `verdict` (category; missing where it is not marked).
    """
    require(alerts, ("alert_id", "incident_id"), by="queue")
    own = alerts.loc[~alerts["alert_id"].duplicated().to_numpy(), "incident_id"].value_counts()
    rows = incidents[incidents["incident_id"].isin(own.index)]
    rows = rows.assign(selected=own.reindex(rows["incident_id"]).astype("int64").to_numpy())
    none = pd.Series(index=pd.Index([], dtype="str"), dtype="object")
    verdict = none if told is None else told.set_index("incident_id")["verdict"]
    rows = rows.assign(verdict=verdict.reindex(rows["incident_id"]).array)
    return rows.sort_values(
        ["score", "first_seen", "incident_id"], ascending=[False, True, True], ignore_index=True
    )


def values_of(alerts: pd.DataFrame, name: str) -> pd.Series:
    """Return a facet's value of each alert (category; missing where it is not told); no tactics."""
    found: pd.Series = pd.Series(pd.Categorical([None] * len(alerts)), alerts.index)
    for field in FACETS[_known(name)]:
        if field not in alerts:
            continue
        column = (
            alerts[field]
            .astype("category")
            .cat.remove_categories(
                [
                    one
                    for one in ("", "<NA>")
                    if one in alerts[field].astype("category").cat.categories
                ]
            )
        )
        if found.isna().all():
            found = column
        elif column.notna().any():
            found = found.astype("object").where(found.notna(), column.astype("object"))
            found = found.astype("category")
    return found


def tactics_held(alerts: pd.DataFrame) -> Any:
    """Return, as alerts x tactics of the kill chain, where an alert has a tactic (bool)."""
    each_alone = np.arange(len(alerts))
    if not len(alerts):
        return np.zeros((0, len(tactics())), dtype=bool)
    return tactics_of_groups(Groups(alerts, each_alone, each_alone, len(alerts)))


def _counted(one: pd.DataFrame, name: str) -> pd.DataFrame:
    if name == "tactic":
        held = tactics_held(one)
        counts = pd.Series(held.sum(axis=0), index=list(tactics().values()))
        missed = int((~held.any(axis=1)).sum())
    else:
        values = values_of(one, name)
        counts = values.value_counts()
        missed = int(values.isna().sum())
        if name == "priority":
            counts = counts.reindex(list(reversed(PRIORITIES)), fill_value=0)
    told = pd.DataFrame(
        {"facet": name, "value": counts.index.astype("str"), "alerts": counts.array}
    )
    none = pd.DataFrame({"facet": [name], "value": [None], "alerts": [missed]})
    whole = pd.concat([told, none]).astype({"value": "str"})
    return whole.loc[whole["alerts"] > 0]


def _only(alerts: pd.DataFrame, held: Any) -> pd.DataFrame:
    found: pd.DataFrame = alerts.copy(deep=False) if held.all() else alerts[held]
    found.attrs = alerts.attrs
    return found


def _holds(alerts: pd.DataFrame, name: str, values: Collection[str | None]) -> Any:
    wanted = {value for value in values if value is not None}
    if name == "tactic":
        held = tactics_held(alerts)
        some = held[:, [at for at, one in enumerate(tactics().values()) if one in wanted]]
        return some.any(axis=1) | ((None in values) & ~held.any(axis=1))
    own = values_of(alerts, name)
    return own.isin(wanted).to_numpy(bool) | ((None in values) & own.isna().to_numpy(bool))


def _known(name: str) -> str:
    if name not in FACETS:
        raise ValueError(f"no facet {name!r:.80}: {', '.join(FACETS)}")
    return name


def written(alerts: pd.DataFrame, field: str) -> list[str]:
    """Return the distinct values of a field as `pivot` takes them, as they come first."""
    codes, values = coded(column_of(alerts, field))
    return [str(values[code]) for code in pd.unique(codes) if code >= 0]
