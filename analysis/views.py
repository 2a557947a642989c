"""What the desk shows, without the desk: views of a case as HTML, labels and lines as text.

In: a case, rows of `facets`. Out: HTML and text in which all alert text is visible and escaped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
from markupsafe import Markup

from analysis import figures, tables
from analysis.figures import Picture
from analysis.figures.picture import counted
from analysis.quoting import visible
from analysis.shown import Shown, in_notebook

if TYPE_CHECKING:
    from analysis.case import Case

VIEWS = ("Summary", "Process tree", "Timeline", "Findings", "What to do", "Raw alerts", "Marks")
"""The views of a case."""


def view(case: Case, name: str, *, summands: pd.DataFrame) -> str:
    """Return the HTML of one of VIEWS: what the report's sections show, and the marks.

    Parameters
    ----------
    case : Case
        The incident.
    name : str
        One of VIEWS.
    summands : DataFrame
        As `triage.score` returns it, of any incidents.
    """
    shown: list[Shown | Picture]
    several = len(case.alerts["alert_id"].unique()) > 1
    if name == "Process tree":
        tree = figures.process_tree(case.processes) if several else figures.lineage(case.lineage)
        shown = [tree, tables.ancestry(case)]
    elif name == "Timeline":
        drawn = figures.activity(case.alerts) if several else figures.timeline(case.timeline)
        shown = [drawn, tables.duplicates(case.folded), tables.timeline(case)]
    elif name == "Findings":
        shown = [tables.findings(case), tables.causes(case), tables.gaps(case)]
    elif name == "What to do":
        shown = [tables.mitigation(case)]
    elif name == "Raw alerts":
        shown = [tables.raw(case)]
    elif name == "Marks":
        shown = [tables.marks(case)]
    else:
        points = tables.points(summands[summands["incident_id"] == case.incident_id])
        shown = [tables.summary(case), tables.playbook(case), points, tables.event(case)]
    return in_notebook("".join(map(_html, shown)))


def moments(time: pd.Series) -> list[tuple[str, pd.Timestamp]]:
    """Return the moments that a range may start and end at."""
    known = time.dropna()
    if known.empty:
        return [("unknown", pd.Timestamp(0, tz="UTC"))]
    first, last = known.min(), known.max()
    moments = (
        [*pd.date_range(first.floor("s"), last, periods=100), last] if last > first else [first]
    )
    return [(f"{one:%Y-%m-%d %H:%M:%S}", one) for one in dict.fromkeys(moments)]


def label(value: str | None, number: int) -> str:
    """Return a facet's value with its count, visible."""
    return f"{'not told' if value is None else visible(value, longest=60)} ({number:,})"


def line(row: dict[Any, Any]) -> str:
    """Return an incident of `facets.queue` in one line, visible."""
    marked = f"[{row['verdict']}] " if isinstance(row["verdict"], str) else ""
    rules = visible(", ".join(row["rules"]) or "rule not named", longest=160)
    every = counted(row["alerts"], "alert")
    return f"{row['score']:5.1f}  {marked}{rules}  ({row['selected']:,} of {every})"


def _html(shown: Shown | Picture) -> str:
    return shown.svg() if isinstance(shown, Picture) else shown.html


def paragraph(words: str) -> str:
    """Return words as HTML, visible and escaped."""
    return str(Markup("<p>{}</p>").format(visible(words)))
