"""Tables of many incidents and of a shift: frames of `facets` and `overview`, shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from analysis.shown import Shown, code, entries, table, text
from analysis.tables.words import moment

if TYPE_CHECKING:
    from collections.abc import Sequence

_SHOWN = 3  # of a list's entries


def incidents(queued: pd.DataFrame) -> Shown:
    """Show incidents in the order given; reads what `facets.queue` returns."""
    rows = [
        [
            text(f"{row['score']:.1f}"),
            code(row["incident_id"]),
            text(_or(row["verdict"], "not marked")),
            text(_or(row["priority"], "unknown")),
            text(moment(row["first_seen"])),
            text(f"{row['alerts']:,}"),
            entries(_some(row["rules"])),
            entries(row["tactics"]),
            entries(_some(row["hosts"])),
        ]
        for row in queued.head(101).to_dict("records")
    ]
    headings = ["Score", "Incident", "Marked", "Priority", "First (UTC)", "Alerts", "Rules",
                "Tactics", "Hosts"]  # fmt: skip
    caption = f"Incidents, the best score first, of {len(queued):,}"
    return table(caption, headings, rows[:100], "No incident.")


def points(summands: pd.DataFrame) -> Shown:
    """Show what a score is the sum of; reads what `triage.score` returns."""
    rows = [
        [text(row["summand"]), text(f"{row['points']:+g}"), text(row["reason"])]
        for row in summands.to_dict("records")
    ]
    caption = f"Score {summands['points'].sum():.1f}, the sum of"
    return table(caption, ["Summand", "Points", "Why"], rows, "Score 0.")


def new(found: pd.DataFrame, since: str) -> Shown:
    """Show what `overview.new_values` returns."""
    rows = [
        [text(row["facet"]), code(row["value"]), text(moment(row["first_seen"])),
         text(f"{row['alerts']:,}")]
        for row in found.to_dict("records")
    ]  # fmt: skip
    caption = f"Told since {since}, and by no alert loaded from before"
    headings = ["Facet", "Value", "First (UTC)", "Alerts"]
    empty = "Nothing is told for the first time, or no alert loaded is from before."
    return table(caption, headings, rows, empty)


def noise(found: pd.DataFrame) -> Shown:
    """Show what `overview.noise` returns."""
    columns = ("alerts", "deeds", "repeated", "incidents")
    rows = [
        [text(_or(row["rule"], "rule not named")), *(text(f"{row[name]:,}") for name in columns),
         text(f"{row['share']:.1%}")]
        for row in found.to_dict("records")
    ]  # fmt: skip
    headings = ["Rule", "Alerts", "Tell something of their own", "Repeat another", "Incidents",
                "Repetitions, of all alerts"]  # fmt: skip
    caption = "Rules whose alerts repeat each other, but for when and by which process id"
    return table(caption, headings, rows, "No alert repeats another.")


def chosen(alerts: pd.DataFrame, columns: Sequence[str] = ()) -> Shown:
    """Show alerts of a selection, a row each: when, where, which rule, and the columns wanted."""
    wanted = [name for name in ("rule", "hostname", *columns, "output") if name in alerts]
    rows = [
        [text(moment(row["time"])), *(code(row[name]) if _told(row[name]) else text("not told")
         for name in wanted)]
        for row in alerts.head(100).to_dict("records")
    ]  # fmt: skip
    caption = f"The first {len(rows):,} of {len(alerts):,} records"
    return table(caption, ["Time (UTC)", *wanted], rows, "No alert.")


def _told(value: Any) -> bool:
    return isinstance(value, list | tuple) or not pd.isna(value)


def _or(value: Any, other: str) -> str:
    return value if isinstance(value, str) else other


def _some(names: Sequence[str]) -> list[str]:
    more = len(names) - _SHOWN
    return [*names[:_SHOWN], *([f"and {more:,} more"] if more > 0 else [])]
