"""JSON that carries Falco alerts: decode it exactly, tell an alert, open what stores put around it.

In: text or a decoded object. Out: the alert, or what the wrapper held, and what the wrapper knew.
Shapes: Falco `formats.cpp`, `outputs.proto`; falcosidekick `outputs/*.go`; each store's own API.
Never guesses: an object that says nothing of Falco's words is no alert. Bytes, lines and nesting
are for wrappers.py, types of fields for frame.py.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from analysis.schema import PRIORITIES

if TYPE_CHECKING:
    from collections.abc import Callable

Parts = list[tuple[Any, dict[str, str]]]
"""What one wrapper held: each inner thing, with what the wrapper states of it."""

ISO = r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:[Zz]|[+-]\d\d:?\d\d)"
"""A time of day with date and zone, as ISO 8601 and RFC 3339 write it."""

_IS_ISO = re.compile(ISO)
_IS_NUMBER = re.compile(r"(\d{10})(?:\.(\d{1,9})|(\d{3}|\d{6}|\d{9}))?")
_IS_PRIORITY = re.compile("|".join([*PRIORITIES, "Info"]), re.IGNORECASE)
_CARRIER = re.compile(
    "message|msg|log|line|raw|data|body|payload|event|original|text|record|value|alert|evidence"
    "|output|result|detail|falco|content|entry|input|source",
    re.IGNORECASE,
)
_TYPED = re.compile(
    r".*\.|output_?fields$|(http_?)?req(uest)?$|.*(cmd|command|user_?agent|referr?er|header|cookie"
    r"|query|param|argv|args$)",
    re.IGNORECASE | re.DOTALL,
)
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_LABEL = re.compile(r'(\w{1,100})="((?:[^"\\]|\\.)*+)"')
_KEYS = ("rule", "priority", "time", "output", "output_fields", "source", "hostname", "tags")
_NAMES = {name.replace("_", ""): name for name in _KEYS}


@dataclass(frozen=True, slots=True)
class Wrapper:
    """How a carrier is told and opened: alternatives, best first; all parts of one are wanted."""

    name: str
    recognise: Callable[[Any], bool]
    unwrap: Callable[[Any], list[Parts]]


def as_alert(doc: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]] | None:
    """Return `doc` under Falco's names, and what it states in others' types; None if no alert.

    Rule, priority and (time or output_fields) are an alert, whatever else is in the object; so
    are rule and output_fields, and output with a Falco priority.
    """
    alert = doc if _has_core(doc) else _renamed(doc)
    if not (_has_core(alert) or _has_little(alert)) or "condition" in alert:
        return None
    if "specversion" in alert and "output_fields" not in alert:  # CloudEvents has a time of its own
        return None
    states = {}
    time, priority = alert.get("time"), alert.get("priority")
    if isinstance(time, dict):  # gRPC: a Timestamp
        states["time"] = iso_time(f"{time.get('seconds')}.{time.get('nanos') or 0!s:0>9}")
    if type(priority) is int and 0 <= priority < len(PRIORITIES):  # gRPC: enum, 0 is the worst
        states["priority"] = PRIORITIES[-1 - priority]
    return alert, {key: value for key, value in states.items() if value}


def _has_core(doc: dict[str, Any]) -> bool:
    return (
        isinstance(doc.get("rule"), str)
        and isinstance(doc.get("priority"), str | int)
        and ("time" in doc or isinstance(doc.get("output_fields"), dict))
    )


def _has_little(doc: dict[str, Any]) -> bool:
    if isinstance(doc.get("rule"), str) and isinstance(doc.get("output_fields"), dict):
        return True
    known = _IS_PRIORITY.fullmatch(str(doc.get("priority")))
    return isinstance(doc.get("output"), str) and bool(known)


def _renamed(doc: dict[str, Any]) -> dict[str, Any]:
    """Return `doc` with `Rule`, `outputFields`, `output_fields.proc.name` under Falco's names."""
    found: dict[str, Any] = {}
    fields: dict[str, Any] = {}
    for key, value in doc.items():
        head, _, name = key.partition(".")
        if head in ("output_fields", "outputFields") and name and "output_fields" not in doc:
            fields[name] = value
            continue
        wanted = _NAMES.get(key.replace("_", "").lower(), key)
        found[key if wanted in doc or wanted in found else wanted] = value
    return found | {"output_fields": fields} if fields else found


def flat(fields: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested objects as the dotted keys that they were: `{"proc": {"name": 1}}`."""
    found: dict[str, Any] = {}
    for key, value in fields.items():
        if isinstance(value, dict):
            found |= flat(value, f"{prefix}{key}.")
        else:
            found[prefix + key] = value
    return found


def iso_time(value: object) -> str:
    """Return a wrapper's time as ISO 8601 with a zone, or "" if it states no such time.

    Numbers are seconds, or ms, µs, ns, since the epoch; how many digits they have tells which.
    """
    text = str(value) if isinstance(value, str | int | float) else ""
    if _IS_ISO.fullmatch(text):
        return text.replace(" ", "T").replace(",", ".")
    match = _IS_NUMBER.fullmatch(text)
    if not match:
        return ""
    fraction = match[2] or match[3]
    day = datetime.fromtimestamp(int(match[1]), UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{day}.{fraction}Z" if fraction else f"{day}Z"


def at(doc: Any, path: str) -> Any:
    """Return what stands at a path (`kubernetes.host`) in nested objects, or under that very key."""
    if isinstance(doc, dict) and path in doc:
        return doc[path]
    head, _, rest = path.partition(".")
    return at(doc.get(head), rest) if rest and isinstance(doc, dict) else None


def stated(doc: dict[str, Any], known: dict[str, str]) -> dict[str, str]:
    """Return what `doc` states: for each context key, the first of its `|`-separated paths."""
    found = {}
    for key, paths in known.items():
        for value in (at(doc, path) for path in paths.split("|")):
            text = iso_time(value) if key == "time" else value
            if isinstance(text, str) and text and key not in found:
                found[key] = text
    return found


def labels(text: str) -> dict[str, Any]:
    """Return the labels that Loki writes as `{rule="…", priority="…"}`."""
    return {key: value.replace('\\"', '"') for key, value in _LABEL.findall(text)}


def _shape(name: str, needs: str, carries: str, known: dict[str, str] | None = None) -> Wrapper:
    """Return a wrapper told by the keys it `needs`, whose alert is at the first of `carries`."""
    heads = {path.partition(".")[0] for path in carries.split()}

    def unwrap(doc: dict[str, Any]) -> list[Parts]:
        context = stated(doc, known or {})
        inner = [at(doc, path) for path in carries.split()]
        rest = {key: value for key, value in doc.items() if key not in heads}
        return [[(one, context)] for one in inner if one] + _anything(rest, context)

    def recognise(doc: dict[str, Any]) -> bool:
        return all(at(doc, key) is not None for key in needs.split())

    return Wrapper(name, recognise, unwrap)


LOKI = {name: name for name in ("rule", "priority", "source", "hostname")} | {
    "k8s.ns.name": "k8s_ns_name",
    "k8s.pod.name": "k8s_pod_name",
}


def _loki(doc: dict[str, Any]) -> list[Parts]:
    """Open a stream: `values` of [ns, line] with labels beside; before Loki 1, `entries`."""
    names = doc.get("stream") or doc.get("labels")
    known = stated(labels(names) if isinstance(names, str) else names or {}, LOKI)
    lines = [one for one in _list(doc, "values") if isinstance(one, list) and len(one) > 1]
    lines += [[at(one, "ts"), at(one, "line")] for one in _list(doc, "entries")]
    return [[(line[1], known | stated({"time": line[0]}, {"time": "time"})) for line in lines]]


def _alertmanager(doc: dict[str, Any]) -> list[Parts]:
    """Open falcosidekick's alert: names of fields are mangled there, so only the text is sure."""
    known = LOKI | {"source": "eventsource", "rule": "rule|alertname"}
    context = stated(doc["labels"], known)
    alert = dict(context)
    context |= stated(doc, {"time": "startsAt"})
    output = stated(doc, {"output": "annotations.info|annotations.description"})
    return [[(output.get("output"), context)], [(alert | output, context)]]


def _list(doc: dict[str, Any], key: str) -> list[Any]:
    return doc[key] if isinstance(doc.get(key), list) else []


def _ocsf(doc: dict[str, Any]) -> list[Parts]:
    """Open a Security Finding of falcosidekick: the whole alert is in raw_data, or in pieces."""
    known = {"rule": "finding.title", "priority": "status", "output": "finding.desc"}
    fields = {str(at(one, "name")): at(one, "value") for one in _list(doc, "observables")}
    context = stated(doc, {"time": "time"}) | stated(fields, {"hostname": "hostname"})
    fields.pop("hostname", None)
    pieces = stated(doc, known) | {"output_fields": fields}
    is_falco = at(doc, "metadata.product.name") == "Falco"
    return [[(doc.get("raw_data"), context)], [(pieces if is_falco else None, context)]]


def _kafka_rest(doc: dict[str, Any]) -> list[Parts]:
    return [[(at(one, "value") or one, {}) for one in _list(doc, "records")]]


def _renested(name: str, needs: str, original: str, inner: str, known: dict[str, str]) -> Wrapper:
    """Return a store's wrapper that keeps the original text, and a copy with nested fields."""
    whole = _shape(name, needs, original, known)

    def unwrap(doc: dict[str, Any]) -> list[Parts]:
        dotted = {k[6:]: v for k, v in doc.items() if k.startswith("falco.")}
        copy = at(doc, inner) or dotted
        if isinstance(copy, dict) and isinstance(copy.get("output_fields"), dict):
            copy = copy | {"output_fields": flat(copy["output_fields"])}
        *texts, rest = whole.unwrap(doc)
        return [*texts, [(copy, stated(doc, known))], rest]

    return Wrapper(name, whole.recognise, unwrap)


def _anything(doc: dict[str, Any], context: dict[str, str] | None = None) -> list[Parts]:
    """Open an object of no known store: all objects, and strings under a name that carries text.

    A string anywhere else, or below Falco's fields, may be what an attacker typed (a user agent,
    an argument).
    """
    known = context or {}
    return [
        [
            (value, known)
            for key, value in doc.items()
            if (isinstance(value, dict | list) or (isinstance(value, str) and _CARRIER.search(key)))
            and not _TYPED.match(key)
        ]
    ]


_POD = {
    "time": "time|@timestamp|date|timestamp",
    "hostname": "kubernetes.host|kubernetes.node_name|host.name|host|hostname|nodeName",
    "sensor.pod": "kubernetes.pod_name|kubernetes.pod.name|podName",
    "sensor.namespace": "kubernetes.namespace_name|kubernetes.namespace|namespace",
}
_EVENT = {"rule": "rule", "priority": "priority", "source": "eventsource"}
_BEAT = {"time": "@timestamp", "hostname": "observer.hostname|host.hostname|host.name"}
_ENTRY = {"time": "timestamp"}
_GELF = {"time": "timestamp", "hostname": "host"}
_HEC = {"time": "time", "hostname": "host"}
_JOURNAL = {"time": "__REALTIME_TIMESTAMP", "hostname": "_HOSTNAME"}
_AGENT = {"time": "timestamp", "hostname": "predecoder.hostname|agent.name"}

JSON_WRAPPERS = (
    _shape("cloudevents", "specversion", "data data_base64", _POD | _EVENT),
    _shape("elasticsearch", "_source", "_source"),
    _shape("elasticsearch", "hits.hits", "hits.hits"),
    Wrapper("loki", lambda d: "values" in d and "stream" in d, _loki),
    Wrapper("loki", lambda d: "entries" in d and "labels" in d, _loki),
    _shape("loki", "streams", "streams"),
    _shape("loki", "data.result", "data.result"),
    _shape("loki", "line labels", "line", {f: f"labels.{p}" for f, p in LOKI.items()} | _POD),
    Wrapper("alertmanager", lambda d: {"labels", "annotations"} <= d.keys(), _alertmanager),
    _shape("alertmanager", "alerts", "alerts"),
    Wrapper("ocsf", lambda d: "class_uid" in d, _ocsf),
    _renested("wazuh", "rule.level", "full_log", "data", _AGENT),
    _renested("elastic-ecs", "event.original", "event.original", "falco", _BEAT),
    _renested("elastic-ecs", "falco.rule", "event.original message", "falco", _BEAT),
    _shape("beats", "@timestamp message", "message", _BEAT),
    _shape("journald", "MESSAGE", "MESSAGE", _JOURNAL),
    _shape("docker", "log stream time", "log", {"time": "time"}),
    _shape("fluent", "log", "log log_processed", _POD),
    _shape("datadog", "ddsource message", "message", {"hostname": "hostname"}),
    _shape("gelf", "short_message", "full_message short_message", _GELF),
    _shape("splunk", "event sourcetype", "event", _HEC),
    _shape("splunk", "event host", "event", _HEC),
    _shape("falcosidekick-ui", "event", "event"),
    _shape("splunk", "_raw", "_raw", {"time": "_time", "hostname": "host"}),
    _shape("splunk", "result._raw", "result"),
    _shape("kafka", "topic partition", "payload value", {"time": "timestamp|ts"}),
    Wrapper("kafka-rest", lambda d: bool(_list(d, "records")), _kafka_rest),
    _shape("gcp-logging", "logName", "jsonPayload.message jsonPayload textPayload", _ENTRY),
    _shape("stern", "podName message", "message", _POD),
    Wrapper(
        "redis", lambda d: all(map(_UUID.fullmatch, d)), lambda d: [[(v, {}) for v in d.values()]]
    ),
    Wrapper("json", lambda _: True, _anything),
)
"""Carriers that are JSON objects, told by their keys, most specific first; the last is any other."""
