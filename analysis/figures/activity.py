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
from analysis.figures.marks import (
    PLACE,
    TACTICS,
    clusters,
    folded,
    heading,
    rows,
    tactics,
    where,
    words,
)
from analysis.figures.picture import FAINT, INK, LINE, PAPER, Picture, canvas, short, write
from analysis.findings import duration
from analysis.schema import require

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.axes import Axes

_WIDTH, _ROW, _TOP = 7.2, 0.2, 0.66  # inches
_SIZE, _SMALL = 8.5, 7.5  # points
_NAME, _TACTIC, _AXIS, _END = 0.08, 1.68, 3.2, 6.45  # inches from the left


def activity(alerts: pd.DataFrame, *, most: int = 40) -> Picture:
    """Draw alerts over time: a row per process and tactic, marks where alerts came.

    A number beside a mark counts alerts too close to be told apart, from the mark to the end of
    its line. A gap much longer than the rest is cut out, and its length is written in the cut.
    An alert of several tactics has a mark for each. All times are UTC.

    Parameters
    ----------
    alerts : DataFrame
        As `read_alerts` or `correlate` returns it. Reads `time`, `rule`, `source`,
        `tags`; `hostname`, `container.id`, `proc.name`, `priority`, `process_id`, `alert_id` where
        there. Tactics are those of `tactics`.
    most : int, default 40
        Rows at most; the processes of highest priority, then the rarest have their own, the
        others share one for each tactic.

    Returns
    -------
    Picture
        Its `alt` counts alerts by process and tactic.

    Raises
    ------
    AlertSchemaError
        If `time`, `rule`, `source` or `tags` is missing.

    Examples
    --------
    >>> from analysis import figures, read_alerts
    >>> picture = figures.activity(read_alerts("data/alerts/")[0])
    >>> picture.alt[:38]
    'Activity: 3 alerts, 3 process names, 2'
    """
    require(alerts, ("time", "rule", "source", "tags"), by="figures.activity")
    marks = tactics(alerts)
    title, when = heading(marks)
    dated = marks[marks["time"].notna()]
    if dated.empty:
        axes = canvas(_WIDTH, 0.4)
        none = "No alert." if marks.empty else f"{title}, {when}."
        write(axes, _NAME, 0.2, none, color=FAINT)
        return Picture(axes.figure, none)  # type: ignore[arg-type]
    drawn = rows(folded(dated, most))
    times = dated["time"].to_numpy(dtype="datetime64[ns]").astype("int64")
    heads = len(drawn.drop_duplicates(PLACE)) > 1
    tops = _tops(drawn, heads=heads)
    axes = canvas(_WIDTH, tops[-1] + _ROW + 0.56)
    write(axes, _NAME, 0.16, title, fontsize=10, fontweight="bold")
    at = "" if heads else where(drawn.to_dict("records")[0]) + ", "
    write(axes, _NAME, 0.36, short(at + when, 92), fontsize=_SIZE, color=FAINT)
    axis = parts(times, _AXIS, _END)
    _ruler(axes, axis, tops[-1] + _ROW)
    _labels(axes, drawn, tops, heads=heads)
    for top, row in zip(tops, drawn.to_dict("records"), strict=True):
        _marks(axes, top + _ROW / 2, row, axis)
    alt = f"Activity: {title}, {when}. {words(drawn)}"
    return Picture(axes.figure, alt)  # type: ignore[arg-type]


def _tops(rows: pd.DataFrame, *, heads: bool) -> list[float]:
    """Return where each row starts: a space before each process, a heading before each place."""
    tops, y, before = [], _TOP, None
    for row in rows.to_dict("records"):
        here = (row["folded"], row["hostname"], row["container.id"])
        if heads and here != (before[:3] if before else None):
            y += _ROW * (0.4 if row["folded"] else 1.3)
        elif before and before != (*here, row["name"]):
            y += 0.06
        tops.append(y)
        y += _ROW
        before = (*here, row["name"])
    return tops


def _labels(axes: Axes, rows: pd.DataFrame, tops: list[float], *, heads: bool) -> None:
    style: dict[str, Any] = {"fontsize": _SIZE, "family": "monospace"}
    small = style | {"fontsize": _SMALL}
    before, shaded = None, False
    for top, row in zip(tops, rows.to_dict("records"), strict=True):
        y = top + _ROW / 2
        here = (row["folded"], row["hostname"], row["container.id"])
        if heads and not row["folded"] and here != (before[:3] if before else None):
            write(axes, _NAME, y - _ROW, short(where(row), 90), color=FAINT, **small)
        first = before != (*here, row["name"])
        if first:
            shaded = not shaded
            text = row["name"] if row["folded"] else called(row["name"], 21)
            weight = "normal" if row["folded"] else "bold"
            write(axes, _NAME, y, text, fontweight=weight, **style)
        if shaded:
            axes.axhspan(top, top + _ROW, color=PAPER, linewidth=0, zorder=0)
        mark, color = TACTICS.get(row["tactic"], ("|", FAINT))
        _draw(axes, _TACTIC + 0.05, y, mark, color)
        write(axes, _TACTIC + 0.16, y, row["tactic"], **small)
        write(axes, _WIDTH - 0.08, y, f"{row['alerts']:,}", ha="right", color=FAINT, **style)
        before = (*here, row["name"])


def _marks(axes: Axes, y: float, row: Mapping[Any, Any], axis: list[Part]) -> None:
    mark, color = TACTICS.get(row["tactic"], ("|", FAINT))
    at = place(row["times"], axis)
    for start, stop in clusters(at):
        if stop - start > 1:
            low = y + 0.065
            axes.plot([at[start], at[stop - 1]], [low, low], color=FAINT, linewidth=1, zorder=2)
            text = _brief(stop - start)
            write(axes, at[start] + 0.075, y - 0.015, text, fontsize=6.5, family="monospace")
        _draw(axes, at[start], y, mark, color)


def _draw(axes: Axes, x: float, y: float, mark: Any, color: str) -> None:
    size = 8 if mark in ("*", (4, 1, 0)) else 6
    axes.plot([x], [y], marker=mark, markersize=size, markerfacecolor=color, markeredgecolor=INK,
              markeredgewidth=0.7, zorder=3)  # fmt: skip


def _ruler(axes: Axes, axis: list[Part], bottom: float) -> None:
    style: dict[str, Any] = {"fontsize": 7, "family": "monospace", "color": FAINT}
    base, day = bottom + 0.08, None
    for before, part in zip([None, *axis], axis, strict=False):
        if before:
            gap = duration((part.first - before.last) / 1e9)
            middle = (before.right + part.left) / 2
            write(axes, middle, _TOP - 0.08, gap, ha="center", **style)
            axes.axvspan(middle - 0.02, middle + 0.02, 0, 1, color="white", zorder=1)
            for x in (middle - 0.02, middle + 0.02):
                axes.plot([x, x], [_TOP, base], color=LINE, linewidth=0.8, linestyle=(0, (1, 2)))
        axes.plot([part.left, max(part.right, part.left + 0.02)], [base, base], color=FAINT, linewidth=1)  # fmt: skip
        for time, x in zip(part.ticks(), place(np.array(part.ticks()), axis), strict=True):
            axes.plot([x, x], [_TOP, base + 0.05], color=LINE, linewidth=0.6, zorder=1)
            write(axes, x, base + 0.14, written(time, part.step), **style)
            today = str(pd.Timestamp(time, unit="ns").date())
            if today != day:
                write(axes, x, base + 0.28, today, **style)
            day = today


def _brief(count: int) -> str:
    """Return a count in four characters or so.

    >>> _brief(999), _brief(4998), _brief(23456), _brief(2345678)
    ('999', '4998', '23k', '2M')
    """
    thousands = len(str(count)) > 4  # noqa: PLR2004 - digits that fit
    millions = count >= 10**6
    return f"{count // 10**6}M" if millions else f"{count // 1000}k" if thousands else str(count)
