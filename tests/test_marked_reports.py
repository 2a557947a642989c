"""A report shows what analysts decided, beside its own proposal, wherever it is made."""

from __future__ import annotations

import json
import pickle
import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import jsonschema
import pytest
from click.testing import CliRunner

import analysis as fa
from analysis import marks_file, verdicts
from analysis.cli import main
from analysis.errors import SourceError
from analysis.explorer import Desk
from analysis.report import manifest
from analysis.report.document import schema
from analysis.report.shelf import Shelf

from .conftest import lines, story

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE = "<img src=x onerror=alert(1)>\u202e =1+1"


@pytest.fixture
def source(tmp_path, shell, shadow) -> Path:
    """A file of two incidents: a shell in a container (two alerts), /etc/shadow read on a host."""
    file = tmp_path / "shift.jsonl"
    second = story(shell, **{"proc.cmdline": "bash -c id"})
    file.write_bytes(lines(shell, second, shadow))
    return file


def run(*arguments: object):
    """Run the command in this process."""
    return CliRunner().invoke(main, [*map(str, arguments)])


def ids(source: Path, rule: str) -> list[str]:
    """Return the ids of a rule's alerts."""
    alerts = fa.identify(fa.read_alerts(source)[0])
    return alerts.loc[alerts["rule"] == rule, "alert_id"].tolist()


def report_of(out: Path, rule: str) -> tuple[Path, dict]:
    """Return the folder and the document of a rule's report."""
    for file in out.glob("inc-*/report.json"):
        document = json.loads(file.read_text())
        if document["rules"] == [rule]:
            return file.parent, document
    raise AssertionError(rule)


SHELL = "Terminal shell in container"


def text_of(page: Path) -> str:
    """Return a page without its tags, on one line."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.read_text()))


def test_the_report_tells_the_whole_history(source, tmp_path):
    """Who, when, what and why, of each entry; the last on an alert counts; the proposal stays one."""
    first, second = ids(source, SHELL)
    store = verdicts.beside(source)
    verdicts.mark(
        store, [first], "benign", note="a drill?", by="ana", at="2026-03-01T10:00:00.000000007Z"
    )
    verdicts.mark(store, [first, second], "escalate", note="no drill", by="ben", at="2026-03-02")
    verdicts.mark(store, [second], "suspicious", by="ana", at="2026-03-03")
    unmarked = run("report", source, "--out", tmp_path / "other", "--verdicts", tmp_path / "none")

    assert run("report", source, "--out", tmp_path / "out").exit_code == 0
    folder, document = report_of(tmp_path / "out", SHELL)
    page = text_of(folder / "report.html")

    jsonschema.validate(document, schema())
    assert [m["at"][:10] for m in document["marks"]] == [
        "2026-03-01", "2026-03-02", "2026-03-02", "2026-03-03",
    ]  # fmt: skip
    assert {(m["alert_id"], m["verdict"], m["by"], m["counts"]) for m in document["marks"]} == {
        (first, "benign", "ana", False),
        (first, "escalate", "ben", True),
        (second, "escalate", "ben", False),
        (second, "suspicious", "ana", True),
    }
    assert document["marks"][0] == {
        "alert_id": first, "verdict": "benign", "note": "a drill?", "by": "ana",
        "at": "2026-03-01T10:00:00.000000007Z", "counts": False,
    }  # fmt: skip
    said = "Analysts' mark: escalate, the gravest (2 of 2 alerts marked)"
    assert said in document["summary"]
    assert said.replace("'", "&#39;") in page
    assert f"Proposed disposition: {document['disposition']}" in document["summary"]
    assert "this kit&#39;s proposal, made without it" in page
    for told in ("2026-03-01 10:00:00.000000007", "ben", "no drill", first, second):
        assert told in page
    # the other incident has no mark, and says so
    other, unchanged = report_of(tmp_path / "out", "Read sensitive file untrusted")
    assert unchanged["marks"] == []
    assert "No analyst&#39;s mark on these alerts is at hand here" in text_of(other / "report.html")
    assert unmarked.exit_code == 2  # the file named is not there


def test_a_new_mark_makes_its_report_anew_and_no_other(source, tmp_path):
    """Marks are an input, filed with their digest; what is marked as before is there already."""
    out = tmp_path / "out"
    assert run("report", source, "--out", out).exit_code == 0
    verdicts.mark(verdicts.beside(source), ids(source, SHELL), "escalate", by="ana", note="why")

    again = run("report", source, "--out", out)
    third = run("report", source, "--out", out)
    folder, _ = report_of(out, SHELL)
    made = json.loads((folder / "manifest.json").read_text())

    assert "1 made, 1 there already, 0 failed" in again.stderr
    assert "0 made, 2 there already, 0 failed" in third.stderr
    assert made["inputs"]["marks.json"] == manifest.digest((folder / "marks.json").read_bytes())
    assert "marks.json" in made["outputs"]
    assert manifest.verify(Shelf(out))[1] == []
    index = (out / "index.html").read_text()
    assert '<span class="badge escalate">escalate</span>' in index
    (folder / "marks.json").write_text("[]")
    assert run("verify", out).exit_code == 1


def test_no_mark_no_column(source, tmp_path):
    """An index without marks has no column for them, and a report no file."""
    assert run("report", source, "--out", tmp_path / "out").exit_code == 0
    assert ">Mark</th>" not in (tmp_path / "out" / "index.html").read_text()
    assert not list((tmp_path / "out").glob("inc-*/marks.json"))


def test_hostile_notes_are_shown_harmless(source, tmp_path):
    """A note, and a name, are text by anybody: escaped and visible like an alert's."""
    verdicts.mark(verdicts.beside(source), ids(source, SHELL), "benign", note=HOSTILE, by=HOSTILE)

    assert run("report", source, "--out", tmp_path / "out").exit_code == 0
    folder, document = report_of(tmp_path / "out", SHELL)
    html = (folder / "report.html").read_text()

    assert "<img" not in html
    assert "\u202e" not in html
    assert html.count("&lt;img src=x onerror=alert(1)&gt;⟨U+202E⟩ =1+1") == 2
    assert document["marks"][0]["note"] == HOSTILE  # for machines, as it was written


def test_the_notebook_shows_the_marks_again(source, tmp_path, monkeypatch):
    """Run again elsewhere, from its folder alone; ordinary kernels leave the same report."""
    verdicts.mark(
        verdicts.beside(source), ids(source, SHELL), "escalate", by="ana", at="2026-03-02"
    )
    told = marks_file.of_sources([str(source)])
    alerts = fa.read_alerts(source)[0]
    for out, fork in (("warm", True), ("cold", False)):
        list(fa.write_reports(alerts, tmp_path / out, marks=told, fork=fork))
    folder, document = report_of(tmp_path / "warm", SHELL)
    cold, _ = report_of(tmp_path / "cold", SHELL)

    for name in ("report.html", "report.json", "report.ipynb", "marks.json"):
        assert (folder / name).read_bytes() == (cold / name).read_bytes(), name
    assert 'marks = "marks.json"' in "".join(
        "".join(cell["source"])
        for cell in json.loads((folder / "report.ipynb").read_text())["cells"]
    )
    monkeypatch.chdir(folder)
    case = fa.investigate(fa.read_alerts("alerts.jsonl")[0], marks="marks.json")
    assert case.summary == document["summary"]


class Post(ThreadPoolExecutor):
    """An executor whose jobs travel as bytes, as to another machine."""

    def submit(self, function, /, *arguments, **more):
        """Send the job, and take it out at the other end."""
        return super().submit(function, *pickle.loads(pickle.dumps(arguments)), **more)


def test_marks_travel_with_the_job(source, tmp_path):
    """A worker elsewhere has them from the job, not from the store."""
    store = verdicts.beside(source)
    verdicts.mark(store, ids(source, SHELL), "escalate", by="ana")
    told = marks_file.of_sources([str(source)])
    store.unlink()

    with Post(1) as pool:
        alerts = fa.read_alerts(source)[0]
        outcomes = list(fa.write_reports(alerts, tmp_path / "out", marks=told, executor=pool))

    assert [one.error for one in outcomes] == [None, None]
    assert {m["verdict"] for m in report_of(tmp_path / "out", SHELL)[1]["marks"]} == {"escalate"}


def test_the_list_of_incidents_shows_the_mark(source):
    """As the desk does; in JSON as a word, or null."""
    verdicts.mark(verdicts.beside(source), ids(source, SHELL)[:1], "escalate", by="ana")

    assert f"[escalate] {SHELL}" in run("incidents", source).stdout
    told = {one["rules"][0]: one for one in json.loads(run("incidents", source, "--json").stdout)}
    assert (told[SHELL]["mark"], told[SHELL]["marked"]) == ("escalate", 1)
    assert (told["Read sensitive file untrusted"]["mark"]) is None


def test_the_desk_s_report_has_its_marks(source, tmp_path):
    """A mark set on the desk is in its summary at once, and in the report that it makes."""
    desk = Desk(fa.read_alerts(source)[0], store=tmp_path / "s.sqlite", by="ana")
    desk.out = str(tmp_path / "reports")
    desk.listed.value = desk.listed.options[0][1]
    desk.verdict.value, desk.note.value = "suspicious", "look at it"
    desk.mark.click()
    assert "mark: suspicious" in desk.views[0].value
    desk.report.click()

    document = json.loads(
        (tmp_path / "reports" / desk.case.incident_id / "report.json").read_text()
    )
    assert {(m["verdict"], m["note"]) for m in document["marks"]} == {("suspicious", "look at it")}


def test_stores_of_several_sources_are_told_together(tmp_path, shell, shadow):
    """In order of time, each entry once; a report's own file of marks can be named as well."""
    for name, alert, at in (("a", shell, "2026-03-02"), ("b", shadow, "2026-03-01")):
        (tmp_path / name).write_bytes(lines(alert))
        (own,) = fa.identify(fa.read_alerts(tmp_path / name)[0])["alert_id"]
        verdicts.mark(verdicts.beside(tmp_path / name), [own], "benign", by=name, at=at)
    sources = [str(tmp_path / "a"), str(tmp_path / "b"), "-", "s3://bucket/a"]

    told = marks_file.of_sources(sources)
    assert told["by"].tolist() == ["b", "a"]
    assert marks_file.as_file(told).isascii()
    (tmp_path / "marks.json").write_bytes(marks_file.as_file(told))
    again = marks_file.of_sources([], str(tmp_path / "marks.json"))
    assert again.to_dict("records") == told.to_dict("records")


@pytest.mark.parametrize(
    "content",
    [
        b"not JSON",
        b'{"alert_id": 1}',
        b'[{"alert_id": "a-1", "verdict": "benign", "note": "", "by": "", "at": "2026-03-01Z"}]',
        b'[{"alert_id": "a-0000000000000000", "verdict": "ok", "note": "", "by": "", "at": "2026"}]',
        b'[{"alert_id": "a-0000000000000000", "verdict": "benign", "note": "", "by": "", "at": 1}]',
    ],
)
def test_a_file_that_holds_no_marks_is_refused(tmp_path, source, content):
    """It is named, nothing is made, and the code is that of an unusable call."""
    (tmp_path / "marks.json").write_bytes(content)
    with pytest.raises(SourceError, match=r"marks\.json"):
        marks_file.read_marks(tmp_path / "marks.json")
    done = run("report", source, "--out", tmp_path / "o", "--verdicts", tmp_path / "marks.json")
    assert done.exit_code == 2
    assert not (tmp_path / "o").exists()
