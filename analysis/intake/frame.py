"""records -> frame: one row per alert, typed and exact, and the rejects beside it.

Integers stay integers (`container.start_ts` is in ns, beyond 2^53, where floats round); a field
that an alert lacks, or holds as null, is missing. Whether it was null or absent is for
`parse_record` to tell: the frame says only that there is no value.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pandas as pd

from analysis.intake.records import Origin, Record, Reject, Source, iter_records, iter_sources
from analysis.schema import ENVELOPE, PRIORITY, REJECTS, TIME, parse_priority

if TYPE_CHECKING:
    from collections.abc import Sequence

_TEXT = ("rule", "source", "hostname", "output", "uuid")
_INT64_MAX = 2**63 - 1
_UINT64_MAX = 2**64 - 1


def read_alerts(source: Source | Sequence[Source]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read Falco alerts: JSON lines or JSON documents, as Falco or falcosidekick writes them.

    Parameters
    ----------
    source : path, bytes, "-", or a list of these
        A file, a folder (all files below it, by sorted path), content, or standard input.

    Returns
    -------
    alerts : DataFrame
        One row per alert, in order. The columns of `schema.ENVELOPE`: `alert_id` (str, derived
        from content), `time` (datetime64[ns, UTC]), `rule`, `priority` (ordered categorical),
        `source`, `hostname`, `output`, `tags` (list of str), `uuid`, `origin_file`,
        `origin_line`, `origin_offset`, `origin_length` [bytes]. Then each output field under
        its Falco name: Int64 or UInt64, boolean, Float64, or str; a column whose kind differs
        between alerts, or that holds lists, is `object` with the values as they were. A field
        whose name has no dot stands under `output_fields.<name>`, an unknown top-level key
        under `extra.<name>`.
    rejects : DataFrame
        One row per record that is no alert: its origin, `reason`, and `excerpt` (200 bytes).

    Raises
    ------
    SourceError
        If a path does not exist or cannot be read. What is wrong *inside* is a reject.

    Notes
    -----
    Envelope and types: Falco `userspace/engine/formats.cpp`, falcosidekick `types.FalcoPayload`.
    """
    records: list[Record] = []
    rejects: list[Reject] = []
    held: dict[str, bytes] = {}
    for name, data in iter_sources(source):
        if name == "-" or name.startswith("bytes-"):
            held[name] = data
        for one in iter_records(name, data):
            (records if isinstance(one, Record) else rejects).append(one)  # type: ignore[arg-type]
    # an instant that datetime64[ns] cannot hold (before 1677, after 2262) is no time of an alert
    times = _times(records)
    for record in [r for r, time in zip(records, times, strict=True) if pd.isna(time)]:
        text = json.dumps(record.alert)[:200]
        rejects.append(Reject(record.origin, f"time {record.alert['time']!r} does not exist", text))
    records = [r for r, time in zip(records, times, strict=True) if not pd.isna(time)]
    alerts = _alerts_frame(records, times.dropna())
    alerts.attrs["held"] = held
    return alerts, _rejects_frame(rejects)


def _times(records: list[Record]) -> pd.Series:
    texts = pd.Series([r.alert["time"].upper() for r in records], dtype="str")
    times = pd.to_datetime(texts, format="ISO8601", utc=True, errors="coerce")
    inside = times.dt.year.between(1678, 2261)
    return times.where(inside).astype(TIME)


def _alerts_frame(records: list[Record], times: pd.Series) -> pd.DataFrame:
    alerts = [record.alert for record in records]
    columns: dict[str, Any] = {
        "alert_id": pd.array(
            [_alert_id(a, ns) for a, ns in zip(alerts, times.astype("int64"), strict=True)],
            dtype="str",
        ),
        "time": times.array,
        "priority": pd.Categorical([parse_priority(a["priority"]) for a in alerts], dtype=PRIORITY),
        "tags": pd.Series([a.get("tags") or [] for a in alerts], dtype="object").array,
        **_origin_columns([record.origin for record in records]),
    }
    for name in _TEXT:
        columns[name] = pd.array([a.get(name) or None for a in alerts], dtype="str")
    columns = {name: columns[name] for name in ENVELOPE}

    fields: dict[str, list[Any]] = {}
    for row, alert in enumerate(alerts):
        for name, value in _named_fields(alert):
            fields.setdefault(name, [None] * len(alerts))[row] = value
    columns |= {name: _typed(fields[name]) for name in sorted(fields)}
    return pd.DataFrame(columns)


def _named_fields(alert: dict[str, Any]) -> list[tuple[str, Any]]:
    """Return (column, value): only Falco's own names are columns as they are."""
    fields = (alert.get("output_fields") or {}).items()
    named = [(name if "." in name else f"output_fields.{name}", value) for name, value in fields]
    known = {"rule", "priority", "time", "tags", "output_fields", *_TEXT}
    return named + [(f"extra.{key}", value) for key, value in alert.items() if key not in known]


def _typed(values: list[Any]) -> Any:
    """Return one column, exact: the narrowest nullable dtype that holds each value as it is."""
    kinds = {type(value) for value in values if value is not None}
    if kinds == {int}:
        present = [value for value in values if value is not None]
        if min(present) >= -(2**63) and max(present) <= _INT64_MAX:
            return pd.array(values, dtype="Int64")
        if min(present) >= 0 and max(present) <= _UINT64_MAX:
            return pd.array(values, dtype="UInt64")
    elif kinds == {bool}:
        return pd.array(values, dtype="boolean")
    elif kinds == {float}:
        return pd.array(values, dtype="Float64")
    elif kinds <= {str}:
        return pd.array(values, dtype="str")
    return pd.Series(values, dtype="object").array


def _origin_columns(origins: list[Origin]) -> dict[str, Any]:
    return {
        "origin_file": pd.array([o.file for o in origins], dtype="str"),
        "origin_line": pd.array([o.line for o in origins], dtype="int64"),
        "origin_offset": pd.array([o.offset for o in origins], dtype="int64"),
        "origin_length": pd.array([o.length for o in origins], dtype="int64"),
    }


def _rejects_frame(rejects: list[Reject]) -> pd.DataFrame:
    columns = _origin_columns([r.origin for r in rejects])
    columns["reason"] = pd.array([r.reason for r in rejects], dtype="str")
    columns["excerpt"] = pd.array([r.excerpt for r in rejects], dtype="str")
    frame = pd.DataFrame(columns, columns=list(REJECTS))
    return frame.sort_values("origin_offset", kind="stable").sort_values(
        "origin_file", kind="stable", ignore_index=True
    )


def _alert_id(alert: dict[str, Any], time_ns: int) -> str:
    """Return an id from what the sensor saw, so that a second delivery has the same id.

    falcosidekick adds a random uuid, trims the time's zeros and names an empty source
    `syscalls`; none of that changes the id.
    """
    source = alert.get("source") or "syscall"
    fields = alert.get("output_fields") or {"": alert.get("output")}
    content = [
        int(time_ns),
        alert["rule"],
        alert.get("hostname") or "",
        "syscall" if source == "syscalls" else source,
        fields,
    ]
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return "a-" + hashlib.sha256(canonical.encode()).hexdigest()[:16]
