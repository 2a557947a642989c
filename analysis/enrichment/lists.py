"""Lists of indicators: CSV with the columns type, value and description, or a STIX 2.1 bundle.

In: a file. Out: its indicators by kind and value, and a sentence on each reason for which an entry
is not looked for. A list is written by others: nothing of it is trusted, and none of it is ignored
in silence.
"""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from analysis.enrichment.kinds import kind_of
from analysis.enrichment.stix import alternatives
from analysis.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator

_NAMED = 3  # places that a sentence on entries left out names


@dataclass(frozen=True, slots=True)
class Indicator:
    """One value that a list names."""

    kind: str
    value: str
    """As the list writes it."""
    place: str
    """Its line, or its id."""
    description: str = ""
    since: pd.Timestamp | None = None
    until: pd.Timestamp | None = None


@dataclass(slots=True)
class IndicatorList:
    """A list as read."""

    name: str
    sha256: str
    indicators: dict[str, dict[str, list[Indicator]]] = field(default_factory=dict)
    """Kind to value, in the kind's one form, to what the list says of it."""
    left_out: dict[str, list[str]] = field(default_factory=dict)
    """Why entries are not looked for, and their places."""

    def add(self, type_: str, indicator: Indicator) -> None:
        """Take an indicator in, or say why not."""
        kind = kind_of(type_)
        if kind is None:
            self.leave_out(f"no field of Falco's is known here to hold {type_!r:.60}", indicator)
            return
        text = indicator.value.strip()
        shape = kind.shape(text) if text and not _is_defanged(text) else None
        if shape is None:
            self.leave_out(f"the value is no single {kind.kind}", indicator)
            return
        kept = Indicator(kind.kind, text, *(getattr(indicator, name) for name in _REST))
        self.indicators.setdefault(kind.kind, {}).setdefault(shape, []).append(kept)

    def leave_out(self, reason: str, indicator: Indicator) -> None:
        """Count an entry that is not looked for."""
        self.left_out.setdefault(reason, []).append(indicator.place)

    @property
    def limits(self) -> list[str]:
        """A sentence on each reason for which entries are not looked for."""
        return [
            f"{self.name}: not looked for, {len(places):,} of its entries, as {reason} "
            f"({', '.join(places[:_NAMED])}{', …' if len(places) > _NAMED else ''})"
            for reason, places in self.left_out.items()
        ]


_REST = ("place", "description", "since", "until")


def read_list(path: str | Path) -> IndicatorList:
    """Return a list of indicators; read anew where the file has changed.

    Raises
    ------
    SourceError
        If it cannot be read, or is neither CSV with these columns nor a STIX bundle.
    """
    file = Path(path).absolute()
    try:
        stat = file.stat()
        return _read(file, stat.st_mtime_ns, stat.st_size)
    except OSError as error:
        if isinstance(error, SourceError):
            raise
        raise SourceError(f"cannot read {file.name}: {error.strerror}") from error


@lru_cache(maxsize=8)
def _read(file: Path, _: int, __: int) -> IndicatorList:
    content = file.read_bytes()
    listed = IndicatorList(file.name, sha256(content).hexdigest())
    text = content.decode("utf-8-sig", "replace")
    entries = _stix(text, listed) if text.lstrip().startswith(("{", "[")) else _csv(text, listed)
    for type_, indicator in entries:
        if "\ufffd" in indicator.value:
            listed.leave_out("they are not UTF-8", indicator)
        else:
            listed.add(type_, indicator)
    return listed


def _csv(text: str, listed: IndicatorList) -> Iterator[tuple[str, Indicator]]:
    rows = csv.reader(io.StringIO(text, newline=""))
    columns: list[str] = []
    start = 1
    try:
        for row in rows:
            place, start = f"line {start}", rows.line_num + 1
            if not any(row) or row[0].lstrip().startswith("#"):
                continue
            if not columns:
                columns = [name.strip().lower() for name in row]
                if not {"type", "value"} <= set(columns):
                    raise SourceError(f"{listed.name}, {place}: needs the columns type and value")
                continue
            told = dict(zip(columns, row, strict=False))
            value = told.get("value", "")
            yield told["type"], Indicator("", value, place, told.get("description", ""))
    except csv.Error as error:
        raise SourceError(f"{listed.name}, line {rows.line_num}: {error}") from error
    if not columns:
        raise SourceError(f"{listed.name} is empty; it needs the columns type and value")


def _stix(text: str, listed: IndicatorList) -> Iterator[tuple[str, Indicator]]:
    try:
        told = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SourceError(f"{listed.name} is no JSON: {error}") from error
    objects = told.get("objects") if isinstance(told, dict) else None
    if not isinstance(objects, list) or told.get("type") != "bundle":
        raise SourceError(f"{listed.name} is no STIX bundle: it needs type bundle and objects")
    for number, one in enumerate(objects, 1):
        if not isinstance(one, dict) or one.get("type") != "indicator":
            continue  # actors, malware, reports: no values to look for
        place = one["id"] if isinstance(one.get("id"), str) else f"object {number}"
        yield from _indicator(one, place, listed)


def _indicator(
    one: dict[str, Any], place: str, listed: IndicatorList
) -> Iterator[tuple[str, Indicator]]:
    words = [one[name] for name in ("name", "description") if isinstance(one.get(name), str)]
    try:
        since, until = (_moment(one.get(name)) for name in ("valid_from", "valid_until"))
    except ValueError:
        listed.leave_out("valid_from or valid_until is no time", Indicator("", "", place))
        return
    pattern = one.get("pattern")
    whole = Indicator("", "", place, ": ".join(words), since, until)
    if one.get("revoked") is True:
        listed.leave_out("they are revoked", whole)
        return
    pairs = None
    if isinstance(pattern, str) and one.get("pattern_type", "stix") == "stix":
        pairs = alternatives(pattern)
    if pairs is None:
        listed.leave_out("their pattern asks more than that a value is equal", whole)
        return
    for path, value in pairs:
        yield path, Indicator("", value, *(getattr(whole, name) for name in _REST))


def _moment(text: Any) -> pd.Timestamp | None:
    if text is None:
        return None
    time = pd.Timestamp(text)
    return time.tz_localize("UTC") if time.tz is None else time.tz_convert("UTC")


def _is_defanged(text: str) -> bool:
    """Return whether a value was made harmless for reading: it is no value any more."""
    return "[.]" in text or text.lower().startswith("hxxp")
