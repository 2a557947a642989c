"""What an activity figure shows: alerts in, rows of marks and their words out.

A row is a process and a tactic of ATT&CK. Processes are told apart by host, container and name:
runs of one program are one row, with the number of its alerts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from analysis.features import event_sources
from analysis.figures.lines import called
from analysis.figures.picture import counted
from analysis.tactics import tactics_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

# by kill chain; colours of Okabe and Ito, told apart with any colour vision
TACTICS: dict[str, tuple[Any, str]] = {
    "Reconnaissance": ("<", "#56b4e9"),
    "Resource Development": ("h", "#f0e442"),
    "Initial Access": (">", "#0072b2"),
    "Execution": ("o", "#d55e00"),
    "Persistence": ("s", "#009e73"),
    "Privilege Escalation": ("^", "#cc79a7"),
    "Defense Evasion": ("D", "#e69f00"),
    "Credential Access": ("*", "#f0e442"),
    "Discovery": ("v", "#56b4e9"),
    "Lateral Movement": ("P", "#0072b2"),
    "Collection": ("p", "#009e73"),
    "Command and Control": ("X", "#d55e00"),
    "Exfiltration": ("d", "#cc79a7"),
    "Impact": ((4, 1, 0), "#e69f00"),
}
"""Mark and colour of each tactic."""
NO_TACTIC = "no tactic known"

PLACE = ["hostname", "container.id"]
"""Where a process ran."""

_NEAR, _COUNTED = 0.11, 0.38  # inches that a mark takes, alone and with a count
_SAID = 12


def tactics(alerts: pd.DataFrame) -> pd.DataFrame:
    """Return one row per alert and tactic: `time`, `tactic`, `name`, `alert`, `process`, `PLACE`.

    An alert of which no tactic is known has one row that says so.
    """
    count = len(alerts)
    frame = pd.DataFrame({"time": alerts["time"].to_numpy(), "alert": np.arange(count)})
    for column in (*PLACE, "proc.name", "process_id"):
        given = alerts[column] if column in alerts else pd.Series(index=alerts.index, dtype="str")
        frame[column] = given.astype("object").where(given.notna(), "").to_numpy()
    priority = alerts["priority"].cat.codes if "priority" in alerts else pd.Series(0, alerts.index)
    frame["priority"] = priority.to_numpy()
    named = frame["proc.name"] != ""
    frame["source"] = event_sources(alerts).astype("str").to_numpy()
    frame["name"] = frame["proc.name"].where(named, "no process, " + frame["source"])
    frame["time"] = pd.to_datetime(frame["time"], utc=True)
    keys = zip(alerts["rule"].astype("str"), frame["source"], alerts["tags"], strict=True)
    frame["tactic"] = [tactics_of(*key) or (NO_TACTIC,) for key in keys]
    if "alert_id" in alerts:
        # one alert delivered twice is one alert
        frame["alert"] = pd.factorize(alerts["alert_id"])[0]
        frame = frame.drop_duplicates("alert")
    return frame.explode("tactic", ignore_index=True)


def rows(marks: pd.DataFrame) -> pd.DataFrame:
    """Return the figure's rows: place by place and process by process, each by its first alert."""
    key = ["folded", *PLACE, "name"]
    groups = marks.groupby([*key, "tactic"])
    rows = groups.agg(
        first=("time", "min"), last=("time", "max"), alerts=("alert", "nunique"),
        processes=("process_id", _distinct),
    ).reset_index()  # fmt: skip
    times = marks["time"].to_numpy(dtype="datetime64[ns]").astype("int64")
    found = groups.indices
    keys = rows[[*key, "tactic"]].itertuples(index=False, name=None)
    rows["times"] = pd.Series([np.sort(times[found[one]]) for one in keys], dtype="object")
    rows["rank"] = rows["tactic"].map({t: n for n, t in enumerate((*TACTICS, NO_TACTIC))})
    rows["place"] = rows.groupby(["folded", *PLACE])["first"].transform("min")
    rows["began"] = rows.groupby(key)["first"].transform("min")
    return rows.sort_values(["folded", "place", *PLACE, "began", "name", "rank"], ignore_index=True)


def clusters(where: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Return which of sorted places [inch] share a mark: pairs of first and one beyond the last."""
    found, start = [], 0
    while start < len(where):
        stop = int(np.searchsorted(where, where[start] + _NEAR, "right"))
        if stop - start > 1:  # a count needs more room than a mark alone
            stop = int(np.searchsorted(where, where[start] + _COUNTED, "right"))
        found.append((start, stop))
        start = stop
    return found


def heading(marks: pd.DataFrame) -> tuple[str, str]:
    """Return how many alerts of how many processes there are; and when."""
    known, names = _distinct(marks["process_id"]), _distinct(marks["proc.name"])
    what = [counted(marks["alert"].nunique(), "alert")]
    what += [counted(known, "process", "processes")] if known else []
    what += [counted(names, "process name")] if names else []
    first, last = marks["time"].min(), marks["time"].max()
    when = "time not told"
    if pd.notna(first):
        to = f"{last:%H:%M:%S}" if last.date() == first.date() else f"{last:%Y-%m-%d %H:%M:%S}"
        when = f"{first:%Y-%m-%d %H:%M:%S} to {to} UTC"
        undated = marks.loc[marks["time"].isna(), "alert"].nunique()
        when += f"; {counted(undated, 'alert')} without a time not drawn" if undated else ""
    return ", ".join(what), when


def where(row: Mapping[Any, Any]) -> str:
    """Return where a process ran, as far as its alerts tell."""
    host, container = row["hostname"], row["container.id"]
    parts = [f"host {called(host)}" if host else "host not told"]
    parts += ["no container"] if container == "host" else []
    parts += [f"container {called(container)}"] if container not in ("", "host") else []
    return ", ".join(parts)


def words(rows: pd.DataFrame) -> str:
    """Say the rows: each process with its alerts by tactic."""
    said = []
    for (_, _, _, name), some in rows.groupby(["folded", *PLACE, "name"], sort=False):
        kinds = ", ".join(f"{n:,} {t}" for t, n in zip(some["tactic"], some["alerts"], strict=True))
        said.append(f"{called(name)}: {kinds}")
    rest = len(said) - _SAID
    said = said[:_SAID] + ([f"{rest:,} more rows"] if rest > 0 else [])
    return "; ".join(said) + "."


def folded(marks: pd.DataFrame, most: int) -> pd.DataFrame:
    """Return the marks, those of processes without room under one name."""
    key = [*PLACE, "name"]
    groups = marks.groupby(key, sort=True).agg(
        rows=("tactic", "nunique"), worst=("priority", "max"), alerts=("alert", "nunique")
    )
    if groups["rows"].sum() <= most:
        return marks.assign(folded=False)
    order = groups.sort_values(["worst", "alerts"], ascending=[False, True], kind="stable")
    rank = pd.Series(range(len(order)), index=order.index)
    # if the first k keep their rows, the others share one for each tactic that is last seen there
    last = rank.reindex(pd.MultiIndex.from_frame(marks[key])).groupby(marks["tactic"].to_numpy())
    shared = (last.max().to_numpy()[:, None] >= np.arange(len(order))).sum(axis=0)
    fits = order["rows"].cumsum().shift(fill_value=0).to_numpy() + shared <= most
    out = order.index[np.flatnonzero(fits).max(initial=0) :]
    hidden = pd.MultiIndex.from_frame(marks[key]).isin(out)
    names = marks["name"].where(~hidden, f"+{len(out):,} more")
    places = {column: marks[column].where(~hidden, "") for column in PLACE}
    return marks.assign(name=names, folded=hidden, **places)


def _distinct(ids: pd.Series[Any]) -> int:
    return int(ids[ids != ""].nunique())
