"""Words and times that several tables share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from analysis.knowledge import topic_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from analysis.case import Case

TOPICS = {
    "event": "event",
    "container": "container",
    "process": "process",
    "executable": "program file",
    "user": "user or terminal",
    "object": "file, connection or object",
}
"""What each topic of a finding or a field is about."""


def moment(time: pd.Timestamp) -> str:
    """Return a time with all nine digits, as Falco writes it; a text alert may tell no date."""
    if pd.isna(time):
        return "unknown"
    return f"{time:%Y-%m-%d %H:%M:%S}.{time.value % 10**9:09d}"


def or_unknown(value: object) -> str:
    """Return text, or the word that says there is none."""
    return value if isinstance(value, str) and value else "unknown"


def several(case: Case) -> bool:
    """Return whether a case has more alerts than one; deliveries of one are one."""
    return len(case.alerts["alert_id"].unique()) > 1


def fields_told(case: Case) -> Iterator[tuple[str, object, str]]:
    """Yield each output field of the alerts examined: its name, its value, and its topic."""
    for exhibit in case.exhibits:
        for name, value in exhibit.fields.items():
            yield name, value, topic_of(name, exhibit.facts.get("evt.type"))
