"""Figures of one alert: its lineage, and the moments that it tells of."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

from matplotlib.patches import FancyBboxPatch

from analysis.figures.picture import FAINT, INK, MARK, PAPER, Picture, canvas, short, write
from analysis.findings import duration
from analysis.schema import require

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

RUNTIMES = ("containerd-shim", "conmon", "runc", "crio")
"""Names of the processes that stand between a container and its host."""

_WIDTH, _BOX = 3.9, 0.95  # inches: a phone's width, and a level with its arrow
_NAME, _DETAIL = 24, 50  # characters that fit a box


def lineage(chain: pd.DataFrame) -> Picture:
    """Draw an ancestry: the oldest known ancestor on top, the process below, gaps as gaps.

    Parameters
    ----------
    chain : DataFrame
        As `lineage.ancestry` returns it.

    Examples
    --------
    >>> from analysis import ancestry, figures
    >>> figures.lineage(ancestry({"proc.name": "sh", "proc.pname": "nginx"})).alt
    'Process lineage, from the process up: process sh, parent nginx'
    """
    require(chain, ("level", "relation", "name", "gap"), by="figures.lineage")
    rows = chain.sort_values("level", ascending=False).to_dict("records")
    axes = canvas(_WIDTH, max(0.6, _BOX * len(rows)))
    for place, row in enumerate(rows):
        top = place * _BOX
        _box(axes, top, row)
        if place:
            axes.annotate(
                "", xy=(_WIDTH / 2, top + 0.04), xytext=(_WIDTH / 2, top - 0.23),
                arrowprops={"arrowstyle": "-|>", "color": FAINT, "linewidth": 1.2},
            )  # fmt: skip
    if not rows:
        write(axes, 0.1, 0.3, "No process known.", color=FAINT)
    said = [f"{row['relation']} {_title(row)}" for row in reversed(rows)]
    alt = (
        "Process lineage, from the process up: " + ", ".join(said) if rows else "No process known."
    )
    return Picture(axes.figure, alt)  # type: ignore[arg-type]


def timeline(moments: pd.DataFrame) -> Picture:
    """Draw the moments of an incident from top to bottom, with the time between them.

    Parameters
    ----------
    moments : DataFrame
        As `timeline.timeline` returns it.
    """
    require(moments, ("time", "moment"), by="figures.timeline")
    texts = [textwrap.wrap(short(moment, 100), 44) for moment in moments["moment"]]
    height = sum(0.61 + 0.17 * len(text) for text in texts)
    axes = canvas(_WIDTH, max(0.4, height - 0.1))
    said, before, y = [], None, 0.15
    for place, (time, text) in enumerate(zip(moments["time"], texts, strict=True)):
        if before is not None:
            seconds = (time - before[0]).total_seconds()
            passed = f"{duration(seconds)} later" if seconds else "at the same time"
            axes.plot([0.2, 0.2], [before[1], y], color=FAINT, linewidth=1.5, zorder=1)
            write(axes, 0.42, y - 0.25, passed, color=FAINT, fontsize=8.5)
        last = place == len(moments) - 1
        axes.plot([0.2], [y], "o", color=MARK if last else INK, markersize=8, zorder=2)
        before = time, y
        for line in text:
            write(axes, 0.42, y, line, fontweight="bold", fontsize=9.5)
            y += 0.17
        write(axes, 0.42, y + 0.02, f"{time:%Y-%m-%d %H:%M:%S.%f} UTC", color=FAINT, fontsize=8.5)
        said.append(f"{time:%Y-%m-%d %H:%M:%S} UTC {' '.join(text)}")
        y += 0.61
    alt = "Timeline: " + "; ".join(said) + "." if said else "No time known."
    return Picture(axes.figure, alt)  # type: ignore[arg-type]


def _box(axes: Axes, top: float, row: dict[Any, Any]) -> None:
    itself = row["level"] == 0
    axes.add_patch(
        FancyBboxPatch(
            (0.08, top + 0.08), _WIDTH - 0.16, 0.6, boxstyle="round,pad=0.02,rounding_size=0.08",
            facecolor="white" if row["gap"] else PAPER,
            edgecolor=MARK if itself else FAINT,
            linewidth=2 if itself else 1,
            linestyle="--" if row["gap"] else "-",
        )
    )  # fmt: skip
    mono: dict[str, Any] = {"family": "monospace"}
    write(axes, 0.16, top + 0.28, _title(row), fontweight="bold", **mono)
    relation = str(row["relation"])
    write(axes, _WIDTH - 0.18, top + 0.28, relation, color=FAINT, fontsize=8.5, ha="right")
    detail = next((row[key] for key in ("cmdline", "exepath") if isinstance(row.get(key), str)), "")
    if str(row["name"]) in RUNTIMES:
        detail = "container runtime: container below, host above"
    write(axes, 0.16, top + 0.53, short(detail, _DETAIL), color=FAINT, fontsize=8.5, **mono)


def _title(row: dict[Any, Any]) -> str:
    if row["gap"]:
        return "not in this alert"
    return short(row["name"], _NAME) if isinstance(row["name"], str) else "name not in this alert"
