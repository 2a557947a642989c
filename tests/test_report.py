"""`falco-casebook report`: what it writes, what it promises, and how it fails."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path

import jsonschema
import nbformat
import pytest
from click.testing import CliRunner

from analysis import report as reporting
from analysis.cli import main
from analysis.report.document import schema

from .conftest import SAMPLES, lines, story

FILES = ["alerts.jsonl", "report.html", "report.ipynb", "report.json"]  # beside the manifest


def run(*arguments: object, stdin: bytes | None = None):
    """Run the command in this process."""
    return CliRunner().invoke(main, ["report", *map(str, arguments)], input=stdin)


def test_what_is_written(reports, folders):
    """An index, and per incident the evidence, the notebook, and the report twice."""
    assert sorted(p.name for p in reports.iterdir() if p.is_file()) == [
        "index.html",
        "manifest.json",
    ]
    assert len(folders) == 3
    for folder in folders.values():
        assert sorted(p.name for p in folder.iterdir()) == sorted([*FILES, "manifest.json"])
        assert f'href="{folder.name}/report.html"' in (reports / "index.html").read_text()


def test_document_keeps_its_schema(folders):
    """report.json validates against the published schema, itself a valid one."""
    jsonschema.Draft202012Validator.check_schema(schema())
    for folder in folders.values():
        jsonschema.validate(json.loads((folder / "report.json").read_text()), schema())


def test_schema_refuses_a_claim_without_evidence(folders):
    """The contract is not empty words."""
    document = json.loads((next(iter(folders.values())) / "report.json").read_text())
    document["findings"][0]["evidence"] = []

    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, schema())


def test_evidence_is_in_the_alerts_verbatim(folders):
    """Each (alert, field, value) of each finding and cause stands in alerts.jsonl at its origin."""
    for folder in folders.values():
        document = json.loads((folder / "report.json").read_text())
        records = [json.loads(line) for line in (folder / "alerts.jsonl").read_text().splitlines()]
        alerts = {f"alerts.jsonl:{n}": record for n, record in enumerate(records, 1)}
        ids = {alert["origin"]: alert["alert_id"] for alert in document["alerts"]}
        for claim in (*document["findings"], *document["benign_causes"]):
            for one in claim["evidence"]:
                record = alerts[one["origin"]]
                assert one["value"] == (record["output_fields"] | record)[one["field"]]
                assert ids[one["origin"]] == one["alert_id"]


def test_alerts_are_filed_as_received(folders):
    """alerts.jsonl is the input, byte for byte, and the digest in the report is its digest."""
    for folder in folders.values():
        raw = (folder / "alerts.jsonl").read_bytes()
        (alert,) = json.loads((folder / "report.json").read_text())["alerts"]
        name, line = alert["received_from"].split(":")

        assert raw == (SAMPLES / name).read_bytes().splitlines(keepends=True)[int(line) - 1]
        assert alert["sha256"] == hashlib.sha256(raw.rstrip(b"\n")).hexdigest()


def test_same_input_same_bytes(folders, tmp_path):
    """No time, path or id of the run is in any report."""
    folder = folders["Terminal shell in container"]
    assert run(SAMPLES / "terminal_shell_in_container.jsonl", "--out", tmp_path).exit_code == 0

    for name in FILES:
        assert (tmp_path / folder.name / name).read_bytes() == (folder / name).read_bytes()


def test_notebook_is_executed_with_plain_parameters(folders):
    """A path, an id and how alerts were joined; no alert text, no machine path, nothing of the run."""
    for folder in folders.values():
        text = (folder / "report.ipynb").read_text()
        notebook = nbformat.reads(text, as_version=4)
        (injected,) = [
            c for c in notebook.cells if "injected-parameters" in c.metadata.get("tags", [])
        ]

        assert injected.source.splitlines()[1:] == [
            'alerts_path = "alerts.jsonl"',
            f'incident_id = "{folder.name}"',
            'gap = "15min"',
            'by = "activity"',
            'playbooks = ""',
            'rules = ""',
            "redact = True",
        ]
        assert str(Path.cwd()) not in text
        assert all(c.execution_count for c in notebook.cells if c.cell_type == "code")


def test_pages_are_small_and_load_nothing(folders):
    """One file, no script, no address that a browser would fetch, and a policy that says so."""
    for folder in folders.values():
        html = (folder / "report.html").read_text()

        assert len(html) < 150_000
        assert "<script" not in html
        assert "http://" not in html.replace("http://www.w3.org/", "")
        # links that a person may follow, to ATT&CK's own pages
        assert not re.search(r"https://(?!attack\.mitre\.org/)", html)
        assert not re.search(r"(src|action|url\()\W{0,2}https?:", html)
        assert "default-src 'none'" in html
        assert '<html lang="en">' in html
        assert f"<title>Falco incident {folder.name}: " in html


def test_hostile_text_reaches_the_page_as_text(memfd, tmp_path):
    """Markup in a command line is shown, not obeyed; hidden characters are written out."""
    payload = "<script>alert(1)</script><img src=x onerror=alert(1)>\u202e$x^2$"
    source = lines(story(memfd, **{"proc.cmdline": payload, "container.name": payload}))

    result = run("-", "--out", tmp_path, stdin=source)
    assert result.exit_code == 0, result.output
    html = next(tmp_path.glob("inc-*/report.html")).read_text()
    assert "<script" not in html
    assert "<img src=x" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "\u202e" not in html
    assert "⟨U+202E⟩$x^2$" in html


def test_an_incident_of_several_alerts_has_its_figures(shell, tmp_path):
    """Its processes as a tree, its alerts over time, what repeats in one row; no figure of one alert."""
    told = [(i, "bash -i") for i in range(30)] + [(31, "bash -c 'cat /etc/shadow'")]
    alerts = [
        story(shell, **{"proc.cmdline": command}) | {"time": f"2026-03-01T10:00:{i:02}.000000001Z"}
        for i, command in told
    ]

    assert run("-", "--out", tmp_path, stdin=lines(*alerts)).exit_code == 0
    html = next(tmp_path.glob("inc-*/report.html")).read_text()
    assert re.findall(r'<svg[^>]* aria-label="(.{13})', html) == ["Process tree:", "Activity: 31 "]
    assert '<td data-label="Alerts">30</td>' in html
    assert len(html) < 150_000


def test_pretty_printed_input_is_filed_on_one_line(memfd, tmp_path):
    """alerts.jsonl holds one alert a line, also where it came over several."""
    (tmp_path / "pretty.json").write_text(json.dumps(memfd, indent=2))

    assert run(tmp_path / "pretty.json", "--out", tmp_path / "out").exit_code == 0
    filed = next((tmp_path / "out").glob("inc-*/alerts.jsonl")).read_text()
    assert filed.count("\n") == 1
    assert json.loads(filed) == memfd


def test_braces_in_the_folder_s_name(memfd, tmp_path):
    """papermill formats paths; ours are taken as they are."""
    out = tmp_path / "{case} {0}"

    assert run("-", "--out", out, stdin=lines(memfd)).exit_code == 0
    assert next(out.glob("inc-*/report.html")).is_file()


def test_a_text_log_without_dates(tmp_path):
    """Rendered text alone: rule and date unknown, and the report says so."""
    text = b"10:00:00.000000001: Notice Something odd (user=root process=ls)\n"
    result = run("-", "--out", tmp_path, stdin=text)

    assert result.exit_code == 0, result.output
    document = json.loads(next(tmp_path.glob("inc-*/report.json")).read_text())
    jsonschema.validate(document, schema())
    assert "A rule of Falco's that is not named" in document["summary"]
    assert "a time whose date is not told" in document["summary"]
    assert document["alerts"][0]["time"] is None
    assert "unknown" in (tmp_path / "index.html").read_text()


# ---------------------------------------------------------------- which incidents
@pytest.mark.parametrize(("by", "reports"), [("activity", 1), ("alert", 2)])
def test_one_report_per_incident_or_per_alert(shell, tmp_path, by, reports):
    """Two alerts of one container are one report; on request they are two."""
    source = lines(shell, shell | {"rule": "Odd"})

    assert run("-", "--by", by, "--out", tmp_path, stdin=source).exit_code == 0
    assert len(list(tmp_path.glob("inc-*/report.html"))) == reports


def test_alerts_of_one_record_that_are_reported_apart(shell, tmp_path):
    """A record of several alerts is filed whole with each of them; each report is about its own."""
    source = json.dumps([shell, shell | {"rule": "Odd"}]).encode()

    assert run("-", "--by", "alert", "--out", tmp_path, stdin=source).exit_code == 0
    documents = [json.loads(p.read_text()) for p in tmp_path.glob("inc-*/report.json")]
    assert sorted(one["rules"] for one in documents) == [["Odd"], [shell["rule"]]]


def test_incidents_are_picked_by_id(memfd, shell, tmp_path):
    """`--incident` may be given several times; an id that is not there is an error that names it."""
    source = lines(memfd, shell)
    listed = CliRunner().invoke(main, ["incidents", "-", "--json"], input=source)
    wanted = json.loads(listed.stdout)[0]["incident_id"]

    assert run("-", "--incident", wanted, "--out", tmp_path, stdin=source).exit_code == 0
    assert [p.name for p in tmp_path.glob("inc-*")] == [wanted]
    result = run("-", "--incident", "inc-0", "--out", tmp_path, stdin=source)
    assert result.exit_code == 2
    assert "no incident inc-0" in result.stderr


def test_index_shows_what_each_score_is_made_of(reports):
    """Best score first, and every summand with its sentence."""
    index = (reports / "index.html").read_text()

    assert "+18 priority: The highest priority is Warning (priority)." in index
    assert index.index("Read sensitive file untrusted") < index.index("Fileless execution")


def test_incidents_are_listed_for_a_terminal(memfd, shell):
    """At most 80 columns, best score first, nothing that a terminal obeys."""
    hostile = shell | {"hostname": "\x1b[31mred\u202e"}
    result = CliRunner().invoke(main, ["incidents", "-"], input=lines(memfd, hostile))

    assert result.exit_code == 0, result.output
    shown = result.stdout.splitlines()
    assert max(map(len, shown)) <= 80
    assert all(line.isprintable() for line in shown)
    assert shown[0].startswith(" 12.0  inc-")
    assert "+30 priority, +10 executable, -40 simulation" in result.stdout


def test_incidents_as_json(memfd, shell):
    """One array, whose points add up to the scores."""
    result = CliRunner().invoke(main, ["incidents", "-", "--json"], input=lines(memfd, shell))

    for one in json.loads(result.stdout):
        assert one["score"] == pytest.approx(sum(part["points"] for part in one["summands"]))
        assert one["alerts"] == 1


@pytest.mark.parametrize("command", ["incidents", "report"])
def test_a_gap_that_is_none(memfd, command, tmp_path):
    """Exit 2, with one line that says what was wrong."""
    arguments = [command, "-", "--gap", "soon"] + (
        ["--out", str(tmp_path)] if command == "report" else []
    )
    result = CliRunner().invoke(main, arguments, input=lines(memfd))

    assert result.exit_code == 2
    assert "soon" in result.stderr


# ---------------------------------------------------------------- exit codes
def test_bad_lines_are_listed_and_stop_nothing(memfd, tmp_path):
    """Exit 0: every alert has its report; the rest is named on stderr and in the index."""
    result = run("-", "--out", tmp_path, stdin=b"<noise>\n" + lines(memfd))

    assert result.exit_code == 0
    assert "1 of 2 records are no alerts" in result.stderr
    assert "-:1: neither JSON nor a line of Falco's text output" in result.stderr
    assert "&lt;noise&gt;" in (tmp_path / "index.html").read_text()


def test_one_failed_report_stops_no_other(memfd, shell, tmp_path, monkeypatch):
    """Exit 1: the failure is listed with its cause, its evidence is kept, the others are there."""
    working = reporting.job.page

    def fails_once(notebook, title):
        if "memfd" in title:
            raise RuntimeError("the page <broke>")
        return working(notebook, title)

    monkeypatch.setattr(reporting.job, "page", fails_once)
    result = run("-", "--out", tmp_path, stdin=lines(memfd, shell))

    assert result.exit_code == 1
    assert "failed: report of inc-" in result.output
    assert len(list(tmp_path.glob("inc-*/report.html"))) == 1
    assert len(list(tmp_path.glob("inc-*/alerts.jsonl"))) == 2
    assert "RuntimeError: the page &lt;broke&gt;" in (tmp_path / "index.html").read_text()


def test_a_failing_cell_is_named_with_its_traceback(memfd, tmp_path, monkeypatch):
    """What the notebook said is in the index; the half-made notebook is kept."""
    monkeypatch.setenv("MPLBACKEND", "no-such-backend")
    broken = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("raise KeyError('<b>')")])
    broken.metadata["kernelspec"] = {
        "name": "python3",
        "display_name": "Python 3",
        "language": "python",
    }
    monkeypatch.setattr(reporting.job, "template", lambda: nbformat.writes(broken))
    result = run("-", "--out", tmp_path / "out", stdin=lines(memfd))

    assert result.exit_code == 1
    index = (tmp_path / "out" / "index.html").read_text()
    assert "KeyError: &#39;&lt;b&gt;&#39;" in index
    (cause,) = (tmp_path / "out").glob("inc-*/error.txt")
    assert "Traceback" in cause.read_text()
    assert next((tmp_path / "out").glob("inc-*/report.ipynb")).is_file()


@pytest.mark.parametrize(
    ("arguments", "stdin", "said"),
    [
        (["nowhere.jsonl"], None, "no such file or folder: nowhere.jsonl"),
        (["-"], b"", "no alert could be read"),
        (["-"], b"noise\n", "no alert could be read"),
    ],
)
def test_unusable_input(arguments, stdin, said, tmp_path):
    """Exit 2, with one line that says what was wrong."""
    result = run(*arguments, "--out", tmp_path / "out", stdin=stdin)

    assert result.exit_code == 2
    assert said in result.stderr
    assert not (tmp_path / "out").exists()


def test_out_that_cannot_be_written(memfd, tmp_path):
    """Exit 2: a file stands where the folder should be."""
    (tmp_path / "out").write_text("")
    result = run("-", "--out", tmp_path / "out", stdin=lines(memfd))

    assert result.exit_code == 2
    assert "cannot write to" in result.stderr


def test_no_source_is_a_wrong_call():
    """Exit 2, with the usage."""
    assert run().exit_code == 2


@pytest.mark.parametrize("command", [["falco-casebook"], [sys.executable, "-m", "analysis"]])
def test_both_ways_to_call(command):
    """The script and `python -m analysis` are one program."""
    program = Path(sys.executable).parent / command[0] if len(command) == 1 else command[0]
    done = subprocess.run(
        [program, *command[1:], "--help"], capture_output=True, check=True, text=True
    )

    assert "Investigate Falco alerts" in done.stdout
