"""bytes -> records: find each JSON document in a source, decode it, remember where it stood.

In: a path, a folder, `-`, bytes, or a list of these. Out: `Record` or `Reject`, in order.
Reads JSON lines and single JSON documents, also pretty-printed ones. Says nothing about types
of fields (frame.py does) and knows no wrapper but falcosidekick's, which is Falco's own object.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.errors import SourceError
from analysis.schema import parse_priority, require

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import pandas as pd

Source = str | Path | bytes
EXCERPT = 200
"""Bytes of a rejected record that are kept in the rejects frame."""

_LINE = re.compile(rb"[^\n]*\n?")
_SURROGATE = re.compile("[\ud800-\udfff]")
_ISO = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:?\d\d)")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a record stands: file, line from 1, first byte, length in bytes."""

    file: str
    line: int
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Record:
    """One decoded alert with its origin."""

    alert: dict[str, Any]
    origin: Origin


@dataclass(frozen=True, slots=True)
class Reject:
    """One record that is no alert: where, why, and how it begins."""

    origin: Origin
    reason: str
    excerpt: str


def iter_sources(source: Source | Sequence[Source]) -> Iterator[tuple[str, bytes]]:
    """Yield (name, content) of each file that `source` names, folders by sorted path.

    Raises
    ------
    SourceError
        If a path does not exist or cannot be read, or a folder holds no file.
    """
    if isinstance(source, bytes):
        # content is its own name, so that equal input gives equal origins
        yield f"bytes-{hashlib.sha256(source).hexdigest()[:12]}", source
    elif isinstance(source, str | Path):
        if str(source) == "-":
            yield "-", sys.stdin.buffer.read()
            return
        for path in _files(Path(source)):
            try:
                yield str(path), path.read_bytes()
            except OSError as error:
                raise SourceError(f"cannot read {path}: {error.strerror}") from error
    else:
        for one in source:
            yield from iter_sources(one)


def _files(path: Path) -> list[Path]:
    if not path.exists():
        raise SourceError(f"no such file or folder: {path}")
    if not path.is_dir():
        return [path]
    files = sorted(p for p in path.rglob("*") if p.is_file() and not p.name.startswith("."))
    if not files:
        raise SourceError(f"the folder {path} holds no file")
    return files


def iter_records(name: str, data: bytes) -> Iterator[Record | Reject]:
    """Yield each record of one file: every non-blank line, or a document of several lines, is one."""
    start = 3 if data.startswith(b"\xef\xbb\xbf") else 0
    line = 0
    while start < len(data):
        match = _LINE.match(data, start)
        end = match.end() if match else len(data)
        line += 1
        if data[start:end].strip():
            end = _document_end(data, start, end)
            raw = data[start:end]
            lead = len(raw) - len(raw.lstrip())
            origin = Origin(name, line, start + lead, len(raw.strip()))
            yield _decode(raw.strip(), origin)
            line += raw.count(b"\n") - raw.endswith(b"\n")
        start = end


def _document_end(data: bytes, start: int, end: int) -> int:
    """Return where the document that starts on this line ends: mostly, with the line."""
    if data[start:end].strip() not in (b"{", b"["):  # how every pretty-printer opens a document
        return end
    close = b"}" if data[start:end].strip() == b"{" else b"]"
    indent = data[start:end][: data[start:end].index(data[start:end].strip())]
    for match in _LINE.finditer(data, end):
        text = match[0].rstrip()
        if text.rstrip(b",") == indent + close:
            return match.end()
        if text.startswith(b"{") or not match[0]:  # the next document: this one was never closed
            return match.start()
    return len(data)


def parse_record(raw: bytes) -> dict[str, Any]:
    """Decode one alert exactly: integers of any size, no duplicate keys, no NaN.

    Bytes that are no UTF-8, and lone surrogates, become U+FFFD.

    Raises
    ------
    ValueError
        If `raw` is no JSON object that Falco could have written; the message says why.
    """
    text = raw.decode("utf-8", "replace")
    try:
        alert = json.loads(
            text, object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite
        )
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except json.JSONDecodeError as error:
        where = f"column {error.colno}" if error.lineno == 1 else f"its line {error.lineno}"
        raise ValueError(f"no JSON: {error.msg} at {where}") from None
    if "\\ud" in text.lower():
        alert = _without_surrogates(alert)
    _check(alert)
    return alert  # type: ignore[no-any-return]


def _decode(raw: bytes, origin: Origin) -> Record | Reject:
    try:
        return Record(parse_record(raw), origin)
    except ValueError as error:
        return Reject(origin, str(error), raw[:EXCERPT].decode("utf-8", "replace"))


def _check(alert: object) -> None:
    """Raise ValueError unless `alert` has what makes a Falco alert: rule, priority, time."""
    if not isinstance(alert, dict):
        raise ValueError(f"a JSON {_kind(alert)}, not an alert object")
    missing = [key for key in ("rule", "priority", "time") if key not in alert]
    if missing:
        raise ValueError(f"no Falco alert: lacks {', '.join(missing)}")
    for key in ("rule", "priority", "time", "output", "source", "hostname", "uuid"):
        if not isinstance(alert.get(key, ""), str | None):
            raise ValueError(f"{key} is a JSON {_kind(alert[key])}, not a string")
    if not alert["rule"]:
        raise ValueError("rule is empty")
    if parse_priority(alert["priority"] or "") is None:
        raise ValueError(f"priority {alert['priority']!r:.40} is none of Falco's")
    if not _ISO.fullmatch(alert["time"] or ""):
        raise ValueError(f"time {alert['time']!r:.40} is no ISO 8601 time with a zone")
    if not isinstance(alert.get("output_fields", {}), dict | None):
        raise ValueError(f"output_fields is a JSON {_kind(alert['output_fields'])}, not an object")
    tags = alert.get("tags") or []
    if not (isinstance(tags, list) and all(isinstance(tag, str) for tag in tags)):
        raise ValueError("tags is no list of strings")


def _kind(value: object) -> str:
    kinds = {dict: "object", list: "array", str: "string", bool: "boolean", type(None): "null"}
    return kinds.get(type(value), "number")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice!r:.60} occurs twice: which value holds is not known")
    return found


def _no_constant(name: str) -> None:
    raise ValueError(f"no JSON: {name} is no JSON number")


def _finite(text: str) -> float:
    if math.isinf(number := float(text)):
        raise ValueError(f"the number {text:.40} is beyond what a reader can hold")
    return number


def _without_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return _SURROGATE.sub("\ufffd", value)
    if isinstance(value, list):
        return [_without_surrogates(one) for one in value]
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(one) for key, one in value.items()}
    return value


def raw_records(alerts: pd.DataFrame) -> list[bytes]:
    """Return each alert of `alerts` byte for byte as received, read again from its origin.

    Alerts that came from bytes or standard input are kept in `alerts.attrs["held"]`.

    Raises
    ------
    SourceError
        If an origin is gone, or shorter than it was.
    """
    require(alerts, ("origin_file", "origin_offset", "origin_length"), by="raw_records")
    held: dict[str, bytes] = dict(alerts.attrs.get("held", {}))
    found = []
    for name, offset, length in _origins(alerts):
        if name not in held:
            try:
                held[name] = Path(name).read_bytes()
            except OSError as error:
                raise SourceError(f"cannot read {name} again: {error.strerror}") from error
        raw = held[name][offset : offset + length]
        if len(raw) != length:
            raise SourceError(f"{name} is shorter than when its alerts were read")
        found.append(raw)
    return found


def _origins(alerts: pd.DataFrame) -> Iterable[tuple[str, int, int]]:
    return zip(
        alerts["origin_file"].astype(str),
        alerts["origin_offset"].astype(int),
        alerts["origin_length"].astype(int),
        strict=True,
    )
