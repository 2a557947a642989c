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

from analysis.intake.spans import Span, decode_json, iter_spans
from analysis.intake.wrapped_json import (
    ISO,
    JSON_WRAPPERS,
    PRIORITIES,
    Parts,
    Wrapper,
    as_alert,
    iso_time,
    labels,
)

__all__ = ["WRAPPERS", "Payload", "Span", "iter_spans", "unwrap"]

DEPTH = 8
"""Wrappers that may stand one in the other."""

_INFLATED = 2**26
_FALCO = (
    r"(?:\d\d:\d\d:\d\d\.\d{1,9}|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,9}(?:Z|[+-]\d\d:?\d\d)): "
    rf"(?i:{'|'.join(PRIORITIES)}|Info) "
)
_TEXT = re.compile(_FALCO)
_START = rf"(?={_FALCO}|\{{\s*\")"
_OWN_LINE = re.compile(
    r"\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}: |\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4}: "
)
_OWN = re.compile(
    r"(?:\^C)?(?:(?:Events detected|Rule counts by severity|Triggered rules by rule name|"
    r"Syscall event drop monitoring|Driver Events|Driver Drops|Elapsed time):|Falco initialized|"
    r"Falco version|Loading rules|- event drop detected|- num times actions|[\w /(),'-]{1,120}: \d+$)"
)
_NOTHING = "no Falco alert in it: no rule, priority and time"
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_JSON_ARRAY = re.compile(r"\[\s*[\[{\"]")
_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{4}){6,}+(?:[A-Za-z0-9+/]{2,3}={0,2})?")


@dataclass(frozen=True, slots=True)
class Payload:
    """What a wrapper carried: an alert object as decoded, or Falco's rendered text."""

    alert: dict[str, Any] | None
    text: str | None
    wrapper: str
    """Names, outermost first, joined by "/"; "" for a bare alert."""
    context: dict[str, str]
    """What the wrappers state: `time`, `hostname`, `rule`, …; `sensor.pod` is Falco's own pod."""


def _line(name: str, header: str) -> Wrapper:
    """Return a wrapper of lines: the header's named groups are context, what follows is handed back."""
    pattern = re.compile(header)

    def unwrap(text: str) -> list[Parts]:
        match = pattern.match(text)
        if not match:
            return []
        known = {key: value for key, value in match.groupdict().items() if value}
        seen = labels(known.pop("labels", ""))
        known["time"] = iso_time(known.get("time", ""))
        for key in [key for key in known if key.startswith("sensor_")]:
            known[key.replace("_", ".")] = known.pop(key)
        return [[(text[match.end() :], {k: v for k, v in (seen | known).items() if v})]]

    return Wrapper(name, lambda text: bool(pattern.match(text)), unwrap)


_TAG = r"[A-Za-z_/(][^\s:\[{\"]{0,100}(?:\[[^\]\s]{0,40}\])?:(?:\s|(?=\{))"
_HOST = r"(?:(?P<hostname>[^\s\[]{0,255}[^\s:\[])\s)?"
_PATH = r"(?:[A-Za-z]:)?[^:{\"]{1,400}"

WRAPPERS = (
    # kubelet's log format: kubernetes/community contributors/design-proposals/node/kubelet-cri-logging.md
    _line("cri", rf"(?P<time>{ISO}) (?:stdout|stderr) [FP](?::\S*)? "),
    _line("kubectl", r"\[pod/(?P<sensor_pod>[^/\]\s]+)/(?P<sensor_container>[^\]\s]+)\]\s+"),
    # RFC 5424 6, then RFC 3164 4.1 (no year, no zone: no time), then rsyslog's and journalctl's forms
    _line(
        "syslog",
        rf"<\d{{1,3}}>1 (?:(?P<time>{ISO})|-) (?:-|(?P<hostname>\S+)) \S+ \S+ \S+ "
        r"(?:-|(?:\[(?:[^\]\\]|\\.)*+\])++)\s*\ufeff?",
    ),
    _line(
        "syslog",
        r"(?:<\d{1,3}>)?[A-Z][a-z]{2} {1,2}\d{1,2}(?: \d{4})? \d\d:\d\d:\d\d(?:\.\d+)? "
        rf"{_HOST}{_TAG}",
    ),
    _line("syslog", rf"(?:<\d{{1,3}}>)?(?P<time>{ISO}) {_HOST}{_TAG}"),
    _line("syslog", rf"\w{{3}} \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)? \w{{1,5}} {_HOST}{_TAG}"),
    _line("syslog", r"<\d{1,3}>"),
    _line("fluent", rf"(?P<time>{ISO})\t[^\t]+\t(?=\{{)"),  # fluentd's out_file
    _line(
        "loki", rf"(?P<time>{ISO}) (?P<labels>\{{(?:[^{{}}\"]|\"(?:[^\"\\]|\\.)*+\")*+\}}) "
    ),  # logcli
    _line("timestamp", rf"(?P<time>{ISO})\s+"),  # docker logs -t, kubectl logs --timestamps
    _line("falcosidekick-log", r"(?:\S+ \S+ )?\[DEBUG\]\s*: [^{]{0,80}payload\s*: (?=\{)"),
    _line("compose", r"[\w.-]+ +\| "),
    _line(
        "stern",
        r"(?:[\w-]+ )?(?P<sensor_pod>[a-z0-9][\w.-]*) (?P<sensor_container>[\w.-]+) " + _START,
    ),
    _line("markdown", r"\|\s*`?\w+`?\s*\|\s*`?" + _START),
    _line("redis", r"\d+\) (?=\")"),  # redis-cli LRANGE
    _line("nats", r"\[#\d+\] Received on \S+?:? '"),
    _line("kafka", r"(?:CreateTime|LogAppendTime):\d+\t(?:[^\t{]*\t)*+"),
    _line("prefix", rf"[\w$#^-]{{1,40}}{_START}"),  # a terminal's echo, glued to the alert
    _line("comment", r"(?:[#>*;$|-]|//|\^C)++\s*(?=\S)"),
    _line("grep", rf"{_PATH}:{_START}"),
    _line("grep", rf"(?:{_PATH}:)?\d+[:-](?=\S)"),
    # at most three words of no known logger
    _line("prefix", rf"(?:[\w.:/@\[\]()|>#=+-]{{1,120}}\s+){{1,3}}{_START}"),
)
"""Carriers that put something before the alert on its line, most specific first."""


def unwrap(raw: bytes) -> list[Payload]:
    """Return all alerts in one record, each with the wrappers that it came in.

    Raises
    ------
    ValueError
        If there is none; the message says why, in one line.
    """
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
    return _open_each([(one, {}) for one in thing], trail, context)


def _open_each(parts: Parts, trail: tuple[str, ...], context: dict[str, str]) -> list[Payload]:
    """Open each part; what a store holds twice counts once; raise the first reason if none opens."""
    found: list[Payload] = []
    reasons: list[str] = []
    for inner, states in parts:
        try:
            found += _open(inner, trail, context | states)
        except ValueError as error:
            reasons.append(str(error))
    if not found:
        raise ValueError(next((one for one in reasons if one != _NOTHING), _NOTHING))
    if trail[-1:] == ("json",):
        found = list({one.text or json.dumps(one.alert): one for one in reversed(found)}.values())[
            ::-1
        ]
    return found


def _open_object(
    doc: dict[str, Any], trail: tuple[str, ...], context: dict[str, str]
) -> list[Payload]:
    if is_alert := as_alert(doc):
        alert, states = is_alert
        return [Payload(alert, None, _named(trail), context | states)]
    if reason := _not_alert(doc):
        raise ValueError(reason)
    return _open_wrapper(next(w for w in JSON_WRAPPERS if w.recognise(doc)), doc, trail, context)


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
            return _open_each(parts, (*trail, wrapper.name), context)
        except ValueError as error:
            reason = str(error) if number == 0 and parts else reason
    raise ValueError(reason)


def _open_text(text: str, trail: tuple[str, ...], context: dict[str, str]) -> list[Payload]:
    if _TEXT.match(text):
        return [Payload(None, text, _named(trail), context)]
    if (inner := _decoded(text)) is not None:
        return _open(inner, trail, context)
    if own := _OWN_LINE.match(text):  # Falco's log and stdout may share a line
        glued = _TEXT.search(text, own.end())
        if glued:
            return [Payload(None, text[glued.start() :], _named((*trail, "falco-log")), context)]
    if own or _OWN.match(text):
        raise ValueError("Falco's own log, not an alert")
    wrapper = next((one for one in WRAPPERS if one.recognise(text)), None)
    if wrapper is None:
        raise ValueError("neither JSON nor a line of Falco's text output")
    return _open_wrapper(wrapper, text, trail, context)


def _decoded(text: str) -> list[Any] | str | None:
    """Return what an encoding holds: JSON, JSON in a string, base64, colours; None if text is plain."""
    if text[:1] == "{" or _JSON_ARRAY.match(text):
        return decode_json(text)
    if text.startswith(('"{', '"[')):
        return str(decode_json(text)[0])
    if text.startswith("\x1b"):  # stern and docker compose colour their prefix
        head, brace, rest = text.partition("{")
        return _COLOUR.sub("", head).lstrip("\x1b") + brace + rest
    return _from_base64(text) if _BASE64.fullmatch(text) else None


def _from_base64(text: str) -> str | None:
    """Return the text that base64 holds, also in gzip (CloudWatch Logs); None if it holds none."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4))
        if raw.startswith(b"\x1f\x8b"):
            raw = zlib.decompressobj(wbits=31).decompress(raw, _INFLATED)
    except (binascii.Error, zlib.error):
        return None
    inner = raw.decode("utf-8", "replace")
    # a long word that is no base64 gives bytes that are no text
    return inner if inner.startswith(("{", "[")) or "\ufffd" not in inner[:99] else None


def _named(trail: tuple[str, ...]) -> str:
    """Return the wrappers' names, a store's layers (hits in hits) as one."""
    return "/".join(name for name, _ in groupby(trail))
