"""Words and times that several tables share."""

from __future__ import annotations

import pandas as pd

TOPICS = {
    "event": "event",
    "container": "container",
    "process": "process",
    "executable": "program file",
    "user": "user or terminal",
    "object": "file or connection",
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
