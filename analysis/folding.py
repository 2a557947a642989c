"""Fold repetitions: alerts of one incident that tell the same, but for when and by which process id.

In: alerts with their incidents. Out: one row per thing that happened, with how often it did. Every
field counts but those that say which single event it was (`joins.toml`, `repetition`), so that
nothing can hide in a crowd by its rule or name alone.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from analysis.grouping import distinct
from analysis.identity import liken
from analysis.intake import kind_of
from analysis.knowledge import joining
from analysis.schema import require

if TYPE_CHECKING:
    from collections.abc import Iterable

_LARGE = pa.large_string()
_TIMES = ("abstime", "reltime")
_CLIENT_PORT = r":\d+->"  # a connection's name is client->server; the client's port is by chance


def fold(alerts: pd.DataFrame, shown: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return what happened in each incident, and how often.

    Parameters
    ----------
    alerts : DataFrame
        As `correlate` returns it: with `alert_id` and `incident_id`.
    shown : DataFrame, optional
        The same alerts in the words that `what` may use: without their secrets, say.

    Returns
    -------
    DataFrame
        One row per distinct deed, the most frequent of each incident first: `incident_id`,
        `alert_id` (of the first), `rule` (str), `what` (str: fields and values that all of them
        share, as received), `alerts` (int, distinct), `records` (int, with every delivery),
        `first_seen`, `last_seen` (datetime64[ns, UTC]), `members` (tuple of the alerts' ids).

    Raises
    ------
    AlertSchemaError
        If `alerts` was not correlated.
    """
    require(alerts, ("alert_id", "incident_id", "time", "rule"), by="fold")
    rows, place = distinct(alerts)
    one = _without_ports(alerts.iloc[rows])
    table = pd.DataFrame(
        {
            "incident_id": one["incident_id"].astype("str").array,
            "deed": liken(one, _single(one.columns)).array,
            "alert_id": one["alert_id"].array,
            "time": one["time"].array,
            "records": pd.Series(place).value_counts().sort_index().array,
            "row": range(len(one)),
        }
    )
    # by time, so that the first row of a group is its first alert
    folded = table.groupby(["incident_id", "deed"], sort=False, as_index=False).agg(
        row=("row", "first"),
        alert_id=("alert_id", "first"),
        alerts=("alert_id", "size"),
        records=("records", "sum"),
        first_seen=("time", "min"),
        last_seen=("time", "max"),
        members=("alert_id", tuple),
    )
    first = one.iloc[folded["row"]]
    words = first if shown is None else _without_ports(shown.iloc[rows[folded["row"]]])
    folded = folded.assign(rule=first["rule"].astype("str").array, what=_what(words).array)
    ordered = folded.sort_values(
        ["incident_id", "alerts", "row"], ascending=[True, False, True], ignore_index=True
    )
    columns = ["incident_id", "alert_id", "rule", "what", "alerts", "records"]
    return ordered[[*columns, "first_seen", "last_seen", "members"]]


def _single(columns: Iterable[str]) -> frozenset[str]:
    """Return the columns that say which single event an alert is about."""
    table = joining()["repetition"]
    return frozenset(
        name
        for name in columns
        if name in table["single"] or re.match(table["numbered"], name) or kind_of(name) in _TIMES
    )


def _quoted(value: str | None) -> str:
    return json.dumps(value, ensure_ascii=False)


def _without_ports(one: pd.DataFrame) -> pd.DataFrame:
    if "fd.name" not in one:
        return one
    server = one["fd.name"].astype("str").str.replace(_CLIENT_PORT, "->", regex=True)
    return one.assign(**{"fd.name": server})


def _text(value: str) -> pa.Scalar:
    return pa.scalar(value, _LARGE)


def _what(first: pd.DataFrame) -> pd.Series:
    """Return the fields and values that tell what happened, as one text.

    A value in which another field seems to begin, or a quote, stands in quotes as in JSON.
    """
    names = joining()["repetition"]["told"]
    seeming = rf'^"|\s(?:{"|".join(map(re.escape, names))})='
    told = []
    for name in names:
        if name in first:
            value = pa.array(first[name].astype("str"), _LARGE)
            value = pc.if_else(pc.equal(value, ""), None, value)
            odd = pc.fill_null(pc.match_substring_regex(value, seeming), False)
            if pc.any(odd).as_py():
                value = pc.if_else(odd, pa.array(map(_quoted, value.to_pylist()), _LARGE), value)
            piece = pc.binary_join_element_wise(_text(f" {name}="), value, _text(""))
            told.append(pc.fill_null(piece, ""))  # Arrow, told to skip nulls, drops whole rows
    if not told:
        return pd.Series("", index=first.index, dtype="str")
    text = pc.utf8_ltrim(pc.binary_join_element_wise(*told, _text("")), " ")
    return pd.Series(pd.array(text, dtype="str"), index=first.index)
