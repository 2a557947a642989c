"""The page over all reports of a folder: incidents to sort and filter, without a network.

In: what manifests say of each report. Out: HTML. Its one script is ours, allowed by its digest, and
reads text only.
"""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Any

import pandas as pd
from markupsafe import Markup

from analysis import tables
from analysis.report.html import style
from analysis.schema import PRIORITIES
from analysis.shown import render

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_NARROWEST = 1.0  # percent of the time line that an incident takes at least


def facts_of(incident: Mapping[str, Any], summands: Sequence[str]) -> dict[str, Any]:
    """Return what the index shows of an incident, as JSON values.

    Parameters
    ----------
    incident : mapping
        A row of `correlate`'s incidents.
    summands : sequence of str
        What its score is made of.
    """
    return {
        "score": float(incident["score"]),
        "summands": list(summands),
        "priority": str(incident["priority"]),
        "rules": list(incident["rules"]),
        "alerts": int(incident["alerts"]),
        "hosts": list(incident["hosts"]),
        "containers": list(incident["containers"]),
        "first_seen": tables.moment(incident["first_seen"]),
        "last_seen": tables.moment(incident["last_seen"]),
        "seen_ns": [
            None if pd.isna(incident[name]) else int(incident[name].value)
            for name in ("first_seen", "last_seen")
        ],
    }


def index(reports: Mapping[str, Mapping[str, Any]], rejects: pd.DataFrame | None = None) -> str:
    """Return the page.

    Parameters
    ----------
    reports : mapping
        Incident id to the facts in its report's manifest.
    rejects : DataFrame, optional
        Records that are no alerts.
    """
    times = [ns for one in reports.values() for ns in one["seen_ns"] if ns is not None]
    span = (min(times), max(times)) if times else (0, 0)
    order = sorted(reports, key=lambda name: (-reports[name]["score"], _first(reports[name]), name))
    rows = [_row(name, reports[name], span) for name in order]
    shown = "" if rejects is None else tables.rejects(rejects).html
    body = render(
        "index",
        rows=rows,
        marked=any(row["mark"] for row in rows),
        failed=[
            {"incident_id": name, "error": reports[name]["error"]}
            for name in order
            if reports[name]["error"]
        ],
        rejects=Markup(shown),  # noqa: S704 - rendered, so escaped
    )
    script = (files("analysis") / "templates" / "index.js").read_text(encoding="utf-8")
    return render(
        "page",
        title="Falco incident reports",
        contents=[],
        blocks=[Markup(body)],  # noqa: S704 - rendered, so escaped
        code=[],
        **style(script),
    )


def _first(facts: Mapping[str, Any]) -> int:
    return facts["seen_ns"][0] or 0


def _row(name: str, facts: Mapping[str, Any], span: tuple[int, int]) -> dict[str, Any]:
    first, last = facts["seen_ns"]
    length = max(span[1] - span[0], 1)
    start = 0.0 if first is None else 100 * (first - span[0]) / length
    width = 0.0 if first is None else max(_NARROWEST, 100 * (last - first) / length)
    failed = bool(facts["error"])
    return {
        "incident_id": name,
        "link": f"{name}/{'error.txt' if failed else 'report.html'}",
        "score": f"{facts['score']:g}",
        "summands": facts["summands"],
        "disposition": "report failed" if failed else facts["disposition"],
        "mark": facts.get("mark", ""),
        "priority": facts["priority"],
        "rank": PRIORITIES.index(facts["priority"]) if facts["priority"] in PRIORITIES else -1,
        "rules": ", ".join(facts["rules"]),
        "alerts": facts["alerts"],
        "hosts": ", ".join(facts["hosts"]),
        "containers": ", ".join(facts["containers"]),
        "first_seen": facts["first_seen"],
        "start": f"{min(start, 100 - _NARROWEST):.2f}",
        "width": f"{min(width, 100 - min(start, 100 - _NARROWEST)):.2f}",
        "when": f"from {facts['first_seen']} to {facts['last_seen']}",
    }
