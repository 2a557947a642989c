"""Figures of one alert: its lineage, and the moments that it tells of."""

from __future__ import annotations

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

_NARROW = 46  # characters that fit a box


def lineage(chain: pd.DataFrame) -> Picture:
    """Draw an ancestry: the oldest known ancestor on top, the process below, gaps as gaps.

    Parameters
    ----------
    chain : DataFrame
        As `lineage.ancestry` returns it.
    """
    require(chain, ("level", "relation", "name", "gap"), by="figures.lineage")
    rows = chain.sort_values("level", ascending=False).to_dict("records")
    height = max(1.0, 0.95 * len(rows))
    axes = canvas(6.2, height)
    axes.set(xlim=(0, 6.2), ylim=(height, 0))
    for place, row in enumerate(rows):
        top = place * 0.95
        _box(axes, top, row)
        if place:
            axes.annotate(
                "", xy=(3.1, top + 0.02), xytext=(3.1, top - 0.23),
                arrowprops={"arrowstyle": "-|>", "color": FAINT, "linewidth": 1.2},
            )  # fmt: skip
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
    height = max(0.7, 0.75 * len(moments))
    axes = canvas(6.2, height)
    axes.set(xlim=(0, 6.2), ylim=(height - 0.1, -0.3))
    said = []
    before = None
    for place, (time, moment) in enumerate(zip(moments["time"], moments["moment"], strict=True)):
        y = place * 0.75
        what = short(moment, 60)
        if before is not None:
            axes.plot([0.2, 0.2], [y - 0.75, y], color=FAINT, linewidth=1.5, zorder=1)
            passed = duration((time - before).total_seconds())
            write(axes, 0.42, y - 0.3, f"{passed} later", color=FAINT, fontsize=8.5)
        last = place == len(moments) - 1
        axes.plot([0.2], [y], "o", color=MARK if last else INK, markersize=8, zorder=2)
        write(axes, 0.42, y - 0.06, what, fontweight="bold")
        write(axes, 0.42, y + 0.16, f"{time:%Y-%m-%d %H:%M:%S.%f} UTC", color=FAINT, fontsize=8.5)
        said.append(f"{time:%Y-%m-%d %H:%M:%S} UTC {what}")
        before = time
    return Picture(axes.figure, "Timeline: " + "; ".join(said) + ".")  # type: ignore[arg-type]


def _box(axes: Axes, top: float, row: dict[Any, Any]) -> None:
    itself = row["level"] == 0
    axes.add_patch(
        FancyBboxPatch(
            (0.6, top + 0.08), 5.0, 0.6, boxstyle="round,pad=0.02,rounding_size=0.08",
            facecolor="white" if row["gap"] else PAPER,
            edgecolor=MARK if itself else FAINT,
            linewidth=2 if itself else 1,
            linestyle="--" if row["gap"] else "-",
        )
    )  # fmt: skip
    write(axes, 0.75, top + 0.3, _title(row), fontweight="bold")
    write(axes, 5.45, top + 0.3, str(row["relation"]), color=FAINT, fontsize=8.5, ha="right")
    detail = next((row[key] for key in ("cmdline", "exepath") if isinstance(row.get(key), str)), "")
    if str(row["name"]) in RUNTIMES:
        detail = "container runtime: the container lies below, the host above"
    write(axes, 0.75, top + 0.53, short(detail, _NARROW + 14), color=FAINT, fontsize=8.5)


def _title(row: dict[Any, Any]) -> str:
    if row["gap"]:
        return "not in this alert"
    return short(row["name"], _NARROW) if isinstance(row["name"], str) else "name not in this alert"
