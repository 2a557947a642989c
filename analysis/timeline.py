"""The moments that an alert's fields tell of, in order: when what happened, by which field.

In: exhibits. Out: a frame. Falco counts such times in ns since the epoch; a value that can be no
time (0, negative, beyond 2262) gives no moment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from analysis.schema import TIME

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from analysis.evidence import Exhibit

COLUMNS = ("time", "moment", "alert_id", "field", "value")

_MOMENTS = {
    "proc.pidns_init_start_ts": "first process of the pid namespace started",
    "proc.exe_ino.mtime": "program file last written",
    "proc.exe_ino.ctime": "program file's inode last changed",
    "proc.ppid.ts": "parent process cloned",
    "proc.pid.ts": "process cloned",
}


def timeline(exhibits: Iterable[Exhibit]) -> pd.DataFrame:
    """Return the moments of the alerts, earliest first.

    Returns
    -------
    DataFrame
        `time` (datetime64[ns, UTC]), `moment` (str, what happened), `alert_id`, `field` (the
        alert field that says so), `value` (object, as received).
    """
    rows = [row for exhibit in exhibits for row in _moments(exhibit)]
    frame = pd.DataFrame(rows, columns=list(COLUMNS)).astype({"time": TIME, "value": "object"})
    return frame.drop_duplicates(["time", "moment", "alert_id"]).sort_values(
        ["time", "alert_id", "field"], kind="stable", ignore_index=True
    )


def _moments(exhibit: Exhibit) -> Iterator[tuple[pd.Timestamp, str, str, str, object]]:
    def row(field: str, moment: str) -> Iterator[tuple[pd.Timestamp, str, str, str, object]]:
        value = exhibit.facts.get(field)
        if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**63:
            yield pd.Timestamp(value, unit="ns", tz="UTC"), moment, exhibit.alert_id, field, value

    inside = exhibit.facts.get("in_container")
    if inside is not None:
        first = "container's first process started" if inside else "machine booted"
        yield from row("container.start_ts", first)
    for field, moment in _MOMENTS.items():
        yield from row(field, moment)
    if not pd.isna(exhibit.time):
        rule = f"event of the rule '{exhibit.rule}'"
        yield exhibit.time, rule, exhibit.alert_id, "time", exhibit.record["time"]
