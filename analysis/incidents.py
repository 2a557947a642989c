"""Group alerts into incidents. Here: one incident per alert; deliveries of one alert are folded.

In: alerts. Out: the alerts with `incident_id`, and a frame of incidents. Ids come from content,
so the same input gives the same ids in any order.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from analysis.identity import identify
from analysis.schema import require

if TYPE_CHECKING:
    import pandas as pd


def correlate(alerts: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Give each alert its incident.

    Parameters
    ----------
    alerts : DataFrame
        As `read_alerts` returns it. Reads `time`, `priority`, `rule`, `hostname`, and what
        `identify` reads.

    Returns
    -------
    alerts : DataFrame
        A copy with `alert_id` (see `identify`) and `incident_id` (str): `inc-` and 16
        hexadecimal digits.
    incidents : DataFrame
        One row per incident, by time: `incident_id`, `first_seen`, `last_seen`
        (datetime64[ns, UTC]), `priority` (the highest), `rule`, `hostname`, `records` (int,
        how often the alert was received).

    Raises
    ------
    AlertSchemaError
        If a column above is missing.
    """
    require(alerts, ("time", "priority", "rule", "hostname"), by="correlate")
    attrs = alerts.attrs
    if "alert_id" not in alerts:
        alerts = identify(alerts)
    known = {alert: incident_id([alert]) for alert in alerts["alert_id"].unique()}
    alerts = alerts.assign(incident_id=alerts["alert_id"].map(known).astype("str"))
    alerts.attrs = attrs
    incidents = alerts.groupby("incident_id", as_index=False).agg(
        first_seen=("time", "min"),
        last_seen=("time", "max"),
        priority=("priority", "max"),
        rule=("rule", "first"),
        hostname=("hostname", "first"),
        records=("alert_id", "size"),
    )
    return alerts, incidents.sort_values(["first_seen", "incident_id"], ignore_index=True)


def incident_id(alert_ids: list[str]) -> str:
    """Return the id of the incident made of these alerts, whatever their order."""
    content = "\n".join(sorted(set(alert_ids)))
    return "inc-" + hashlib.sha256(content.encode()).hexdigest()[:16]
