"""bytes -> records -> alerts: cut a file into records, take off what loggers and stores put around.

In: a file's bytes; one record's bytes. Out: `Span`; `Payload`, an alert object or Falco's text.
Each wrapper is a row of `WRAPPERS` (lines) or `JSON_WRAPPERS` (objects), most specific first, and
hands what it held back to the tables: a CRI line in an Elasticsearch hit needs no code of its own.
Wrappers state facts beside the alert (`context`), never in it. Reads no fields out of text
(output_text.py) and judges no types (frame.py).
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import zlib
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from analysis.intake.decoding import decode_json
from analysis.intake.lines import FALCO_TEXT, LOOSE, WRAPPERS
from analysis.intake.sources import MOST_UNPACKED
from analysis.intake.spans import Span, is_tiny, iter_spans
from analysis.intake.wrapped_json import (
    JSON_WRAPPERS,
    Parts,
    Wrapper,
    as_alert,
)
from analysis.schema import PRIORITIES

__all__ = ["WRAPPERS", "Payload", "Span", "iter_spans", "unwrap"]

DEPTH = 8
"""Wrappers that may stand one in the other."""

_FREELY_INFLATED, _INFLATED = 2**20, 2**26
_SHORT = 16
_OWN_LINE = re.compile(
    r"\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}: |\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4}: "
)
_OWN = re.compile(
    r"(?:\^C)?(?:(?:Events detected|Rule counts by severity|Triggered rules by rule name|"
    r"Syscall event drop monitoring|Driver Events|Driver Drops|Elapsed time):|Falco initialized|"
    rf"Falco version|Loading rules|- event drop detected|- num times actions|"
    rf"(?:{'|'.join(one.upper() for one in PRIORITIES)}): \d+$)"
)
_WORD = re.compile(r"\w")
_COUNT = re.compile(r"[\w /(),'-]{1,120}: \d+")
_STORES = ("loki", "kafka-rest", "redis")
_NOTHING = "no Falco alert in it: no rule, priority and time"
_ALIKE = re.compile(r'\s*["\[]?\s*\{.*"(?:rule|priority|output|output_fields)\\?"', re.DOTALL)
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_JSON_ARRAY = re.compile(r"\[\s*[\[{\"]")
_BASE64 = re.compile(r"(?:(?>[A-Za-z0-9+/]{4})){6,}+(?:[A-Za-z0-9+/]{2,3}={0,2})?")


@dataclass(frozen=True, slots=True)
class Payload:
    """What a wrapper carried: an alert object as decoded, or Falco's rendered text."""

    alert: dict[str, Any] | None
    text: str | None
    wrapper: str
    """Names, outermost first, joined by "/"; "" for a bare alert."""
    context: dict[str, str]
    """What the wrappers state: `time`, `hostname`, `rule`, …; `sensor.pod` is Falco's own pod."""
    reason: str = ""
    """Why there is neither: a part, beside good ones, that is broken or no alert."""


def unwrap(raw: bytes) -> list[Payload]:
    """Return all alerts in one record, each with the wrappers that it came in.

    A part of it that should be an alert and is none, beside others that are, is a `Payload` with
    a `reason` and neither alert nor text.

    Raises
    ------
    ValueError
        If there is none; the message says why, in one line.
    """
    if is_tiny(raw):
        raise ValueError(_NOTHING)
    text = raw.decode("utf-8", "replace").lstrip("\ufeff").strip()
    if not text:
        raise ValueError("empty")
    try:
        return _open(text, (), {})
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _open(thing: Any, trail: tuple[str, ...], context: dict[str, str]) -> list[Payload]:
    if isinstance(thing, str):
        return _open_text(thing.strip(), trail, context)
    if isinstance(thing, dict):
        return _open_object(thing, trail, context)
    if not isinstance(thing, list):
        raise ValueError(_NOTHING)
    if thing and all(type(one) is int for one in thing):  # journald gives odd bytes as numbers
        return _open(bytes(thing).decode("utf-8", "replace"), trail, context)
    inside = trail or ("",)  # its strings are no lines
    return _open_each([(one, {}) for one in thing], inside, context, are_peers=True)


def _open_each(
    parts: Parts, trail: tuple[str, ...], context: dict[str, str], *, are_peers: bool
) -> list[Payload]:
    """Open each part; what a store holds twice counts once; raise the first reason if none opens.

    Of parts that do not open beside others that do, peers (a store's lines) are told with the
    reason, and of other parts (an object's members) those that look like an alert.
    """
    found: list[Payload] = []
    reasons: list[str] = []
    for inner, states in parts:
        try:
            found += _open(inner, trail, context | states)
        except ValueError as error:
            reasons.append(str(error))
            if (are_peers and inner and isinstance(inner, str | dict | list)) or _is_alike(inner):
                known = context | states
                found.append(Payload(None, None, _named(trail), known, str(error)))
    if all(one.reason for one in found):
        raise ValueError(next((one for one in reasons if one != _NOTHING), _NOTHING))
    if trail[-1:] == ("json",):
        keyed = {
            id(one) if one.reason else one.text or json.dumps(one.alert): one
            for one in reversed(found)
        }
        found = list(keyed.values())[::-1]
    return found


def _is_alike(thing: Any) -> bool:
    """Return whether something that is no alert looks like one that is broken."""
    if isinstance(thing, str):
        return bool(_ALIKE.match(thing) or FALCO_TEXT.match(thing))
    if not isinstance(thing, dict):
        return False
    return isinstance(thing.get("rule"), str) and ("priority" in thing or "output" in thing)


def _open_object(
    doc: dict[str, Any], trail: tuple[str, ...], context: dict[str, str]
) -> list[Payload]:
    holds = any(map(_may_hold, doc.values()))
    if not holds and len(doc) < 2:  # noqa: PLR2004 - an alert has two keys at least
        raise ValueError(_NOTHING)
    if is_alert := as_alert(doc):
        alert, states = is_alert
        return [Payload(alert, None, _named(trail), context | states)]
    if reason := _not_alert(doc):
        raise ValueError(reason)
    if not holds:
        raise ValueError(_NOTHING)
    wrapper = next(w for w in JSON_WRAPPERS if w.recognise(doc))
    if wrapper is JSON_WRAPPERS[-1] and isinstance(doc.get("output_fields"), dict):
        missing = [key for key in ("rule", "priority", "time") if key not in doc]
        raise ValueError(f"no Falco alert: lacks {', '.join(missing)}")
    return _open_wrapper(wrapper, doc, trail, context)


def _may_hold(value: Any) -> bool:
    return isinstance(value, dict | list) or (isinstance(value, str) and len(value) > _SHORT)


def _not_alert(doc: dict[str, Any]) -> str:
    """Return why an object that looks alike is no alert, or "" if nothing is known against it."""
    if str(doc.get("apiVersion")).startswith("audit.k8s.io") or "auditID" in doc:
        return "a Kubernetes audit event, not an alert"
    if "condition" in doc and ("rule" in doc or "macro" in doc):
        return "a Falco rule, not an alert"
    if doc.keys() == {"sample", "output_fields"}:
        return "Falco's metrics file, not an alert"
    if len(doc) == 1 and doc.keys() <= {"index", "create", "update", "delete"}:
        return "an Elasticsearch bulk action, not an alert"
    return ""


def _open_wrapper(
    wrapper: Wrapper, thing: Any, trail: tuple[str, ...], context: dict[str, str]
) -> list[Payload]:
    """Open the first alternative that holds an alert; raise the first one's reason if none does."""
    if len(trail) >= DEPTH:
        raise ValueError(f"wrapped more than {DEPTH} deep")
    reason = _NOTHING
    for number, parts in enumerate(wrapper.unwrap(thing)):
        try:
            inside = (*trail, wrapper.name)
            return _open_each(parts, inside, context, are_peers=wrapper.name in _STORES)
        except ValueError as error:
            reason = str(error) if number == 0 and parts else reason
    raise ValueError(reason)


def _open_text(text: str, trail: tuple[str, ...], context: dict[str, str]) -> list[Payload]:
    if FALCO_TEXT.match(text):
        return [Payload(None, text, _named(trail), context)]
    if text.startswith(("{", '"{', '"[')) or _JSON_ARRAY.match(text):
        return _open_documents(text, trail, context)
    if (inner := _decoded(text)) is not None:
        return _open(inner, trail, context)
    is_free = all(name == "comment" for name in trail)
    if own := _OWN_LINE.match(text):  # Falco's log and stdout may share a line
        glued = FALCO_TEXT.search(text, own.end())
        if glued and is_free:
            return [Payload(None, text[glued.start() :], _named((*trail, "falco-log")), context)]
    if own or _OWN.match(text):
        raise ValueError("Falco's own log, not an alert")
    if _COUNT.fullmatch(text):
        raise ValueError("a name and a number, not an alert")
    usable = (one for one in WRAPPERS if is_free or one.name not in LOOSE)
    wrapper = next((one for one in usable if one.recognise(text)), None)
    if wrapper is None and not _WORD.search(text):
        raise ValueError("brackets and punctuation alone: what is left of a broken document")
    if wrapper is None:
        raise ValueError("neither JSON nor a line of Falco's text output")
    return _open_wrapper(wrapper, text, trail, context)


def _open_documents(text: str, trail: tuple[str, ...], context: dict[str, str]) -> list[Payload]:
    """Open the JSON at the start of `text`, and what stands after it."""
    found, rest = decode_json(text)
    if rest and trail[-1:] and trail[-1] in LOOSE:
        raise ValueError("words stand around it: quoted in another log, not a record")
    parts = [*found, rest] if rest else found
    return _open_each([(one, {}) for one in parts], trail, context, are_peers=True)


def _decoded(text: str) -> str | None:
    """Return what an encoding holds, base64 or colours; None if text is plain."""
    if text.startswith("\x1b"):  # stern and docker compose colour their prefix
        head, brace, rest = text.partition("{")
        return _COLOUR.sub("", head).lstrip("\x1b") + brace + rest
    return _from_base64(text) if _BASE64.fullmatch(text) else None


def _from_base64(text: str) -> str | None:
    """Return the text that base64 holds, also in gzip (CloudWatch Logs); None if it holds none."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4))
        if raw.startswith(b"\x1f\x8b"):
            most = min(_INFLATED, max(_FREELY_INFLATED, MOST_UNPACKED * len(raw)))
            inflating = zlib.decompressobj(wbits=31)
            raw = inflating.decompress(raw, most)
            if inflating.unconsumed_tail:
                raise ValueError(f"gzip in it unpacks to more than {most} bytes: taken for a bomb")
    except (binascii.Error, zlib.error):
        return None
    inner = raw.decode("utf-8", "replace")
    # a long word that is no base64 gives bytes that are no text
    return inner if inner.startswith(("{", "[")) or "\ufffd" not in inner[:99] else None


def _named(trail: tuple[str, ...]) -> str:
    """Return the wrappers' names, a store's layers (hits in hits) as one."""
    return "/".join(name for name, _ in groupby(trail) if name)
