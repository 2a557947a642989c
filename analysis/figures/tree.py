"""The process tree of an incident: one line a process, readable at any size.

Drawn as `tree` and `ps f` do it: children indented below their parent, earliest first. What a
link rests on shows in its line: solid where the alerts tell pids, dashed where it is inferred from
names. `chosen` chooses the rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
from matplotlib.patches import Rectangle

from analysis.figures.chosen import choose
from analysis.figures.lines import lines, title, words
from analysis.figures.picture import (
    CELL,
    FAINT,
    INK,
    LINE,
    MARK,
    PAPER,
    Picture,
    canvas,
    cells,
    short,
    write,
)
from analysis.schema import require

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

NEEDED = (
    "process_id", "parent_id", "depth", "hostname", "container.id", "proc.name", "proc.exepath",
    "proc.cmdline", "proc.pid", "first_seen", "last_seen", "alerts", "inferred", "boundary",
    "reparented",
)  # fmt: skip

_WIDTH, _ROW, _TOP = 7.2, 0.205, 0.62  # inches; A4 between its margins is 7.1 wide
_SIZE = 8.5  # points
_CHARACTER = _SIZE * CELL / 72
_LEFT, _STEP, _WIDEST = 0.14, 0.2, 2.6  # where the roots' marks stand; an indent; all indents
_LEGEND = (
    ("alert", "has alerts"),
    ("ancestor", "only an ancestor"),
    ("boundary", "container runtime"),
    ("inferred", "inferred from names"),
    ("container", "inside a container"),
)


def process_tree(processes: pd.DataFrame, *, most: int = 60) -> Picture:
    """Draw the process tree of an incident: a line per process, children below their parent.

    A filled diamond and bold text mark a process with alerts, an empty circle one known only as an
    ancestor, a square a container's runtime; a shaded band is the inside of a container. A dashed
    line is a link inferred from names.

    Parameters
    ----------
    processes : DataFrame
        As `ProcessTree.processes`.
    most : int, default 60
        Rows at most. Where there are more processes, those of one shape are folded into a count;
        the rarest with an alert are kept (see `chosen`).

    Returns
    -------
    Picture
        Its `alt` names the processes with alerts and counts the rest.

    Raises
    ------
    AlertSchemaError
        If a column of `processes` is missing.

    Examples
    --------
    >>> from analysis import figures, process_tree, read_alerts
    >>> alerts, rejects = read_alerts("data/alerts/terminal_shell_in_container.jsonl")
    >>> figures.process_tree(process_tree(alerts).processes).alt[:41]
    'Process tree: 2 processes inferred from n'
    """
    require(processes, NEEDED, by="figures.process_tree")
    if processes.empty:
        axes = canvas(_WIDTH, 0.4)
        write(axes, _LEFT, 0.2, "No process known.", color=FAINT)
        return Picture(axes.figure, "No process known.")  # type: ignore[arg-type]
    rows = choose(processes, most)
    shown = lines(rows, processes)
    height = _TOP + _ROW * (len(shown) + 1.6)
    axes = canvas(_WIDTH, height)
    what, when = title(processes)
    write(axes, _LEFT - 0.06, 0.16, what, fontsize=10, fontweight="bold")
    write(axes, _LEFT - 0.06, 0.36, when, fontsize=_SIZE, color=FAINT)
    step = min(_STEP, _WIDEST / max(1, int(rows["indent"].max())))
    _bands(axes, shown, step)
    _links(axes, shown, step)
    days = processes["first_seen"].dropna().dt.date.nunique()
    clock = "%H:%M:%S" if days <= 1 else "%m-%d %H:%M:%S"
    write(axes, _WIDTH - 0.08, _TOP - 0.07, "first seen", fontsize=7, color=FAINT, ha="right")
    for place, line in enumerate(shown):
        _line(axes, _y(place), line, step, clock)
    _legend(axes, height - 0.6 * _ROW, shown)
    return Picture(axes.figure, words(processes, rows))  # type: ignore[arg-type]


def _y(place: int) -> float:
    return _TOP + _ROW * (place + 0.5)


def _line(axes: Axes, y: float, line: dict[str, Any], step: float, clock: str) -> None:
    x = _LEFT + step * line["indent"]
    style: dict[str, Any] = {"fontsize": _SIZE, "family": "monospace"}
    if line["kind"] == "container":
        write(axes, x + 0.04, y, line["text"], color=FAINT, fontsize=7.5, family="monospace")
        return
    room = int((_WIDTH - 0.1 - x - 0.14) / _CHARACTER)
    if line["kind"] == "folded":
        write(axes, x + 0.14, y, short(line["text"], room), color=FAINT, style="italic", **style)
        return
    _mark(axes, x, y, line["mark"])
    told = "" if pd.isna(line["time"]) else f"{line['time']:{clock}}"
    room -= len(told) + 1 if told else 0
    alerted = line["mark"] == "alert"
    written = short(line["text"], max(8, room))
    write(axes, x + 0.14, y, written, fontweight="bold" if alerted else "normal", **style)
    used = cells(written) + 2
    if line["notes"] and room - used > 3:  # noqa: PLR2004 - less says nothing
        notes = short(line["notes"], room - used)
        color = MARK if alerted else INK
        write(axes, x + 0.14 + used * _CHARACTER, y, notes, color=color, **style)
        used += cells(notes) + 2
    if line["detail"] and room - used > 5:  # noqa: PLR2004 - as above
        detail = short(line["detail"], room - used)
        write(axes, x + 0.14 + used * _CHARACTER, y, detail, color=FAINT, **style)
    write(axes, _WIDTH - 0.08, y, told, color=FAINT, ha="right", **style)


def _mark(axes: Axes, x: float, y: float, kind: str) -> None:
    shape = {"alert": "D", "ancestor": "o", "boundary": "s"}[kind]
    face = MARK if kind == "alert" else "white"
    edge = MARK if kind == "alert" else FAINT
    axes.plot([x], [y], shape, markersize=5, markerfacecolor=face, markeredgecolor=edge, zorder=3)


def _bands(axes: Axes, shown: Sequence[dict[str, Any]], step: float) -> None:
    """Shade what is inside a container, and draw its edge."""
    start = 0
    for place in range(1, len(shown) + 1):
        if place < len(shown) and shown[place]["inside"] == shown[start]["inside"]:
            continue
        if shown[start]["inside"]:
            left = _LEFT + step * min(line["indent"] for line in shown[start:place]) - 0.09
            top, bottom = _y(start) - _ROW / 2, _y(place) - _ROW / 2
            size = (_WIDTH - 0.03 - left, bottom - top)
            axes.add_patch(Rectangle((left, top), *size, facecolor=PAPER, edgecolor="none"))
            axes.plot([left, left], [top, bottom], color=FAINT, linewidth=1.6, zorder=1)
            if shown[start]["kind"] == "container":
                axes.plot([left, _WIDTH - 0.03], [top, top], color=FAINT, linewidth=0.8, zorder=1)
        start = place


def _links(axes: Axes, shown: Sequence[dict[str, Any]], step: float) -> None:
    for place, line in enumerate(shown):
        if line["kind"] == "container" or line["above"] < 0:
            continue
        x = _LEFT + step * (line["indent"] - 1)
        style: dict[str, Any] = {
            "color": LINE,
            "linewidth": 1.0,
            "zorder": 2,
            "solid_capstyle": "butt",
        }
        # a dashed stem would be hidden under a solid sibling's: each link draws its own arm
        style |= {"linestyle": (0, (2.5, 2))} if line["dashed"] else {}
        axes.plot([x, x], [_y(line["above"]) + 0.05, _y(place)], **style)
        axes.plot([x, x + step - 0.05], [_y(place)] * 2, **style)


def _legend(axes: Axes, y: float, shown: Sequence[dict[str, Any]]) -> None:
    """Name the marks that are there, and no others."""
    there = {line.get("mark") for line in shown}
    there |= {"inferred"} if any(line.get("dashed") for line in shown) else set()
    there |= {"container"} if any(line["inside"] for line in shown) else set()
    x = _LEFT
    for kind, text in _LEGEND:
        if kind not in there:
            continue
        if kind == "inferred":
            axes.plot(
                [x - 0.06, x + 0.1], [y, y], color=FAINT, linewidth=1, linestyle=(0, (2.5, 2))
            )
        elif kind == "container":
            axes.add_patch(Rectangle((x - 0.06, y - 0.06), 0.16, 0.12, facecolor=PAPER, edgecolor=FAINT))  # fmt: skip
        else:
            _mark(axes, x, y, kind)
        write(axes, x + 0.14, y, text, fontsize=7.5, color=FAINT, family="monospace")
        x += 0.14 + (len(text) + 3) * 7.5 * CELL / 72
