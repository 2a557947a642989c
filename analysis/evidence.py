"""One alert as evidence: the record as received, what follows from it, and how it is cited.

In: alerts. Out: exhibits. A value is cited as the record holds it, so that whoever doubts a
statement finds it, character for character, in the raw alert.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from analysis.errors import SourceError
from analysis.features import DERIVED, derive, event_source, fields_behind
from analysis.identity import identify
from analysis.intake import Origin, Record, frame_of, iter_records, raw_records, whole_number
from analysis.knowledge import known_fields
from analysis.placeholders import true_facts
from analysis.redaction import member, redact_output, redact_raw, redact_value
from analysis.schema import is_missing, parse_priority

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    import pandas as pd

ENVELOPE_FIELDS = ("time", "rule", "priority", "source", "hostname", "tags", "output", "uuid")
"""The alert's own keys that evidence may cite beside its output fields."""
_TELLING = 8  # a shorter secret may stand elsewhere by chance


@dataclass(frozen=True, slots=True)
class Evidence:
    """Where a statement can be checked: this alert, this field, this value, read there."""

    alert_id: str
    field: str
    value: Any
    origin: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """One delivery of an alert: where it was read, its bytes and their SHA-256."""

    origin: str
    raw: bytes
    redacted: str | None = None
    """The bytes as text without secrets, where any were redacted."""

    @property
    def text(self) -> str:
        """What is shown of the bytes."""
        return self.raw.decode("utf-8", "replace") if self.redacted is None else self.redacted

    @property
    def sha256(self) -> str:
        """The digest of the bytes as received."""
        return hashlib.sha256(self.raw).hexdigest()


@dataclass(frozen=True, slots=True)
class Redaction:
    """A field of an alert that is shown without its secrets, and of which kind each is."""

    alert_id: str
    field: str
    secrets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Exhibit:
    """One alert: its record, the facts known from it, and each delivery of it."""

    alert_id: str
    time: pd.Timestamp
    record: dict[str, Any]
    facts: dict[str, Any]
    receipts: tuple[Receipt, ...]
    redactions: tuple[Redaction, ...] = ()

    @property
    def rule(self) -> str:
        """The rule's name; a text alert may not tell it."""
        return self.record.get("rule") or "(rule not named)"

    @property
    def fields(self) -> dict[str, Any]:
        """The alert's output fields as received."""
        return self.record.get("output_fields") or {}

    @property
    def process_fields(self) -> dict[str, Any]:
        """The output fields where they may tell of a process; none where no process was."""
        return {} if self.facts.get("container_event") else self.fields

    def cite(self, names: Iterable[str]) -> tuple[Evidence, ...]:
        """Return the evidence for `names`, derived ones traced to their fields; absent ones not."""
        traced = dict.fromkeys(
            field for name in names for field in fields_behind(name, self.facts.get(name))
        )
        return tuple(
            Evidence(self.alert_id, name, self._value(name), self.receipts[0].origin)
            for name in traced
            if not is_missing(self._value(name))
        )

    def _value(self, name: str) -> Any:
        # the envelope first: a custom output field may bear the name of an envelope key
        return self.record.get(name) if name in ENVELOPE_FIELDS else self.fields.get(name)


def exhibits(alerts: pd.DataFrame) -> list[Exhibit]:
    """Return the distinct alerts of a frame in order of time, deliveries of one alert together.

    Meant for the alerts of one incident: it goes row by row, because each row becomes one
    quotable object with its raw bytes.

    Parameters
    ----------
    alerts : DataFrame
        As `correlate` returns it: with `alert_id`.

    Raises
    ------
    SourceError
        If the source of an alert is gone, or no longer holds it.
    """
    derived = derive(alerts)[list(DERIVED)].astype("object")
    found: dict[str, Exhibit] = {}
    # once each, in order: one record may hold an alert twice
    receipts: dict[str, dict[Receipt, None]] = {}
    read: dict[Origin, dict[str, dict[str, Any]]] = {}
    for row, raw in enumerate(raw_records(alerts)):
        envelope = alerts.iloc[row]
        alert_id = str(envelope["alert_id"])
        place = Origin(
            PurePath(str(envelope["origin_file"])).name,
            int(envelope["origin_line"]),
            int(envelope["origin_offset"]),
            len(raw),
        )
        receipts.setdefault(alert_id, {})[Receipt(f"{place.file}:{place.line}", raw)] = None
        if alert_id in found:
            continue
        if place not in read:
            # by the rules with which the alerts were read
            read[place] = _records(raw, place, alert_id, alerts.attrs.get("own", {}))
        if alert_id not in read[place]:
            raise SourceError(f"{place.file}:{place.line} no longer holds the alert {alert_id}")
        record = read[place][alert_id]
        facts = _facts(record) | {str(k): v for k, v in derived.iloc[row].dropna().items()}
        found[alert_id] = Exhibit(alert_id, envelope["time"], record, true_facts(facts), ())
    whole = [replace(one, receipts=tuple(receipts[one.alert_id])) for one in found.values()]
    return sorted(whole, key=lambda exhibit: (str(exhibit.time), exhibit.alert_id))


def redacted(exhibit: Exhibit) -> Exhibit:
    """Return an exhibit whose text holds no secret, for showing; judge by the exhibit itself.

    The bytes received stay, and so do their digests; `Receipt.text` shows them without secrets.
    """
    program = exhibit.fields.get("proc.name")
    fields = {
        # what an option means depends on whose it is
        name: redact_value(value, f"{program} " if name == "proc.args" else member(name))
        for name, value in exhibit.fields.items()
    }
    rest = {
        name: redact_value(value, member(name))
        for name, value in exhibit.record.items()
        if name not in ("output_fields", *ENVELOPE_FIELDS)
    }
    known = {
        value: shown
        for whole, parts in ((exhibit.fields, fields), (exhibit.record, rest))
        for name, (shown, _) in parts.items()
        if isinstance(value := whole[name], str)
    }
    record = exhibit.record | {name: shown for name, (shown, _) in rest.items()}
    if fields:
        record["output_fields"] = {name: shown for name, (shown, _) in fields.items()}
    if isinstance(output := record.get("output"), str):
        made = redact_output(output, known)
        known[output] = record["output"] = made.text
        rest["output"] = made.text, made
    facts = {
        # a name without a dot is the envelope's, or derived
        name: fields[name][0] if "." in name and name in fields and isinstance(value, str)
        else record["output"] if name == "output" else redact_value(value)[0]
        for name, value in exhibit.facts.items()
    }  # fmt: skip
    found = {name: one for name, (_, one) in (rest | fields).items() if one.secrets}
    taken = {text for one in found.values() for text in one.taken}
    around = [redact_raw(receipt.text, known) for receipt in exhibit.receipts]
    if not found and (others := [one for one in around if one.secrets]):
        found["(around the alert)"] = others[0]
    return replace(
        exhibit,
        record=record,
        facts=facts,
        receipts=tuple(
            _without(receipt, made.text, taken)
            for receipt, made in zip(exhibit.receipts, around, strict=True)
        ),
        redactions=tuple(Redaction(exhibit.alert_id, n, one.secrets) for n, one in found.items()),
    )


def retelling(received: Iterable[Exhibit], shown: Mapping[str, Exhibit]) -> Callable[[str], str]:
    """Return what takes the secrets of alerts out of words that may quote them.

    Parameters
    ----------
    received : iterable of Exhibit
        The alerts that are spoken of.
    shown : mapping
        `alert_id` -> the same as `redacted` makes it.
    """
    known = {
        value: shown[one.alert_id].fields[name]
        for one in received
        for name, value in one.fields.items()
        if isinstance(value, str) and value != shown[one.alert_id].fields[name]
    }
    return lambda words: redact_output(words, known).text


def _without(receipt: Receipt, text: str, secrets: Iterable[str]) -> Receipt:
    if any(len(secret) >= _TELLING and secret in text for secret in secrets):
        text = "(Not shown: it holds a secret beside the places where it was recognised.)"
    return receipt if text == receipt.text else replace(receipt, redacted=text)


def _records(
    raw: bytes, place: Origin, alert_id: str, own: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """Return the alerts in a record by their ids: a wrapper's record may hold several."""
    decoded = iter_records(place.file, raw, own=own)
    records = [one for one in decoded if isinstance(one, Record)]
    if len(records) == 1:
        return {alert_id: records[0].alert}
    ids = identify(frame_of(records))["alert_id"] if records else ()
    return {own: one.alert for own, one in reversed(list(zip(ids, records, strict=True)))}


def _facts(record: dict[str, Any]) -> dict[str, Any]:
    """Return what is known: values present, integers as integers, the envelope in one spelling."""
    known = known_fields()
    facts = {name: record[name] for name in ENVELOPE_FIELDS if record.get(name) is not None}
    for name, value in (record.get("output_fields") or {}).items():
        # a name without a dot is a custom field, and could pose as an envelope key or derived fact
        if "." not in name or is_missing(value):
            continue
        if name in known and known[name].kind == "integer":
            value = whole_number(value)  # noqa: PLW2901 - the same value, in its own kind
        if value is not None and not (name.startswith("k8s.") and value == ""):
            facts[name] = value
    facts["priority"] = parse_priority(str(record["priority"]))
    facts["source"] = event_source(str(record.get("source") or ""), str(record.get("rule") or ""))
    return facts
