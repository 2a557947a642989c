"""When which process did what: alerts over time, a row per process and ATT&CK tactic.

Each tactic has a mark of its own shape and colour, and its name beside it. Alerts too close to be
told apart are one mark with a count; processes that have no room are one row with a count.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from analysis.figures.clock import Part, parts, place, written
from analysis.figures.lines import called
from analysis.figures.picture import CELL, FAINT, INK, LINE, PAPER, Picture, canvas, counted, short, write  # fmt: skip
from analysis.findings import duration
from analysis.schema import require

if TYPE_CHECKING:
    from collections.abc import Iterable

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

# by kill chain; colours of Okabe and Ito, told apart with any colour vision
TACTICS: dict[str, tuple[Any, str]] = {
    "reconnaissance": ("<", "#56b4e9"),
    "resource development": ("h", "#f0e442"),
    "initial access": (">", "#0072b2"),
    "execution": ("o", "#d55e00"),
    "persistence": ("s", "#009e73"),
    "privilege escalation": ("^", "#cc79a7"),
    "defense evasion": ("D", "#e69f00"),
    "credential access": ("*", "#f0e442"),
    "discovery": ("v", "#56b4e9"),
    "lateral movement": ("P", "#0072b2"),
    "collection": ("p", "#009e73"),
    "command and control": ("X", "#d55e00"),
    "exfiltration": ("d", "#cc79a7"),
    "impact": ((4, 1, 0), "#e69f00"),
}
"""Mark and colour of each tactic."""
NO_TACTIC = "no tactic"

_WIDTH, _ROW, _TOP = 7.2, 0.2, 0.66  # inches
_SIZE, _SMALL = 8.5, 7.5  # points
_NAME, _TACTIC, _AXIS, _END = 0.08, 1.68, 3.2, 6.55  # inches from the left
_NEAR, _COUNTED = 0.11, 0.38  # inches that a mark takes, alone and with a count
_PLACE = ["hostname", "container.id"]
_SAID = 12
_FOLDED = "\0folded"  # no process is called this: the kernel ends names at NUL


def activity(alerts: pd.DataFrame, *, most: int = 40) -> Picture:
    """Draw alerts over time: a row per process and tactic, marks where alerts came.

    A number beside a mark counts alerts too close to be told apart, from the mark to the end of
    its line. A gap much longer than the rest is cut out, and its length is written in the cut.
    An alert of several tactics has a mark for each. All times are UTC.

    Parameters
    ----------
    alerts : DataFrame
        As `read_alerts` or `correlate` returns it. Reads `time`, `tags`; `hostname`,
        `container.id`, `proc.name`, `priority`, `source`, `process_id`, `alert_id` where there.
    most : int, default 40
        Rows at most; the processes of highest priority, then the rarest are kept, the others
        share rows.

    Returns
    -------
    Picture
        Its `alt` counts alerts by process and tactic.

    Raises
    ------
    AlertSchemaError
        If `time` or `tags` is missing.

    Examples
    --------
    >>> from analysis import figures, read_alerts
    >>> picture = figures.activity(read_alerts("data/alerts/")[0])
    >>> picture.alt[:38]
    'Activity: 3 alerts of 3 processes, 202'
    """
    require(alerts, ("time", "tags"), by="figures.activity")
    marks = tactics(alerts)
    dated = marks[marks["time"].notna()]
    title = f"{counted(marks['alert'].nunique(), 'alert')} of {_processes(marks)}"
    if dated.empty:
        axes = canvas(_WIDTH, 0.4)
        none = "No alert." if marks.empty else f"{title}: no time told."
        write(axes, _NAME, 0.2, none, color=FAINT)
        return Picture(axes.figure, none)  # type: ignore[arg-type]
    rows = _rows(_folded(dated, most))
    axis = parts(dated["time"].to_numpy(dtype="datetime64[ns]").astype("int64"), _AXIS, _END)
    heads = len(rows.drop_duplicates(_PLACE)) > 1
    tops = _tops(rows, heads=heads)
    bottom = tops[-1] + _ROW
    axes = canvas(_WIDTH, bottom + 0.56)
    when = _when(dated, marks)
    write(axes, _NAME, 0.16, title, fontsize=10, fontweight="bold")
    where = "" if heads else _where(rows.iloc[0]) + ", "
    write(axes, _NAME, 0.36, short(where + when, 92), fontsize=_SIZE, color=FAINT)
    _ruler(axes, axis, bottom)
    _labels(axes, rows, tops, heads=heads)
    for top, row in zip(tops, rows.to_dict("records"), strict=True):
        _marks(axes, top + _ROW / 2, row, axis)
    return Picture(axes.figure, f"Activity: {title}, {when}. {_words(rows)}")  # type: ignore[arg-type]


def tactics(alerts: pd.DataFrame) -> pd.DataFrame:
    """Return one row per alert and tactic: `time`, `tactic`, `name`, `alert`, `process`, `_PLACE`.

    Tactics are those of the rule's tags (`mitre_execution`), else "no tactic".
    """
    count = len(alerts)
    frame = pd.DataFrame({"time": alerts["time"].to_numpy(), "alert": np.arange(count)})
    for column in (*_PLACE, "proc.name", "source", "process_id"):
        given = alerts[column] if column in alerts else pd.Series(index=alerts.index, dtype="str")
        frame[column] = given.astype("object").where(given.notna(), "").to_numpy()
    priority = alerts["priority"].cat.codes if "priority" in alerts else pd.Series(0, alerts.index)
    frame["priority"] = priority.to_numpy()
    named = frame["proc.name"] != ""
    frame["name"] = frame["proc.name"].where(named, "no process, " + frame["source"])
    frame["time"] = pd.to_datetime(frame["time"], utc=True)
    told: dict[Any, list[str]] = {}
    frame["tactic"] = [told.get(t) or told.setdefault(t, _told(t)) for t in alerts["tags"]]
    if "alert_id" in alerts:
        # one alert delivered twice is one alert
        frame["alert"] = pd.factorize(alerts["alert_id"])[0]
        frame = frame.drop_duplicates("alert")
    return frame.explode("tactic", ignore_index=True)


def _told(tags: Iterable[str]) -> list[str]:
    words = {tag.removeprefix("mitre_").replace("_", " ") for tag in tags}
    return [tactic for tactic in TACTICS if tactic in words] or [NO_TACTIC]


def _folded(marks: pd.DataFrame, most: int) -> pd.DataFrame:
    """Return the marks, those of processes without room under one name."""
    key = [*_PLACE, "name"]
    groups = marks.groupby(key, sort=True).agg(
        rows=("tactic", "nunique"), worst=("priority", "max"), alerts=("alert", "nunique")
    )
    if groups["rows"].sum() <= most:
        return marks
    order = groups.sort_values(["worst", "alerts"], ascending=[False, True], kind="stable")
    # the shared rows need room as well: one for each tactic that may be among them
    room = max(1, most - marks["tactic"].nunique())
    out = order[order["rows"].cumsum() > room].index
    mask = pd.MultiIndex.from_frame(marks[key]).isin(out)
    name = f"{_FOLDED}+{len(out):,} more processes"
    return marks.assign(
        name=marks["name"].where(~mask, name), **{c: marks[c].where(~mask, "") for c in _PLACE}
    )


def _rows(marks: pd.DataFrame) -> pd.DataFrame:
    """Return the figure's rows: place by place and process by process, each by its first alert."""
    rows = marks.groupby([*_PLACE, "name", "tactic"], as_index=False).agg(
        times=("time", list), first=("time", "min"), last=("time", "max"),
        alerts=("alert", "nunique"), processes=("process_id", _distinct),
    )  # fmt: skip
    rows["rank"] = rows["tactic"].map({t: n for n, t in enumerate((*TACTICS, NO_TACTIC))})
    rows["folded"] = rows["name"].str.startswith(_FOLDED)
    rows["place"] = rows.groupby(_PLACE)["first"].transform("min")
    rows["began"] = rows.groupby([*_PLACE, "name"])["first"].transform("min")
    order = ["folded", "place", *_PLACE, "began", "name", "rank"]
    return rows.sort_values(order, ignore_index=True)


def _distinct(ids: pd.Series[Any]) -> int:
    return int(ids[ids != ""].nunique())
