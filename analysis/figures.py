"""Figures: a frame in, a Picture out, with the words that say the same to who cannot see it.

Draws what lineage and timeline found; decides nothing. Pictures are SVG, the same bytes for the
same data, made without pyplot, so that drawing has no state and starts fast. Alert text is made
visible and is never read as mathematics.
"""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from analysis.findings import duration
from analysis.quoting import visible
from analysis.schema import require

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

RUNTIMES = ("containerd-shim", "conmon", "runc", "crio")
"""Names of the processes that stand between a container and its host."""

_INK, _FAINT, _PAPER, _MARK = "#1d2733", "#5b6775", "#eef2f6", "#8a1c1c"
_STYLE: Any = {"svg.fonttype": "none", "svg.hashsalt": "falco-casebook", "font.size": 10}
_NARROW = 46  # characters that fit a box


@dataclass(frozen=True)
class Picture:
    """A matplotlib figure with its alternative text; shows itself as SVG in a notebook."""

    figure: Figure
    alt: str

    def svg(self) -> str:
        """Return the figure as SVG; the same data gives the same text."""
        buffer = io.StringIO()
        with mpl.rc_context(_STYLE), warnings.catch_warnings():
            # a script that DejaVu lacks: the browser has a font for it, the text stays text
            warnings.filterwarnings("ignore", message="Glyph .* missing")
            self.figure.savefig(buffer, format="svg", metadata={"Date": None}, bbox_inches="tight")
        return buffer.getvalue()

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
        data = {"image/svg+xml": self.svg(), "text/plain": self.alt}
        return data, {"image/svg+xml": {"alt": self.alt}}


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
    axes = _axes(6.2, height)
    axes.set(xlim=(0, 6.2), ylim=(height, 0))
    for place, row in enumerate(rows):
        top = place * 0.95
        _box(axes, top, row)
        if place:
            axes.annotate(
                "", xy=(3.1, top + 0.02), xytext=(3.1, top - 0.23),
                arrowprops={"arrowstyle": "-|>", "color": _FAINT, "linewidth": 1.2},
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
    axes = _axes(6.2, height)
    axes.set(xlim=(0, 6.2), ylim=(height - 0.1, -0.3))
    said = []
    before = None
    for place, (time, moment) in enumerate(zip(moments["time"], moments["moment"], strict=True)):
        y = place * 0.75
        what = _short(moment, 60)
        if before is not None:
            axes.plot([0.2, 0.2], [y - 0.75, y], color=_FAINT, linewidth=1.5, zorder=1)
            passed = duration((time - before).total_seconds())
            _write(axes, 0.42, y - 0.3, f"{passed} later", color=_FAINT, fontsize=8.5)
        last = place == len(moments) - 1
        axes.plot([0.2], [y], "o", color=_MARK if last else _INK, markersize=8, zorder=2)
        _write(axes, 0.42, y - 0.06, what, fontweight="bold")
        _write(axes, 0.42, y + 0.16, f"{time:%Y-%m-%d %H:%M:%S.%f} UTC", color=_FAINT, fontsize=8.5)
        said.append(f"{time:%Y-%m-%d %H:%M:%S} UTC {what}")
        before = time
    return Picture(axes.figure, "Timeline: " + "; ".join(said) + ".")  # type: ignore[arg-type]


def _axes(width: float, height: float) -> Axes:
    figure = Figure(figsize=(width, height))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    return axes


def _box(axes: Axes, top: float, row: dict[Any, Any]) -> None:
    itself = row["level"] == 0
    axes.add_patch(
        FancyBboxPatch(
            (0.6, top + 0.08), 5.0, 0.6, boxstyle="round,pad=0.02,rounding_size=0.08",
            facecolor="white" if row["gap"] else _PAPER,
            edgecolor=_MARK if itself else _FAINT,
            linewidth=2 if itself else 1,
            linestyle="--" if row["gap"] else "-",
        )
    )  # fmt: skip
    _write(axes, 0.75, top + 0.3, _title(row), fontweight="bold")
    _write(axes, 5.45, top + 0.3, str(row["relation"]), color=_FAINT, fontsize=8.5, ha="right")
    detail = next((row[key] for key in ("cmdline", "exepath") if isinstance(row.get(key), str)), "")
    if str(row["name"]) in RUNTIMES:
        detail = "container runtime: the container lies below, the host above"
    _write(axes, 0.75, top + 0.53, _short(detail, _NARROW + 14), color=_FAINT, fontsize=8.5)


def _title(row: dict[Any, Any]) -> str:
    if row["gap"]:
        return "not in this alert"
    return (
        _short(row["name"], _NARROW) if isinstance(row["name"], str) else "name not in this alert"
    )


def _short(text: str, longest: int) -> str:
    text = visible(text)
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _write(axes: Axes, x: float, y: float, text: str, **style: Any) -> None:
    # parse_math off: a `$` in a command line is a dollar
    axes.text(x, y, text, parse_math=False, va="center", **({"color": _INK} | style))
