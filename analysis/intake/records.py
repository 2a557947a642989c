"""bytes -> records: each alert in a piece of input, decoded, whatever carried it; or why there is none.

In: bytes of one record, or of a whole file. Out: `Record` or `Reject`, in order. `wrappers` opens
what carried an alert, `output_text` reads rendered text; here both come together, and an alert is
told from what is none. Kinds of fields are for frame.py.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import IO, TYPE_CHECKING, Any

from analysis.errors import SourceError
from analysis.intake.output_text import read_text_alert, recover
from analysis.intake.sources import Content, local_file
from analysis.intake.template import Template
from analysis.intake.wrappers import Payload, iter_spans, unwrap
from analysis.schema import parse_priority, require

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import pandas as pd

Own = Mapping[str, Template]
NO_RULES: Own = MappingProxyType({})

EXCERPT = 200
"""Bytes of a rejected record that are kept in the rejects frame."""

NOTICE = "Falco internal:"
"""How the rules begin by which Falco speaks of itself: drops, timeouts, metrics; source `internal`."""

_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:[.,](\d{1,9}))?([Zz]|[+-]\d\d:?\d\d)", re.ASCII
)
CLOCKS = frozenset({"evt.time", "evt.time.iso8601", "jevt.time", "jevt.time.iso8601"})
"""Fields that Falco adds to each alert; they tell when it was, and nothing else."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a record stands: file, line from 1, first byte, length in bytes."""

    file: str
    line: int
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Record:
    """One alert, decoded: where it stood, when it was, and what was taken from elsewhere."""

    alert: dict[str, Any]
    origin: Origin
    time_ns: int | None
    priority: str | None
    wrapper: str = ""
    recovered: tuple[str, ...] = ()
    ambiguous: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reject:
    """One record that is no alert: where, why, and how it begins."""

    origin: Origin
    reason: str
    excerpt: str


def iter_records(
    name: str,
    data: bytes | IO[bytes],
    offset: int = 0,
    line: int = 1,
    *,
    own: Own = NO_RULES,
    length: int | None = None,
    ahead: bool = False,
) -> Iterator[Record | Reject]:
    """Yield what is in bytes, or in the next `length` of an open file.

    `offset` and `line` are where they begin in the file that `name` names; `own` are the templates
    of the user's own rules, by which rendered text is read. `ahead` is as `iter_spans` takes it.
    """
    for span in iter_spans(data, offset, line, length, ahead=ahead):
        origin = Origin(name, span.line, span.offset, span.length)
        raw = span.raw.rstrip()  # blanks around a record are no part of it
        if span.reason:
            yield _reject(raw, origin, span.reason)
        else:
            yield from decode(raw, origin, span.text, own)


def decode(
    raw: bytes, origin: Origin, text: bytes | None = None, own: Own = NO_RULES
) -> list[Record | Reject]:
    """Return the alerts in one record; a Reject where there is none, or one of them is broken.

    `text` is the payload where a record came in several pieces, which `raw` alone would not tell.
    """
    try:
        payloads = unwrap(text if text is not None else raw)
    except ValueError as error:
        return [_reject(raw, origin, str(error))]
    found: list[Record | Reject] = []
    for payload in payloads:
        try:
            found.append(_record(payload, origin, own))
        except ValueError as error:
            found.append(_reject(raw, origin, str(error)))
    return found


def _reject(raw: bytes, origin: Origin, reason: str) -> Reject:
    return Reject(origin, reason, raw[:EXCERPT].decode("utf-8", "replace"))


def _record(payload: Payload, origin: Origin, own: Own) -> Record:
    if payload.reason:  # one part of a record that holds several
        raise ValueError(payload.reason)
    recovered: list[str] = []
    ambiguous: list[str] = []
    clock = None
    if payload.alert is not None:
        alert = dict(payload.alert)
    else:
        read = read_text_alert(payload.text or "", own)
        alert, clock = dict(read.alert), read.clock
        recovered += read.recovered
        ambiguous += read.ambiguous
    if not alert.get("time") and (event_time := _event_time(alert.get("output_fields"))):
        # the event's own time, before the one at which a wrapper took the alert in
        alert["time"] = event_time
        recovered.append("time")
    for key in ("time", "rule", "priority", "source", "hostname"):
        # gRPC: a time that is an object, a priority that is a number; the context has it readable
        known = isinstance(alert.get(key), str) and alert[key]
        if not known and key in payload.context:
            alert[key] = payload.context[key]
            recovered.append(key)
    if not alert.get("source") and str(alert.get("rule")).startswith(NOTICE):
        alert["source"] = "internal"  # as Falco itself says since 0.30
        recovered.append("source")
    time = _time_ns(alert.get("time"))
    _check(alert, time, from_text=payload.alert is None)
    if payload.alert is not None and not (alert.get("output_fields") or {}).keys() - CLOCKS:
        told = recover(alert.get("output") or "", alert.get("rule"), alert.get("source"), own)
        alert["output_fields"] = told.fields | (alert.get("output_fields") or {})
        recovered += told.fields
        ambiguous += told.ambiguous
    if clock and time is None:
        ambiguous.append("time")
    priority = parse_priority(str(alert.get("priority") or ""))
    return Record(
        alert, origin, time, priority, payload.wrapper, tuple(recovered), tuple(ambiguous)
    )


def _check(alert: dict[str, Any], time_ns: int | None, *, from_text: bool) -> None:
    """Raise ValueError unless `alert` has what makes a Falco alert: rule, priority, time."""
    if not from_text:
        missing = [key for key in ("rule", "priority", "time") if key not in alert]
        if missing:
            raise ValueError(f"no Falco alert: lacks {', '.join(missing)}")
        if alert["rule"] == "":
            raise ValueError("rule is empty")
        if time_ns is None:
            raise ValueError(
                f"time {alert['time']!r:.40} is no date and time with a zone, from 1678 to 2261"
            )
    for key in ("rule", "time", "output", "source", "hostname", "uuid"):
        if not isinstance(alert.get(key, ""), str | None):
            raise ValueError(f"{key} is a JSON {_kind(alert[key])}, not a string")
    if parse_priority(str(alert["priority"] or "")) is None:
        raise ValueError(f"priority {alert['priority']!r:.40} is none of Falco's")
    if not isinstance(alert.get("output_fields", {}), dict | None):
        raise ValueError(f"output_fields is a JSON {_kind(alert['output_fields'])}, not an object")
    tags = alert.get("tags") or []
    if not (isinstance(tags, list) and all(isinstance(tag, str) for tag in tags)):
        raise ValueError("tags is no list of strings")


def _kind(value: object) -> str:
    kinds = {dict: "object", list: "array", str: "string", bool: "boolean", type(None): "null"}
    return kinds.get(type(value), "number")


def _time_ns(text: object) -> int | None:
    """Return ns since the epoch, exactly; None for what is no instant that 64 bits can hold."""
    found = _TIME.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        return None
    day, clock, fraction, zone = found.groups()
    try:
        moment = datetime.fromisoformat(f"{day}T{clock}{zone.upper()}").astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    if not 1678 <= moment.year <= 2261:  # noqa: PLR2004 - the years of datetime64[ns]
        return None
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 10**9 + int((fraction or "").ljust(9, "0"))


def _event_time(fields: object) -> str | None:
    """Return the time that the fields tell (`evt.time`, ns since the epoch), as Falco writes it."""
    known = fields if isinstance(fields, dict) else {}
    value = known.get("evt.time", known.get("evt.time.iso8601"))
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 2**63:
        return None
    moment = datetime.fromtimestamp(value // 10**9, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{value % 10**9:09d}Z"


def raw_records(alerts: pd.DataFrame) -> list[bytes]:
    """Return the record of each alert byte for byte as received, read again from its origin.

    A record may be a wrapper's line, and hold several alerts. Records that came from bytes or
    standard input are kept in `alerts.attrs["held"]`.

    Raises
    ------
    SourceError
        If an origin is gone, or shorter than it was.
    """
    require(alerts, ("origin_file", "origin_offset", "origin_length"), by="raw_records")
    held: dict[str, bytes] = alerts.attrs.get("held", {})
    found: dict[int, bytes] = {}
    places = list(_places(alerts))
    for name in dict.fromkeys(place[0] for place in places):
        with local_file(Content(name, held.get(name))) as local, local.path.open("rb") as file:
            for row, (file_name, offset, length) in enumerate(places):
                if file_name == name:
                    file.seek(offset)
                    found[row] = file.read(length)
                    if len(found[row]) != length:
                        raise SourceError(f"{name} is shorter than when its alerts were read")
    return [found[row] for row in range(len(places))]


def _places(alerts: pd.DataFrame) -> Iterable[tuple[str, int, int]]:
    return zip(
        alerts["origin_file"].astype("str"),
        alerts["origin_offset"].astype("int64"),
        alerts["origin_length"].astype("int64"),
        strict=True,
    )
