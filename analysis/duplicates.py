"""Alerts that tell the same but for their time, folded into one row with a count.

In: alerts. Out: a frame. The same means: the same rule, host, container, process name, command
line, and file or connection; of an alert without a process, the same text. A delivery of one alert
twice is no second alert, and is counted apart.
"""

from __future__ import annotations

import pandas as pd

from analysis.schema import require

SAME = ("rule", "hostname", "container.id", "proc.name", "proc.cmdline", "fd.name", "output")
"""What alerts of one row have in common; a missing field is the same as a missing one only."""

# Falco's rendered text begins with time and priority (`formats.cpp`)
_PREFIX = r"^[0-9T:.+-]{8,}Z?: \w+ "


def fold_duplicates(alerts: pd.DataFrame) -> pd.DataFrame:
    """Return one row per group of alerts that tell the same, the most frequent first.

    Parameters
    ----------
    alerts : DataFrame
        As `read_alerts` or `correlate` returns it. Reads `SAME` where there, `time`, `alert_id`.

    Returns
    -------
    DataFrame
        The columns of `SAME` (object, None where missing; `output` without its time, and just
        where there is no `proc.name`), `alerts` (int64: distinct ones where
        `alert_id` is there, else records), `records` (int64, as often as received), `first_seen`,
        `last_seen` (datetime64[ns, UTC]).

    Raises
    ------
    AlertSchemaError
        If `rule` or `time` is missing.
    """
    require(alerts, ("rule", "time"), by="fold_duplicates")
    frame = pd.DataFrame(
        {
            name: alerts[name].astype("object").where(alerts[name].notna(), None)
            if name in alerts
            else pd.Series(None, index=alerts.index, dtype="object")
            for name in SAME
        }
    )
    text = frame["output"].where(frame["proc.name"].isna())
    frame["output"] = text.astype("str").str.replace(_PREFIX, "", regex=True).where(text.notna())
    frame["time"] = alerts["time"]
    frame["alert"] = alerts["alert_id"] if "alert_id" in alerts else range(len(alerts))
    folded = frame.groupby(list(SAME), dropna=False, as_index=False, sort=False).agg(
        alerts=("alert", "nunique"), records=("alert", "size"),
        first_seen=("time", "min"), last_seen=("time", "max"),
    )  # fmt: skip
    folded[list(SAME)] = folded[list(SAME)].astype("object").where(folded[list(SAME)].notna(), None)
    order = ["alerts", "records", "first_seen", *SAME]
    up = [False, False] + [True] * (len(order) - 2)
    return folded.sort_values(order, ascending=up, ignore_index=True)
