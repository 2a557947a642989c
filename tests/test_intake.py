"""read_alerts: whole, typed, exact; what is no alert comes back with a reason."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import analysis as fa
from analysis.errors import SourceError
from analysis.schema import ENVELOPE, PRIORITIES, TIME

from .conftest import lines, story

PLAIN = {
    "output": "text",
    "priority": "Warning",
    "rule": "A rule",
    "time": "2026-01-02T03:04:05.123456789Z",
    "output_fields": {"proc.name": "cat", "proc.tty": 0},
}


def test_one_row_per_alert_with_its_envelope():
    """Each alert is a row; the envelope's columns come first, the fields under Falco's names."""
    alerts, rejects = fa.read_alerts(lines(PLAIN, PLAIN | {"rule": "Another"}))

    assert rejects.empty
    assert list(alerts.columns) == [*ENVELOPE, "proc.name", "proc.tty"]
    assert alerts["rule"].tolist() == ["A rule", "Another"]


def test_time_is_utc_to_the_nanosecond():
    """All nine digits are kept, in UTC, whatever the zone it was written in."""
    moved = PLAIN | {"time": "2026-01-02T05:04:05.123456789+02:00"}
    alerts, _ = fa.read_alerts(lines(PLAIN, moved))

    assert alerts["time"].dtype == TIME
    assert alerts["time"].tolist() == [pd.Timestamp("2026-01-02T03:04:05.123456789Z")] * 2


@pytest.mark.parametrize("fraction", ["", ".5", ".123456789"])
def test_falcosidekick_trims_the_fraction(fraction):
    """A fraction of any length up to nine digits is a time; the unit stays nanoseconds."""
    alerts, rejects = fa.read_alerts(lines(PLAIN | {"time": f"2026-01-02T03:04:05{fraction}Z"}))

    assert rejects.empty
    assert alerts["time"].dtype == TIME


def test_priority_is_ordered_as_falco_orders_it():
    """`>=` asks what Falco's `priority:` setting asks."""
    every = [PLAIN | {"priority": name} for name in PRIORITIES]
    alerts, _ = fa.read_alerts(lines(*every))

    assert (alerts["priority"] >= "Error").tolist() == [False] * 4 + [True] * 4
    assert alerts["priority"].max() == "Emergency"


def test_info_and_any_case_are_priorities():
    """Rules files say INFO; JSON says Informational; both are one priority."""
    alerts, _ = fa.read_alerts(
        lines(PLAIN | {"priority": "INFO"}, PLAIN | {"priority": "critical"})
    )

    assert alerts["priority"].tolist() == ["Informational", "Critical"]


@given(st.lists(st.none() | st.integers(0, 2**64 - 1), min_size=1, max_size=6))
def test_integers_are_exact_beside_missing_values(values):
    """Times in ns are beyond 2^53 and often null: no float ever holds an integer."""
    alerts, _ = fa.read_alerts(lines(*[story(PLAIN, **{"evt.num": v}) for v in values]))

    column = alerts.get("evt.num", [None] * len(values))
    assert [None if pd.isna(value) else int(value) for value in column] == values


@pytest.mark.parametrize(
    ("field", "value", "read"),
    [
        ("container.start_ts", 1728144493097616036, pd.Timestamp("2024-10-05T16:08:13.097616036Z")),
        ("evt.time.iso8601", 1728144493097616036, pd.Timestamp("2024-10-05T16:08:13.097616036Z")),
        ("proc.duration", 1_500_000_000, pd.Timedelta("1.5s")),
        ("proc.exe_ino.ctime_duration_proc_start", 2**64 - 5_000_000_000, pd.Timedelta("-5s")),
        ("proc.is_exe_writable", True, True),
        ("proc.tty", "34816", 34816),
        ("user.uid", 4294967295, 4294967295),
        ("user.loginuid", -1, -1),
        ("evt.arg.flags", 0, "0"),
        ("ka.response.code", "200", "200"),
        ("user.name", "<NA>", "<NA>"),
        ("proc.sname", "", ""),
        ("custom.thing", 7, "7"),
        ("custom.thing", {"a": [1]}, '{"a":[1]}'),
    ],
)
def test_each_field_has_the_kind_that_falco_gives_it(field, value, read):
    """Times are instants, durations durations, digits as text integers; unknown fields are text."""
    alerts, _ = fa.read_alerts(lines(story(PLAIN, **{field: value})))

    assert alerts[field][0] == read
    assert pd.isna(alerts["unparsed"][0])


def test_lists_are_lists():
    """A field that holds several values keeps them apart."""
    alerts, _ = fa.read_alerts(lines(story(PLAIN, **{"ka.req.pod.containers.image": ["a", "b,c"]})))

    assert list(alerts["ka.req.pod.containers.image"][0]) == ["a", "b,c"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("proc.tty", "pts/0"),
        ("proc.tty", 1.5),
        ("proc.tty", True),
        ("proc.pid", 2**64 + 1),
        ("evt.time", -(2**70)),
        ("proc.is_exe_writable", 1),
        ("evt.res", ["SUCCESS"]),
    ],
)
def test_a_value_of_another_kind_is_kept_and_not_bent(field, value):
    """It is no value of its column, and stands in `unparsed` as it was."""
    alerts, rejects = fa.read_alerts(lines(story(PLAIN, **{field: value})))

    assert rejects.empty
    assert json.loads(alerts["unparsed"][0]) == {field: value}
    assert field not in alerts or alerts[field].isna().all()


def test_missing_is_missing():
    """Absent and null both read as missing; an empty text is a value."""
    alerts, _ = fa.read_alerts(
        lines(story(PLAIN, **{"fd.name": None}), story(PLAIN, **{"fd.name": ""}), PLAIN)
    )

    assert alerts["fd.name"].isna().tolist() == [True, False, True]


def test_output_fields_cannot_take_the_envelope_s_place():
    """A custom field named `rule` or `alert_id` is a field, not the rule."""
    alerts, _ = fa.read_alerts(
        lines(story(PLAIN, rule="forged", alert_id="forged") | {"priority_": 1})
    )

    assert alerts["rule"].tolist() == ["A rule"]
    assert alerts["output_fields.rule"].tolist() == ["forged"]
    assert alerts["extra.priority_"].tolist() == ["1"]


def test_a_second_delivery_has_the_same_id(memfd):
    """falcosidekick's uuid, trimmed time and source `syscalls` do not make another alert."""
    sent = memfd | {"uuid": "other", "source": "syscalls"}
    alerts, *_ = fa.correlate(fa.read_alerts(lines(memfd, sent))[0])

    assert len(set(alerts["alert_id"])) == 1


def test_another_event_has_another_id(memfd):
    """One nanosecond or one field makes another alert."""
    later = memfd | {"time": memfd["time"].replace("453Z", "454Z")}
    alerts, *_ = fa.correlate(
        fa.read_alerts(lines(memfd, later, story(memfd, **{"proc.tty": 1})))[0]
    )

    assert alerts["alert_id"].nunique() == 3


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"rule": "x", "pri', "no JSON: "),
        (b"Thu Mar  5 12:00:00 2026: Falco initialized", "Falco's own log, not an alert"),
        (b"[1, 2]", "neither JSON nor a line of Falco's text output"),
        (b'"text"', "neither JSON nor a line of Falco's text output"),
        (b'{"rule": "x"}', "no Falco alert in it"),
        (json.dumps(PLAIN | {"priority": "Severe"}).encode(), "none of Falco's"),
        (json.dumps(PLAIN | {"time": "12:00:00"}).encode(), "no date and time with a zone"),
        (
            json.dumps(PLAIN | {"time": "2026-13-02T03:04:05Z"}).encode(),
            "no date and time with a zone",
        ),
        (
            json.dumps(PLAIN | {"time": "0001-01-01T00:00:00Z"}).encode(),
            "no date and time with a zone",
        ),
        (
            json.dumps(PLAIN | {"time": "9999-12-31T23:59:59Z"}).encode(),
            "no date and time with a zone",
        ),
        (json.dumps(PLAIN | {"output_fields": [1]}).encode(), "output_fields is a JSON array"),
        (json.dumps(PLAIN | {"tags": "T1059"}).encode(), "tags is no list of strings"),
        (json.dumps(PLAIN | {"rule": ""}).encode(), "rule is empty"),
        (b'{"rule": "x", "rule": "y"}', "the key 'rule' occurs twice"),
        (b'{"rule": 1e999}', "beyond what a reader can hold"),
        (b'{"rule": NaN}', "NaN is no JSON number"),
        (b"[" * 200_000, "nested too deeply"),
        (b"\x00\xff\xfe", "brackets and punctuation alone"),
    ],
)
def test_a_bad_line_is_a_reject_with_its_reason(line, reason):
    """It stops nothing, loses no neighbour, and says where and why."""
    good = json.dumps(PLAIN).encode()
    alerts, rejects = fa.read_alerts(good + b"\n" + line + b"\n" + good + b"\n")

    assert alerts["origin_line"].tolist() == [1, 3]
    assert rejects["origin_line"].tolist() == [2]
    assert reason in rejects["reason"][0]
    assert len(rejects["excerpt"][0]) <= 200


def test_every_record_is_accounted_for():
    """Alerts and rejects together are the non-empty records."""
    data = lines(PLAIN) + b"\n  \nnoise\n" + lines(PLAIN) + b"{}\n"
    alerts, rejects = fa.read_alerts(data)

    assert len(alerts) + len(rejects) == 4


def test_documents_of_several_lines_between_lines():
    """A pretty-printed alert is one record; lines before and after it are their own."""
    pretty = json.dumps(PLAIN, indent=2).encode()
    alerts, rejects = fa.read_alerts(lines(PLAIN) + pretty + b"\n" + lines(PLAIN))

    assert rejects.empty
    assert alerts["origin_line"].tolist() == [1, 2, 12]
    assert len(set(fa.correlate(alerts)[0]["alert_id"])) == 1


def test_a_document_that_never_closes_takes_no_neighbour_along():
    """The next alert begins at its own line."""
    broken = b'{\n  "rule": "x",\n'
    alerts, rejects = fa.read_alerts(broken + lines(PLAIN))

    assert alerts["origin_line"].tolist() == [3]
    assert rejects["origin_line"].tolist() == [1]


def test_mark_and_line_ends_of_windows():
    """A byte-order mark and CRLF are no part of an alert."""
    data = b"\xef\xbb\xbf" + lines(PLAIN, PLAIN).replace(b"\n", b"\r\n")
    alerts, rejects = fa.read_alerts(data)

    assert rejects.empty
    assert [json.loads(raw) for raw in fa.raw_records(alerts)] == [PLAIN, PLAIN]


def test_raw_records_are_byte_for_byte(tmp_path):
    """What is quoted is what was received: odd spacing, escapes and all."""
    raw = b'{ "rule":"\\u0041",  "priority" : "Debug","time":"2026-01-02T03:04:05Z"}'
    (tmp_path / "a.log").write_bytes(b"noise\n  " + raw + b"  \n")
    alerts, _ = fa.read_alerts(tmp_path / "a.log")

    assert fa.raw_records(alerts) == [raw]
    assert alerts["origin_line"].tolist() == [2]


def test_text_that_is_no_unicode_is_kept_with_marks():
    """Invalid UTF-8 and lone surrogates become U+FFFD; the alert stays."""
    bad = lines(PLAIN | {"rule": "X"}).replace(b"X", b"\xff") + lines(PLAIN | {"rule": "\ud800"})
    alerts, rejects = fa.read_alerts(bad)

    assert rejects.empty
    assert alerts["rule"].tolist() == ["\ufffd", "\ufffd"]


def test_folders_are_read_by_sorted_path(tmp_path):
    """Order does not depend on the file system."""
    for name in ("b.jsonl", "a.jsonl"):
        (tmp_path / name).write_bytes(lines(PLAIN | {"rule": name}))
    alerts, _ = fa.read_alerts(tmp_path)

    assert alerts["rule"].tolist() == ["a.jsonl", "b.jsonl"]


def test_what_cannot_be_read_is_named(tmp_path):
    """A wrong call is an error for a person: which path, and what is the matter."""
    with pytest.raises(SourceError, match="no such file or folder: "):
        fa.read_alerts(tmp_path / "nowhere")
    with pytest.raises(SourceError, match="holds no file"):
        fa.read_alerts(tmp_path)


def test_nothing_reads_as_nothing():
    """Empty input gives empty frames of the right columns."""
    alerts, rejects = fa.read_alerts(b"")

    assert alerts.empty
    assert rejects.empty
    assert alerts["time"].dtype == TIME


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), JSON, max_size=6), st.binary(max_size=60))
def test_any_input_is_accounted_for(fields, noise):
    """Whatever stands in the fields or between the lines: no exception, no loss."""
    data = b"#" + (
        b"#"
        + noise.replace(b"\n", b" ").replace(b"\r", b" ")
        + b"\n"
        + lines(PLAIN | {"output_fields": fields})
    )
    alerts, rejects = fa.read_alerts(data)

    assert len(alerts) == 1
    assert len(rejects) == 1


def test_falco_s_own_notices_are_told_apart():
    """Drops, timeouts and metrics are alerts of the source `internal`, also before Falco named it."""
    drop = {
        "rule": "Falco internal: syscall event drop",
        "priority": "Debug",
        "time": PLAIN["time"],
    }
    named = drop | {"source": "internal", "output_fields": {"n_drops": "7"}}
    alerts, rejects = fa.read_alerts(lines(PLAIN, drop, named))

    assert rejects.empty
    assert (alerts["source"] == "internal").tolist() == [False, True, True]
    assert alerts["recovered"].tolist()[1:] == [("source",), None]
    assert alerts["output_fields.n_drops"].tolist()[2] == "7"


def test_a_line_of_fifty_megabytes():
    """It is one record: an alert if it is one, else a reject that shows how it begins."""
    long = story(PLAIN, **{"proc.cmdline": "x" * 50_000_000})
    alerts, rejects = fa.read_alerts(lines(PLAIN, long) + b"y" * 50_000_000 + b"\n" + lines(PLAIN))

    assert alerts["proc.cmdline"].str.len().tolist()[1] == 50_000_000
    assert len(alerts) == 3
    assert rejects["excerpt"].tolist() == ["y" * 200]


def test_progress_is_shown_where_asked_for(tmp_path, capsys):
    """A bar on standard error; none by itself where nobody watches."""
    (tmp_path / "a.jsonl").write_bytes(lines(PLAIN))
    fa.read_alerts(tmp_path / "a.jsonl")
    assert capsys.readouterr().err == ""
    fa.read_alerts(tmp_path / "a.jsonl", progress=True)
    assert "a.jsonl" in capsys.readouterr().err


def test_text_alerts_are_told_apart_by_their_text():
    """Without a date, the clock and the words are what tells two alerts apart; equal ones are one."""
    one = b"10:00:00.000000001: Notice Mine (user=root process=ls)\n"
    other = one.replace(b"10:00", b"22:22")
    worded = one.replace(b"Mine", b"Other")
    alerts, incidents, _ = fa.correlate(fa.read_alerts(one + other + worded + one)[0])

    assert alerts["alert_id"].nunique() == 3
    assert sorted(incidents["records"]) == [1, 1, 2]


def test_what_is_unparsed_counts_for_the_id():
    """Two alerts that differ in a value of a wrong kind are two."""
    made = [story(PLAIN, **{"proc.pid": odd}) for odd in ("x", "y")]

    assert fa.identify(fa.read_alerts(lines(*made))[0])["alert_id"].nunique() == 2


def test_the_event_s_time_comes_before_the_wrapper_s():
    """Where an alert has lost its `time`, `evt.time` tells it; the log's own stamp is the delivery's."""
    bare = {k: v for k, v in PLAIN.items() if k != "time"}
    late = json.dumps(story(bare, **{"evt.time": 1757000000123456789})).encode()
    alerts, _ = fa.read_alerts(b"2026-05-05T00:00:00.000000000Z stdout F " + late)

    assert alerts["time"].tolist() == [pd.Timestamp("2025-09-04T15:33:20.123456789Z")]
    assert alerts["recovered"].tolist() == [("time",)]


def test_an_alert_cannot_claim_what_was_recovered():
    """`recovered` and `ambiguous` are this kit's words; an alert's keys of these names are its own."""
    alerts, _ = fa.read_alerts(
        lines(PLAIN | {"recovered": ["hostname"], "ambiguous": 5, "clock": "x"})
    )

    assert alerts["recovered"].tolist() == [None]
    assert json.loads(alerts["extra.recovered"][0]) == ["hostname"]
    assert alerts["extra.clock"].tolist() == ["x"]


def test_a_record_that_holds_an_alert_twice():
    """It was received twice in one record: filed once, counted as the deliveries that it is."""
    alerts, incidents, _ = fa.correlate(fa.read_alerts(json.dumps([PLAIN, PLAIN]).encode())[0])

    assert incidents["records"].tolist() == [2]
    assert len(fa.investigate(alerts).exhibits[0].receipts) == 1


@pytest.mark.parametrize("between", [",", ", ", ";", " | ", "\0"])
def test_two_alerts_on_one_line(between):
    """Whatever stands between them, both are read."""
    one, other = (json.dumps(PLAIN | {"rule": name}).encode() for name in "AB")
    alerts, _ = fa.read_alerts(one + between.encode() + other + b"\n")

    assert alerts["rule"].tolist() == ["A", "B"]


def test_a_broken_member_is_a_reject():
    """Of several alerts in one record, the good are read and the broken are named."""
    good = json.dumps(PLAIN)
    loki = {"streams": [{"stream": {}, "values": [["1", good], ["2", good[:90]], ["3", good]]}]}
    alerts, rejects = fa.read_alerts(json.dumps(loki).encode())

    assert len(alerts) == 2
    assert len(rejects) == 1


@pytest.mark.parametrize(
    "line",
    [
        "Sep  4 15:33:20 host sshd[123]: Invalid user FAKE from 1.2.3.4",
        "2026-01-02T03:04:05.1Z stdout F GET /login: FAKE HTTP/1.1",
        '{"message":"user said: FAKE"}',
        '{"request":{"body":"FAKE"}}',
        '{"time":"2026-01-02T03:04:05Z","priority":"Notice","output_fields":{"evt.arg.data":"FAKE"}}',
    ],
)
def test_what_somebody_typed_is_no_alert(line):
    """An alert quoted in another program's words, or in a field of a broken alert, is refused."""
    fake = json.dumps(PLAIN | {"rule": "FAKE"})
    quoted = json.dumps(fake)[1:-1] if line.startswith("{") else fake
    alerts, rejects = fa.read_alerts(line.replace("FAKE", quoted).encode())

    assert alerts.empty
    assert len(rejects) == 1


def test_a_document_cut_short_leaves_its_neighbours():
    """A pretty-printed alert that ends in the middle takes no good line along."""
    alerts, rejects = fa.read_alerts(b'{\n  "rule": "x",\n  "tags": [\n' + lines(*[PLAIN] * 40))

    assert len(alerts) == 40
    assert len(rejects) == 1


def test_an_alert_of_very_many_keys_is_kept():
    """Fields that Falco does not know are columns up to a number, and kept as JSON beyond it."""
    many = {f"custom.k{number}": str(number) for number in range(5_000)}
    alert = {"time": "2025-09-04T15:33:20Z", "priority": "Notice", "rule": "R", "source": "syscall"}
    text = json.dumps(alert | {"output": "", "output_fields": many | {"proc.name": "sh"}})

    alerts, rejects = fa.read_alerts(text.encode())

    assert rejects.empty
    (row,) = alerts.to_dict("records")
    assert row["proc.name"] == "sh"
    kept = {name: value for name, value in row.items() if name.startswith("custom.")}
    assert kept | json.loads(row["unparsed"]) == many
