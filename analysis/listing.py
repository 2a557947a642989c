"""Incidents as a list: lines for a terminal of 80 columns, and documents for machines.

In: what `correlate` found. Out: text, and JSON values. Alert text is made visible by whoever prints
it (`quoting`); here it is counted and cut.
"""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import pandas as pd

from analysis.findings import duration
from analysis.quoting import visible
from analysis.triage import score
from analysis.verdicts import latest, marks_of_incidents

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from analysis.incidents import Correlation

COLUMNS = 80
_INDENT = " " * 7
_SHOWN = 3  # of a list's entries
_WHERE = {"host": "hosts", "container": "containers", "image": "images", "user": "users"}


def queue(found: Correlation, marks: pd.DataFrame | None = None) -> list[dict[str, Any]]:
    """Return the incidents as JSON values, best score first, each with its score's summands.

    `mark` is the gravest mark that counts of its alerts, null where none of `marks`, entries of
    `verdicts.history`, is on one of them; `marked` is how many of its alerts have one.
    """
    order = ["score", "first_seen", "incident_id"]
    rows = found.incidents.sort_values(order, ascending=[False, True, True])
    summands = score(found.alerts, rows)
    parts: dict[str, list[dict[str, Any]]] = {one: [] for one in rows["incident_id"]}
    for part in summands.to_dict("records"):
        parts[part.pop("incident_id")].append({str(key): value for key, value in part.items()})
    told = _marked(found.alerts, marks)
    return [
        _document(row)
        | {"summands": parts[row["incident_id"]]}
        | told.get(row["incident_id"], {"mark": None, "marked": 0})
        for row in rows.to_dict("records")
    ]


def _marked(alerts: pd.DataFrame, marks: pd.DataFrame | None) -> dict[str, dict[str, Any]]:
    if marks is None or marks.empty:
        return {}
    told = marks_of_incidents(alerts, latest(alerts, marks))
    return {
        row["incident_id"]: {"mark": row["verdict"], "marked": row["marked"]}
        for row in told.to_dict("records")
    }


def lines(documents: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Yield the incidents as lines of at most COLUMNS characters, safe for a terminal."""
    for one in documents:
        seen = (one["first_seen"] or "time unknown")[:19].replace("T", " ")
        number = f"{one['alerts']:,} alert{'s' if one['alerts'] > 1 else ''}"
        yield f"{one['score']:5.1f}  {one['incident_id']}  {one['priority'] or 'unknown':13}  {seen:19}  {number}"[
            :COLUMNS
        ]
        where = [f"{word} {_some(one[kind])}" for word, kind in _WHERE.items() if one[kind]]
        lasted = f"in {duration(one['duration_s'])}" if one["duration_s"] else ""
        marked = f"[{one['mark']}] " if one.get("mark") else ""
        for said in (
            marked + (_some(one["rules"]) or "rule not named"),
            " > ".join(one["tactics"]),
            "; ".join(filter(None, [*where, lasted])),
            ", ".join(f"{part['points']:+g} {part['summand']}" for part in one["summands"]),
        ):
            yield from textwrap.wrap(
                visible(said, longest=400),
                COLUMNS,
                initial_indent=_INDENT,
                subsequent_indent=_INDENT,
                break_on_hyphens=False,
            )


def _document(row: dict[Any, Any]) -> dict[str, Any]:
    plain = {str(key): list(v) if isinstance(v, tuple) else v for key, v in row.items()}
    took: Any = plain.pop("duration")
    return plain | {
        "first_seen": _moment(row["first_seen"]),
        "last_seen": _moment(row["last_seen"]),
        "duration_s": None if pd.isna(took) else took.total_seconds(),
        "priority": row["priority"] if isinstance(row["priority"], str) else None,
    }


def _moment(time: Any) -> str | None:
    return None if pd.isna(time) else time.isoformat().replace("+00:00", "Z")


def _some(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more:,} more" if more > 0 else "")
