"""What the analyst's desk asks of a loaded set: how many of which, these alone, all like this one.

In: alerts as `correlate` returns them. Out: frames. A question is answered from whole columns; who
asks many of one set keeps its `Facets`, and a hundred thousand alerts answer at a click. What the
answers look like is for others (`explorer`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from analysis.counting import FACETS, Facets
from analysis.knowledge.masks import coded
from analysis.querying import column_of, equal, meets, missing, moment

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


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
    return Facets(alerts).count(names=names)


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
    held = asked(alerts, since=since, until=until, query=query)
    return only(alerts, held & Facets(alerts).meets(chosen or {}))


def asked(
    alerts: pd.DataFrame,
    *,
    since: str | pd.Timestamp | None = None,
    until: str | pd.Timestamp | None = None,
    query: str = "",
    pivot: tuple[str, str] | None = None,
) -> Any:
    """Return which alerts meet these conditions (bool array), as `select` and `pivot` take them."""
    held = meets(alerts, query)
    if since is not None:
        held &= (alerts["time"] >= moment(since)).to_numpy(bool)
    if until is not None:
        held &= (alerts["time"] < moment(until)).to_numpy(bool)
    if pivot is not None:
        held &= equal(column_of(alerts, pivot[0]), pivot[1])
    return held


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
    return only(alerts, held)


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
    return Facets(alerts, incidents).queue(told=told)


def only(alerts: pd.DataFrame, held: Any) -> pd.DataFrame:
    """Return the alerts that are selected, in their order."""
    found: pd.DataFrame = alerts.copy(deep=False) if held.all() else alerts[held]
    found.attrs = alerts.attrs
    return found


def written(alerts: pd.DataFrame, field: str) -> list[str]:
    """Return the distinct values of a field as `pivot` takes them, as they come first."""
    codes, values = coded(column_of(alerts, field))
    return [str(values[code]) for code in pd.unique(codes) if code >= 0]
