"""The picture of a shift: how much, of what, what is new, what repeats, which tactics.

In: alerts as `correlate` returns them. Out: frames, for figures and tables. Deliveries of one alert
are one alert here. What deserves attention is for the score (`triage`) and a person.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from analysis.counting import FACETS, tactics_held, values_of
from analysis.facets import facets
from analysis.folding import fold
from analysis.knowledge import tactics
from analysis.schema import TIME, require

BARS = 48
"""About how many bars a volume has, where its step is not given."""
_STEPS = ("1s", "10s", "1min", "5min", "15min", "1h", "3h", "6h", "1D", "7D", "28D")


def volume(alerts: pd.DataFrame, *, every: str = "") -> pd.DataFrame:
    """Count the alerts over time.

    Parameters
    ----------
    alerts : DataFrame
        Reads `alert_id`, `time`; alerts without a time are in no row.
    every : time span
        The step; if empty, the least that gives no more than about BARS rows.

    Returns
    -------
    DataFrame
        One row per step from the first alert to the last, those without alerts too: `start`
        (datetime64[ns, UTC]), `alerts` (int64).
    """
    require(alerts, ("alert_id", "time"), by="volume")
    time = alerts.loc[~alerts["alert_id"].duplicated(), "time"].dropna()
    if time.empty:
        return pd.DataFrame({"start": pd.Series(dtype=TIME), "alerts": pd.Series(dtype="int64")})
    least = (time.max() - time.min()) / BARS
    step = every or next((one for one in _STEPS if pd.Timedelta(one) >= least), _STEPS[-1])
    counted = time.to_frame().resample(step, on="time").size()
    return counted.rename("alerts").rename_axis("start").reset_index().astype({"start": TIME})


def top(alerts: pd.DataFrame, facet: str, *, most: int = 10) -> pd.DataFrame:
    """Return the `most` frequent values of a facet, as `facets` does, with their `share` of alerts."""
    found = facets(alerts, names=[facet])
    every = alerts["alert_id"].nunique()
    found = found.sort_values("alerts", ascending=False, kind="stable", ignore_index=True)
    return found.assign(share=found["alerts"] / max(every, 1)).head(most)


def new_values(
    alerts: pd.DataFrame, since: str | pd.Timestamp, *, names: tuple[str, ...] = tuple(FACETS)
) -> pd.DataFrame:
    """Return what is told since a moment and was not told before it, in the alerts loaded.

    Parameters
    ----------
    alerts : DataFrame
        As `correlate` returns it. Alerts without a time count for neither side.
    since : time
        A time without a zone is UTC.
    names : tuple of str
        Facets; tactics and priorities, of which there are few, are left out.

    Returns
    -------
    DataFrame
        One row per facet and value, by first sight: `facet`, `value` (str), `first_seen`
        (datetime64[ns, UTC]), `alerts` (int64). Empty where no alert is from before `since`:
        nothing is new without something old.
    """
    require(alerts, ("alert_id", "time"), by="new_values")
    moment = pd.Timestamp(since)
    moment = moment.tz_localize("UTC") if moment.tz is None else moment.tz_convert("UTC")
    one = alerts[~alerts["alert_id"].duplicated().to_numpy() & alerts["time"].notna().to_numpy()]
    rows = []
    if (one["time"] < moment).any():
        for name in (name for name in names if name not in ("tactic", "priority")):
            seen = one["time"].groupby(values_of(one, name), observed=True).agg(["min", "size"])
            new = seen[seen["min"] >= moment]
            rows.append(
                pd.DataFrame(
                    {
                        "facet": name,
                        "value": new.index.astype("str"),
                        "first_seen": new["min"].array,
                        "alerts": new["size"].array,
                    }
                )
            )
    kinds: Any = {"facet": "str", "value": "str", "first_seen": TIME, "alerts": "int64"}
    whole = pd.concat(rows) if rows else pd.DataFrame(columns=list(kinds))
    return whole.astype(kinds).sort_values(["first_seen", "facet", "value"], ignore_index=True)


def noise(alerts: pd.DataFrame, *, most: int = 10) -> pd.DataFrame:
    """Return the rules whose alerts repeat each other most.

    Returns
    -------
    DataFrame
        One row per rule with repetitions, the most repeated first: `rule` (str), `alerts` (int64,
        distinct), `deeds` (int64: what of them tells something of its own, within an incident; see
        `folding.fold`), `repeated` (int64: the alerts beyond), `incidents` (int64), `share`
        (float64: of `repeated` in all alerts).
    """
    folded = fold(alerts)
    groups = folded.groupby("rule", sort=False, dropna=False)
    found = pd.DataFrame(
        {
            "alerts": groups["alerts"].sum(),
            "deeds": groups.size(),
            "incidents": groups["incident_id"].nunique(),
        }
    ).reset_index()
    found = found.assign(
        repeated=found["alerts"] - found["deeds"],
        share=(found["alerts"] - found["deeds"]) / max(int(found["alerts"].sum()), 1),
    )
    found = found[found["repeated"] > 0]
    found = found.sort_values(["repeated", "rule"], ascending=[False, True], ignore_index=True)
    return found[["rule", "alerts", "deeds", "repeated", "incidents", "share"]].head(most)


def coverage(alerts: pd.DataFrame) -> pd.DataFrame:
    """Return how many alerts, rules and incidents each tactic of ATT&CK has, those with none too.

    An alert may have several tactics, by its tags or its rule's playbook (see `tactics`). No alert
    of a tactic means that no rule fired which names it, not that nothing of it happened.

    Returns
    -------
    DataFrame
        One row per tactic in the order of the kill chain, and a last one, `value` missing, for
        alerts of no known tactic: `value` (str), `alerts`, `rules`, `incidents` (int64).
    """
    require(alerts, ("alert_id", "incident_id", "rule", "source"), by="coverage")
    one = alerts.loc[
        ~alerts["alert_id"].duplicated().to_numpy(),
        [name for name in ("rule", "source", "tags", "incident_id") if name in alerts],
    ]
    held = tactics_held(one)
    names: list[str | None] = [*tactics().values(), None]
    told = [*held.T, ~held.any(axis=1)]
    rows = [
        (name, int(np.sum(has)), one["rule"][has].nunique(), one["incident_id"][has].nunique())
        for name, has in zip(names, told, strict=True)
    ]
    frame = pd.DataFrame(rows, columns=["value", "alerts", "rules", "incidents"])
    return frame.astype({"value": "str"})
