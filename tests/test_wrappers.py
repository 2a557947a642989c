"""unwrap and iter_spans: whatever carried an alert, it comes out as it went in; nothing is lost."""

from __future__ import annotations

import base64
import csv
import gzip
import json
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.intake.wrappers import iter_spans, unwrap

from .conftest import ROOT, SAMPLES, SHARED

ALERT = json.loads((SAMPLES / "terminal_shell_in_container.jsonl").read_text())
AT = "2026-03-17T09:41:05.218340077Z"
TEXT = "09:41:05.218340077: Notice A shell was spawned in a container | user=root command=bash"


def dumps(**doc) -> str:
    """Return an object as JSON."""
    return json.dumps(doc)


def b64(text: str) -> str:
    """Return a text in base64."""
    return base64.b64encode(text.encode()).decode()


# what puts a header before a line, or keeps it as a string
TEXTUAL = {
    "cri": lambda t: f"{AT} stdout F {t}",
    "kubectl": lambda t: f"[pod/falco-x7k2p/falco] {t}",
    "syslog rfc5424": lambda t: f'<29>1 {AT} n-3 falco 7 - [a@1 b="x \\] y"] {t}',
    "syslog rfc3164": lambda t: f"<29>Mar  7 09:41:05 n-3 falco[7]: {t}",
    "syslog by journalctl": lambda t: f"Mar 17 09:41:05 n-3 falco[7]: {t}",
    "syslog by sidekick": lambda t: f"<5>2026-03-17T09:41:05Z n-3 Falco[1]: {t}",
    "timestamp": lambda t: f"{AT} {t}",
    "compose": lambda t: f"falco-1  | {t}",
    "compose, coloured": lambda t: f"\x1b[36mfalco-1  |\x1b[0m {t}",
    "comment": lambda t: f"# {t}",
    "kafka console": lambda t: f"CreateTime:1773740465218\tnull\t{t}",
    "loki by logcli": lambda t: f'{AT} {{app="falco", b="{{"}} {t}',
    "docker": lambda t: dumps(log=t + "\n", stream="stdout", time=AT),
    "fluent": lambda t: dumps(date=1773740465.5, log=t, kubernetes={"host": "n-3"}),
    "journald": lambda t: dumps(MESSAGE=t, _HOSTNAME="n-3", PRIORITY="5"),
    "journald, binary": lambda t: dumps(MESSAGE=list(t.encode()), _HOSTNAME="n-3"),
    "elasticsearch hit": lambda t: dumps(_index="falco", _source={"message": t, "@timestamp": AT}),
    "elasticsearch search": lambda t: dumps(hits={"total": 1, "hits": [{"_source": {"log": t}}]}),
    "elastic-ecs": lambda t: json.dumps(
        {"@timestamp": AT, "event": {"original": t, "kind": "alert"}}
    ),
    "loki push": lambda t: dumps(
        streams=[{"stream": {"rule": "R"}, "values": [["1773740465218340077", t]]}]
    ),
    "loki query": lambda t: dumps(data={"result": [{"stream": {}, "values": [["1", t]]}]}),
    "loki, old": lambda t: dumps(
        streams=[{"labels": '{rule="R"}', "entries": [{"ts": AT, "line": t}]}]
    ),
    "cloudevents, base64": lambda t: dumps(specversion="1.0", id="1", data_base64=b64(t)),
    "kafka kcat": lambda t: dumps(topic="falco", partition=0, offset=1, key=None, payload=t),
    "splunk": lambda t: dumps(event=t, sourcetype="falcosidekick", host="n-3"),
    "splunk export": lambda t: dumps(preview=False, result={"_raw": t, "host": "n-3"}),
    "datadog": lambda t: dumps(ddsource="falco", message=t, hostname="n-3"),
    "ocsf": lambda t: dumps(class_uid=2001, finding={"title": "x"}, raw_data=t),
    "wazuh": lambda t: dumps(
        rule={"level": 3}, agent={"name": "n-3"}, full_log=t, data={"output": "x"}
    ),
    "gelf": lambda t: dumps(version="1.1", host="n-3", short_message="x", full_message=t),
    "gcp-logging": lambda t: dumps(logName="projects/p/logs/stdout", textPayload=t, timestamp=AT),
    "sqs": lambda t: dumps(Messages=[{"MessageId": "1", "Body": t}]),
    "array of strings": lambda t: json.dumps([t]),
}
# what holds JSON in particular: the alert as an object, or only text that begins with a brace
STRUCTURED = {
    "falcosidekick-ui": lambda t: dumps(event=json.loads(t), outputs=["webui"]),
    "splunk hec": lambda t: dumps(event=json.loads(t), sourcetype="falcosidekick"),
    "cloudevents": lambda t: dumps(
        specversion="1.0", type="falco.rule.output.v1", source="https://falco.org", time=AT,
        priority="Notice", rule="R", data=json.loads(t),
    ),
    "elasticsearch source": lambda t: dumps(_index="falco", _source=json.loads(t)),
    "gcp-logging, json": lambda t: dumps(logName="l", jsonPayload=json.loads(t)),
    "array": lambda t: f"[{t}]",
    "pretty": lambda t: json.dumps(json.loads(t), indent=2),
    "base64": b64,
    "cloudwatch": lambda t: dumps(awslogs={"data": base64.b64encode(gzip.compress(t.encode())).decode()}),
    "kafka-rest": lambda t: dumps(records=[{"value": b64(t)}]),
    "redis": lambda t: f"1) {json.dumps(t)}",
    "redis hash": lambda t: json.dumps({"82868906-b4fb-4315-a3a5-8058adb06559": t}),
    "nats": lambda t: f"[#1] Received on [falco]: '{t}'",
    "grep": lambda t: f"falco.log:35:{t}",
    "grep, windows": lambda t: f"C:\\Users\\a b\\falco.log:35:{t}",
    "stern": lambda t: f"falco-x7k2p falco {t}",
    "echo": lambda t: f"nc{t}",
}  # fmt: skip
ALL = TEXTUAL | STRUCTURED
LOOSE = {"grep", "grep, windows", "stern", "echo"}

SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**64) | st.text(max_size=20)
FIELDS = st.dictionaries(
    st.text(max_size=12), SCALARS | st.lists(st.text(max_size=5), max_size=2), max_size=4
)
ALERTS = st.fixed_dictionaries(
    {
        "rule": st.text(min_size=1),
        "priority": st.sampled_from(["Notice", "Critical", "Informational"]),
        "time": st.just(AT),
        "output_fields": FIELDS,
    },
    optional={"output": st.text(), "tags": st.lists(st.text(max_size=5)), "hostname": st.text()},
)


def cases() -> list[tuple[str, str, list]]:
    """Return (name, record, expected) of each case in the specification."""
    document = (ROOT / "tests" / "spec" / "wrappers.md").read_text()
    blocks = re.findall(
        r"## (.+?)\n.*?```text\n(.*?)```\n\n?```json\n(.*?)```", document, re.DOTALL
    )
    return [(name, record, json.loads(wanted)) for name, record, wanted in blocks]


def shown(data: bytes) -> list[list]:
    """Return what was found in a file: [wrapper, rule or start of the text, context] or [reason]."""
    found: list[list] = []
    for span in iter_spans(data):
        try:
            payloads = unwrap(span.text or span.raw)
        except ValueError as error:
            found.append([str(error)])
        else:
            for one in payloads:
                if one.reason:
                    assert one.alert is one.text is None
                    found.append([one.reason])
                    continue
                what = (one.text or "")[:40] if one.alert is None else one.alert.get("rule")
                found.append([one.wrapper, what, one.context])
    return found


def alerts_in(data: bytes) -> list[dict]:
    """Return the alert objects in a file."""
    return [one.alert for span in iter_spans(data) for one in unwrap(span.text or span.raw)]


@pytest.mark.parametrize(
    ("record", "wanted"), [c[1:] for c in cases()], ids=[c[0] for c in cases()]
)
def test_specification(record, wanted):
    """Each case of the document holds as it is written."""
    assert shown(record.encode()) == wanted


@given(alert=ALERTS, name=st.sampled_from(sorted(ALL)), ascii_only=st.booleans())
def test_wrapping_is_invisible(alert, name, ascii_only):
    """An alert comes out of any wrapper as it went in."""
    record = ALL[name](json.dumps(alert, ensure_ascii=ascii_only))

    (found,) = unwrap(record.encode())

    assert (found.alert, found.text) == (alert, None)


@given(alert=ALERTS, outer=st.sampled_from(sorted(TEXTUAL)), inner=st.sampled_from(sorted(ALL)))
def test_wrapping_twice_is_invisible(alert, outer, inner):
    """A wrapper in a wrapper needs no code of its own; the names tell both, outermost first."""
    if inner == "pretty":
        inner = "array"  # a line holds no lines
    if inner in LOOSE and outer != "comment":
        inner = "redis"  # any words may stand before a `{`: there, a stranger may have typed them

    (found,) = unwrap(TEXTUAL[outer](ALL[inner](json.dumps(alert))).encode())

    assert found.alert == alert


@pytest.mark.parametrize("name", sorted(TEXTUAL))
def test_text_output_is_carried_too(name):
    """Where there is no JSON, Falco's rendered line comes out byte for byte."""
    (found,) = unwrap(TEXTUAL[name](TEXT).encode())

    assert (found.alert, found.text) == (None, TEXT)


def test_a_bare_alert_is_not_hijacked():
    """An object with rule, priority and time is the alert, whatever other keys it has."""
    odd = ALERT | {"log": "x", "event": {}, "_source": {}, "message": "{}", "data": "[]", "hits": 1}

    (found,) = unwrap(json.dumps(odd).encode())

    assert (found.alert, found.wrapper, found.context) == (odd, "", {})


def test_text_that_holds_json_is_text():
    """An alert in a command line is what an attacker typed, not an alert."""
    line = f"{TEXT} -d {json.dumps(ALERT)}"

    (found,) = unwrap(line.encode())

    assert (found.alert, found.text) == (None, line)


@pytest.mark.parametrize(
    "record",
    [
        "sshd[1]: Failed password for invalid user 12:00:00.123456789: Critical Fake from 1.2.3.4",
        dumps(level="info", user_agent=json.dumps(ALERT), path="/"),
        dumps(level="info", user=f"{TEXT}"),
    ],
)
def test_other_programs_words_are_no_alert(record):
    """A string that somebody typed into another program's log is not opened."""
    with pytest.raises(ValueError, match=r".") as caught:
        unwrap(record.encode())

    assert "\n" not in str(caught.value)


FAKE = json.dumps(ALERT | {"rule": "FAKE"})


@pytest.mark.parametrize(
    "record",
    [
        f"Sep  4 15:33:20 host sshd[123]: Invalid user {FAKE} from 1.2.3.4",
        f"Sep  4 15:33:20 host sshd[123]: Invalid user {FAKE}",
        dumps(MESSAGE=f"Invalid user {FAKE}", SYSLOG_IDENTIFIER="sshd"),
        f"{AT} stdout F GET /login: {FAKE} HTTP/1.1",
        f"{AT} stdout F user alice {FAKE}",
        f"{AT} stdout F access.log:3:{FAKE}",
        f"GET /login: {FAKE} HTTP/1.1",
        f"access.log:3:{FAKE} HTTP/1.1",
        dumps(message=f"user said: {FAKE}"),
        json.dumps([f"user said: {FAKE}"]),
        dumps(request={"body": FAKE}),
        dumps(MESSAGE="started", _CMDLINE=FAKE),
        dumps(time=AT, output="x", output_fields={"evt.arg.data": FAKE, "fd.name": FAKE}),
        dumps(time=AT, output="x", output_fields={"data": {"log": FAKE}}),
        dumps(time=AT, output="x", outputFields={"evt.arg.data": FAKE}),
        json.dumps({"time": AT, "output": "x", "evt.arg.data": FAKE}),
        json.dumps({"time": AT, "fd": {"x.log": {"message": FAKE}}}),
    ],
)
def test_typed_words_do_not_become_an_alert(record):
    """What a client or a process could say of itself is never opened, whatever logged it."""
    assert [len(one) for one in shown(record.encode())] == [1]


def test_an_alert_without_a_rule_says_so():
    """It is named as what it is; its fields are not searched for another."""
    record = dumps(time=AT, output="x", output_fields={"evt.arg.data": FAKE})

    assert shown(record.encode()) == [["no Falco alert: lacks rule, priority"]]


def alert(rule: str) -> str:
    """Return an alert of this rule in one line."""
    return json.dumps(ALERT | {"rule": rule})


def rules(data: str) -> list[str]:
    """Return the rule of each alert in a file, "T" for text, "" for a reason."""
    found = shown(data.encode())
    return ["" if len(one) == 1 else "T" if one[1][:2] == "09" else one[1] for one in found]


HEADERS = {
    "bare": lambda t: t,
    "cri": TEXTUAL["cri"],
    "syslog": TEXTUAL["syslog rfc3164"],
    "docker": TEXTUAL["docker"],
    "journald": TEXTUAL["journald"],
    "loki": TEXTUAL["loki push"],
}


@pytest.mark.parametrize("name", HEADERS)
@pytest.mark.parametrize("between", ["", " ", ",", ", ", ";", " | ", "],"])
def test_alerts_beside_each_other(name, between):
    """All alerts of a line are read, whatever punctuation is between and after them."""
    assert rules(HEADERS[name](f"{alert('A')}{between}{alert('B')}{between}")) == ["A", "B"]


@pytest.mark.parametrize("name", HEADERS)
@pytest.mark.parametrize(
    ("rest", "wanted"),
    [(TEXT, "T"), (" garbage", ""), (' {"rule":"B","prio', ""), (' "B"', ""), (" [1", "")],
)
def test_what_follows_an_alert_is_told(name, rest, wanted):
    """The good alert stays; the rest of its line is an alert, or a reason, but never nothing."""
    assert rules(HEADERS[name](alert("A") + rest)) == ["A", wanted]


def test_words_between_alerts():
    """On a bare line, the second is read with its words as prefix."""
    assert rules(f"{alert('A')} AND {alert('B')}") == ["A", "B"]


@pytest.mark.parametrize("broken", [alert("B")[:150], '{"rule":"x","priority":"Critical"}', "cut"])
@pytest.mark.parametrize("store", ["loki", "loki, old", "elasticsearch", "cloudwatch", "array"])
def test_a_broken_member_is_told(store, broken):
    """One reason for each line of a store that is no alert, in its place among the others."""
    three = [alert("A"), broken, alert("C")]
    record = {
        "loki": {"streams": [{"stream": {"a": "b"}, "values": [["1", one] for one in three]}]},
        "loki, old": {
            "streams": [{"labels": "{}", "entries": [{"ts": AT, "line": one} for one in three]}]
        },
        "elasticsearch": {"hits": {"total": 3, "hits": [{"_source": {"log": t}} for t in three]}},
        "cloudwatch": {
            "logGroup": "g",
            "logEvents": [{"id": "1", "timestamp": 1, "message": one} for one in three],
        },
        "array": three,
    }[store]

    assert rules(json.dumps(record)) == ["A", "", "C"]


def test_metadata_beside_an_alert_is_no_reason():
    """What stands beside an alert in an object, and does not look like one, is not told."""
    record = dumps(body=alert("A"), message="hello there to all", labels={"a": {"b": 1}}, data="{}")

    assert rules(record) == ["A"]


A, B = alert("A"), alert("B")


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        ('{\n  "rule": "x",\n  "tags": [\n' + f"{A}\n" * 40, ["", *["A"] * 40]),
        (f"[\n{A}\n{B}\n]", ["", "A", "B", ""]),
        (f'[{A},{B},{{"rule":"x', ["", "A", "B", ""]),
        (f"[{A} {B}]", ["", "A", "B"]),
        (f'[\n{A},\n{{"a":1,"a":2}},\n{B}]\n{A}', ["", "A", "", "B", "A"]),
        (json.dumps({"hits": [ALERT, ALERT, ALERT]}, indent=1)[:-99], ["", *[ALERT["rule"]] * 2, ""]),
        ('{\n "a": {\n  "b": 1,\n  "b": 2\n }\n}\n' + A, ["", "A"]),
    ],
    ids=range(7),
)  # fmt: skip
def test_a_broken_document_does_not_take_others_along(data, wanted):
    """Of a document that does not decode, what is whole on its lines is read, and the rest told."""
    assert rules(data) == wanted


@pytest.mark.parametrize("line", ["fail: 1", "my disk usage: 5"])
def test_a_count_is_not_called_falcos(line):
    """Any program counts; only Falco's own lines are called Falco's."""
    assert shown(line.encode()) == [["a name and a number, not an alert"]]


@pytest.mark.parametrize("name", ["syslog rfc5424", "syslog rfc3164"])
def test_octet_counted_syslog(name):
    """RFC 6587: a count of bytes before each message, and no line end between them."""
    message = TEXTUAL[name](A)

    assert rules("290 " + message) == ["A"]
    assert rules(f"{len(message)} {message}" * 20) == ["A"] * 20
    assert rules(f"{len(message) + 1} {message}\n" * 20) == ["A"] * 20


def test_partial_lines_are_joined():
    """kubelet cuts lines at 16 KiB into P parts and an F; the streams of a container interleave."""
    whole = json.dumps(ALERT | {"output": "two  blanks " * 9})
    parts = [f"{AT} stdout P {whole[:77]}", f"{AT} stderr F noise", f"{AT} stdout F {whole[77:]}"]

    spans = list(iter_spans("\n".join(parts).encode()))
    found = [unwrap(span.text)[0] for span in spans if span.text]

    assert [(one.wrapper, json.dumps(one.alert)) for one in found] == [("cri", whole)]
    assert next(span.length for span in spans if span.text) == len("\n".join(parts))


@given(alert=ALERTS, size=st.integers(5, 60))
def test_cut_anywhere_is_joined(alert, size):
    """Wherever kubelet or Docker cut a line, the alert is whole again, and its bytes are kept."""
    text = json.dumps(alert)
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    cri = [f"{AT} stdout P {piece}" for piece in pieces[:-1]] + [f"{AT} stdout F {pieces[-1]}"]
    docker = [dumps(log=p, stream="stdout", time=AT) for p in pieces[:-1]]
    docker.append(dumps(log=pieces[-1] + "\n", stream="stdout", time=AT))
    for lines in (cri, docker):
        data = "\n".join(lines).encode()
        (span,) = iter_spans(data)

        assert unwrap(span.text or span.raw)[0].alert == alert
        assert (span.offset, span.length) == (0, len(data))


def test_unended_docker_lines_are_not_joined():
    """A line without its line end that is whole in itself is an alert of its own."""
    line = dumps(log=json.dumps(ALERT), stream="stdout", time=AT)

    assert alerts_in(f"{line}\n{line}".encode()) == [ALERT, ALERT]


@given(st.lists(st.sampled_from(list(b'{}[]":,\\ \n\r1ae\xef\xbb\xbf')), max_size=40).map(bytes))
def test_nothing_is_lost(data):
    """Each byte but blanks (and a byte order mark) is in exactly one span, where it stood."""
    at, line = (3, 1) if data.startswith(b"\xef\xbb\xbf") else (0, 1)
    for span in iter_spans(data, 100, 5):
        start = span.offset - 100
        assert not data[at:start].strip()
        assert span.raw == data[start : start + len(span.raw)]
        assert span.line - 4 == line + data.count(b"\n", 0, start)
        at = start + len(span.raw)
    assert not data[at:].strip()


@given(st.lists(st.sampled_from(["line", "pretty", "glued", "array", "banner", "cut"]), max_size=6))
def test_mixed_files(kinds):
    """What stands beside an alert, broken or not, never takes it along."""
    text, pretty = json.dumps(ALERT), json.dumps(ALERT, indent=4)
    pieces = {
        "line": (f"{text}\r\n", 1),
        "pretty": (f"{pretty}\n", 1),
        "glued": (f"{pretty}{text}{text} \n", 3),
        "array": (f"[\n{text},\n{pretty}]\n", 2),
        "banner": ("Events detected: 3\n   NOTICE: 3\n\n", 0),
        "cut": (text[:99] + "\n", 0),
    }
    data = "".join(pieces[kind][0] for kind in kinds).encode()

    found = [one for one in shown(data) if len(one) > 1]

    assert len(found) == sum(pieces[kind][1] for kind in kinds)


def test_a_pretty_document_that_breaks_off_is_one_record():
    """The alert after it is read; what is left of it is one reject, not thirty."""
    data = json.dumps(ALERT, indent=2)[:-30] + "\n" + json.dumps(ALERT)

    assert [len(one) for one in shown(data.encode())] == [1, 3]


KEYS = "log stream time MESSAGE _source hits streams values labels annotations alerts class_uid data event "
KEYS += "raw_data observables rule level full_log falco message records output priority output_fields specversion"
ANYTHING = st.recursive(
    SCALARS | st.floats(allow_nan=False, allow_infinity=False) | st.just(TEXT),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(KEYS.split()), inner, max_size=5)
    ),
    max_leaves=12,
)


@given(ANYTHING)
def test_any_json_gives_alerts_or_a_reason(value):
    """No object, however odd under the keys of wrappers, gives anything but alerts or one line."""
    reasons = []
    try:
        found = unwrap(json.dumps(value).encode())
    except ValueError as error:
        found, reasons = [], str(error).splitlines()

    assert (len(reasons) == 1) != bool(found)


@pytest.mark.parametrize(
    "record",
    [
        b"x" * 50_000_000,
        b'{"log":"' + b"\\n" * 9_000_000,
        b"\\" * 5_000_000,
        b"[" * 1_000_000,
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        b"[\n" * 100_000,
        b'{"a":\n' * 100_000,
        b'"{' * 1_000_000,
        b"# " * 1_000_000,
        b'{"rule":"x","rule":"y","priority":"Notice","time":"2026-03-17T09:41:05Z"}',
        b'{"rule":"x","priority":"Notice","output_fields":{"a":NaN}}',
        b'{"rule":"x","priority":"Notice","output_fields":{"a":' + b"9" * 9_999 + b"}}",
        b"ew" + b"A" * 4_000_000,
        b"\x00\xff\xfe",
        b"{}" * 2_000_000,
        b"{} " * 1_000_000,
        b"[" + b"{}," * 1_000_000 + b"{}]",
        f"{AT} stdout F ".encode() + b"{}" * 1_000_000,
        b"[{}\n" * 50_000,
        b"[{},, " * 20_000 + b"]" * 20_000,
        b'[\n{"a":\n' * 400 + b'"' + b"x" * 2_000_000 + b'" bad' + b"}]" * 400,
        b'{\n"a":[\n' * 50_000,
    ],
    ids=range(22),
)
def test_hostile_input_is_a_reason(record):
    """Size, nesting and inexact JSON give a reason in one line, in linear time, never a crash."""
    start = time.perf_counter()
    for span in iter_spans(record):
        with pytest.raises(ValueError, match=r"\A[^\n]+\Z"):
            unwrap(span.text or span.raw)

    assert time.perf_counter() - start < 20


def test_wrappers_are_bounded():
    """More than eight wrappers one in the other are refused."""
    record = json.dumps(ALERT)
    for _ in range(8):
        record = dumps(log=record)
    assert unwrap(record.encode())[0].alert == ALERT

    with pytest.raises(ValueError, match="wrapped more than 8 deep"):
        unwrap(dumps(log=record).encode())


@pytest.mark.parametrize(
    "path", sorted((ROOT / "data" / "wrapped").iterdir()), ids=lambda p: p.name
)
def test_sample_of_each_wrapper(path):
    """Each sample file carries the sample alert, as its object or as its text, and nothing else."""
    found = [one for span in iter_spans(path.read_bytes()) for one in unwrap(span.text or span.raw)]

    assert found
    for one in found:
        assert one.alert == ALERT or one.text == ALERT["output"]


EXPECTED = {
    "docs-json__falcosecurity__falco-website__1.log": (0, "a line break in a key; a comma missing"),
    "elided__falcosecurity__falco-issues__1.log": (0, "members of an object without its braces"),
    "elided__inno-devops-labs__F25-DevSecOps-Intro__1.log": (0, "shortened by hand with `...`"),
    "kubectl-truncated__cdsre__k8-falco-demo__1.log": (0, "cut at column 202"),
    "kv-listing__falcosecurity__rules-issues__1.log": (0, "a listing of fields, no alert"),
    "mixed-stdout__inno-devops-labs__DevSecOps-Intro__7.log": (43, "one record cut in a string"),
    "policyreport__kubernetes-sigs__wg-policy-prototypes__1.log": (
        0,
        "YAML of a Kubernetes object",
    ),
    "report-html__takaosgb3__falco-plugin-openclaw__1.log": (0, "a web page with markup in values"),
    "sidekick__gardener__falco-event-ingestor__1.json": (0, "a comma missing, another too many"),
}
INDEX = SHARED / "alerts" / "INDEX.tsv"
LINES = INDEX.read_text().splitlines() if INDEX.exists() else []
ROWS = list(csv.DictReader(LINES, delimiter="\t"))


@pytest.mark.skipif(not ROWS, reason="no real alerts beside the checkout")
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["file"][:50])
def test_real_captures(row):
    """As many alerts as a careful reader counts, but for what is no whole record any more."""
    found = [one for one in shown((INDEX.parent / row["file"]).read_bytes()) if len(one) > 1]

    assert len(found) == EXPECTED.get(row["file"], (int(row["records"]),))[0]
