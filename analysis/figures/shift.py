"""Figures of a shift: bars over time, and bars by size. Frames of `overview` in, Pictures out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from analysis.figures.picture import FAINT, INK, LINE, Picture, canvas, counted, short, write
from analysis.findings import duration
from analysis.quoting import visible
from analysis.schema import require

if TYPE_CHECKING:
    import pandas as pd

_WIDTH, _ROW, _TOP = 7.2, 0.22, 0.42  # inches
_NAME, _AXIS, _END = 0.08, 3.0, 6.3
_HEIGHT = 1.1
_BAR, _SIZE = "#0072b2", 8.5
_SAID = 12  # bars that the alternative text names


def volume(counts: pd.DataFrame) -> Picture:
    """Draw the number of alerts over time.

    Parameters
    ----------
    counts : DataFrame
        As `overview.volume` returns it.

    Returns
    -------
    Picture
        Its `alt` says how many, from when to when, and when most.
    """
    require(counts, ("start", "alerts"), by="figures.volume")
    if counts.empty:
        return _nothing("No alert with a time.")
    axes = canvas(_WIDTH, _TOP + _HEIGHT + 0.4)
    most, rows = int(counts["alerts"].max()), len(counts)
    base, left, right = _TOP + _HEIGHT, _NAME + 0.5, _WIDTH - 0.1
    width = min((right - left) / rows, 0.4)
    first, last = counts["start"].iloc[0], counts["start"].iloc[-1]
    step = f", a bar for each {_span(counts)}" if rows > 1 else ""
    title = f"{counted(int(counts['alerts'].sum()), 'alert')} with a time{step}"
    write(axes, _NAME, 0.16, title, fontsize=10, fontweight="bold")
    heights = counts["alerts"].to_numpy() / most * _HEIGHT
    starts = [left + at * width for at in range(rows)]
    axes.bar(starts, -heights, width * 0.86, bottom=base, align="edge", color=_BAR)
    axes.plot([left, left + rows * width], [base, base], color=LINE, linewidth=1)
    style = {"fontsize": 7.5, "family": "monospace", "color": FAINT}
    write(axes, left - 0.06, _TOP, f"{most:,}", ha="right", **style)
    write(axes, left - 0.06, base, "0", ha="right", **style)
    write(axes, left, base + 0.16, f"{first:%Y-%m-%d %H:%M:%S}", **style)
    if rows > 1:
        write(axes, max(left + rows * width, left + 3), base + 0.16,
              f"last step from {last:%Y-%m-%d %H:%M:%S} UTC", ha="right", **style)  # fmt: skip
    peak = counts["start"].iloc[int(counts["alerts"].argmax())]
    alt = f"Volume: {title}, from {first:%Y-%m-%d %H:%M:%S} UTC; most, {most:,}, in the step from "
    return Picture(axes.figure, f"{alt}{peak:%Y-%m-%d %H:%M:%S} UTC.")  # type: ignore[arg-type]


def bars(counts: pd.DataFrame, title: str, *, missing: str = "not told") -> Picture:
    """Draw one bar per value, in the order given.

    Parameters
    ----------
    counts : DataFrame
        Reads `value` (missing is shown as `missing`) and `alerts`, as `overview.top` and
        `overview.coverage` return them.
    title : str
        What the bars count.
    missing : str
        What a missing value means.

    Returns
    -------
    Picture
        Its `alt` names the first twelve bars and counts the rest.
    """
    require(counts, ("value", "alerts"), by="figures.bars")
    if counts.empty:
        return _nothing(f"{title}: none.")
    names = counts["value"].astype("object").where(counts["value"].notna(), missing).tolist()
    numbers = [int(number) for number in counts["alerts"]]
    axes = canvas(_WIDTH, _TOP + _ROW * len(names) + 0.1)
    write(axes, _NAME, 0.16, title, fontsize=10, fontweight="bold")
    most = max([*numbers, 1])
    for at, (name, number) in enumerate(zip(names, numbers, strict=True)):
        y = _TOP + _ROW * (at + 0.5)
        write(axes, _NAME, y, short(name, 39), fontsize=_SIZE, family="monospace")
        length = number / most * (_END - _AXIS)
        axes.barh([y], [length], _ROW * 0.7, left=_AXIS, color=_BAR)
        color = INK if number else FAINT
        write(axes, _AXIS + length + 0.07, y, f"{number:,}", fontsize=_SIZE, color=color)
    said = [
        f"{visible(name, longest=80)}, {number:,}"
        for name, number in zip(names[:_SAID], numbers, strict=False)
    ]
    more = [f"{len(names) - _SAID:,} more"] if len(names) > _SAID else []
    return Picture(axes.figure, f"{title}: {'; '.join(said + more)}.")  # type: ignore[arg-type]


def _span(counts: pd.DataFrame) -> str:
    return duration((counts["start"].iloc[1] - counts["start"].iloc[0]).total_seconds())


def _nothing(words: str) -> Picture:
    axes = canvas(_WIDTH, 0.4)
    write(axes, _NAME, 0.2, words, color=FAINT)
    return Picture(axes.figure, words)  # type: ignore[arg-type]
