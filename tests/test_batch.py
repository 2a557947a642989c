"""A batch that can die: what is whole stays, what is not is made, and one failure stops no other."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner

import analysis as fa
from analysis.cli import main
from analysis.report import job, manifest
from analysis.report.shelf import Shelf

from .conftest import lines, sample, story

FILES = ["alerts.jsonl", "manifest.json", "report.html", "report.ipynb", "report.json"]


def night(count: int) -> bytes:
    """Return alerts of as many incidents: a shell in a container each."""
    base = sample("terminal_shell_in_container.jsonl")
    return lines(
        *(
            story(base, **{"container.id": f"{n:012x}", "k8s.pod.name": f"web-{n}"})
            for n in range(count)
        )
    )


def run(alerts: bytes, out: object, **options: object) -> list:
    """Return the outcomes of a batch."""
    return list(fa.write_reports(fa.read_alerts(alerts)[0], str(out), **options))


def stamps(out: Path) -> dict[str, int]:
    """Return when each file of the reports was written."""
    return {str(f.relative_to(out)): f.stat().st_mtime_ns for f in out.glob("inc-*/*")}


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """Reports of three incidents."""
    out = tmp_path_factory.mktemp("batch") / "out"
    assert [one.error for one in run(night(3), out)] == [None] * 3
    return out


def test_what_a_report_holds(made):
    """Five files; the index and the folder's manifest beside them; nothing in the making."""
    names = sorted(path.name for path in made.iterdir())
    assert [n for n in names if not n.startswith("inc-")] == ["index.html", "manifest.json"]
    assert len(names) == 5
    for folder in made.glob("inc-*"):
        assert sorted(path.name for path in folder.iterdir()) == FILES
    assert manifest.verify(Shelf(made))[1] == []


def test_a_page_is_small(made):
    """One alert's page is at most 150 kB."""
    assert all(p.stat().st_size < 150_000 for p in made.glob("inc-*/report.html"))


def test_whole_reports_are_not_made_again(made):
    """A second run touches no report."""
    before = stamps(made)

    outcomes = run(night(3), made)

    assert [one.made for one in outcomes] == [False] * 3
    assert {one.disposition for one in outcomes} == {"needs review"}
    assert stamps(made) == before


@pytest.mark.parametrize(
    "harm",
    [
        lambda folder: (folder / "report.html").write_text("changed"),
        lambda folder: (folder / "report.json").unlink(),
        lambda folder: (folder / "manifest.json").unlink(),
        lambda folder: (folder / "manifest.json").write_text("{"),
    ],
)
def test_what_is_not_whole_is_made_again(made, harm):
    """Only that report, and it is whole again."""
    folder = min(made.glob("inc-*"))
    harm(folder)

    outcomes = run(night(3), made)

    assert [one.incident_id for one in outcomes if one.made] == [folder.name]
    assert manifest.verify(Shelf(made))[1] == []


def test_other_parameters_make_it_again(made):
    """A report made with another pause is another report."""
    assert all(one.made for one in run(night(3), made, gap="10min"))
    assert all(one.made for one in run(night(3), made, gap="15min"))
    assert all(one.made for one in run(night(3), made, force=True))


def test_same_alerts_same_bytes(made, tmp_path):
    """Two runs differ in their manifests' times alone."""
    run(night(3), tmp_path / "again")

    for path in made.glob("*/report.*"):
        assert path.read_bytes() == (tmp_path / "again" / path.relative_to(made)).read_bytes()
    assert (made / "index.html").read_bytes() == (tmp_path / "again" / "index.html").read_bytes()


def test_ordinary_kernels_make_the_same_report(tmp_path):
    """One option away, and not a byte else."""
    (warm,) = run(night(1), tmp_path / "warm")
    (cold,) = run(night(1), tmp_path / "cold", fork=False)

    for name in ("report.html", "report.json", "report.ipynb"):
        assert Path(warm.folder, name).read_bytes() == Path(cold.folder, name).read_bytes(), name


def test_one_that_fails_stops_no_other(tmp_path, monkeypatch):
    """Its cell, traceback and input are kept, and the index lists it; the next run makes it."""
    broken = json.loads(job.template())
    code = [cell for cell in broken["cells"] if cell["cell_type"] == "code"]
    code[1]["source"] += "\nif '000000000001' in str(alerts['container.id'].tolist()): 1 / 0"
    whole = job.template()
    monkeypatch.setattr(job, "template", lambda: json.dumps(broken))

    outcomes = run(night(3), tmp_path)

    (failed,) = [one for one in outcomes if one.error]
    assert "ZeroDivisionError" in str(failed.error)
    assert f"in cell {failed.error.cell}" in str(failed.error)
    kept = tmp_path / failed.incident_id
    assert sorted(p.name for p in kept.iterdir()) == [
        "alerts.jsonl", "error.txt", "manifest.json", "report.ipynb",
    ]  # fmt: skip
    assert "1 / 0" in (kept / "error.txt").read_text()
    assert json.loads((kept / "manifest.json").read_text())["state"] == "failed"
    assert failed.incident_id in (tmp_path / "index.html").read_text()

    monkeypatch.setattr(job, "template", lambda: whole)
    assert [one.error for one in run(night(3), tmp_path)] == [None] * 3
    assert not (kept / "error.txt").exists()


def test_one_out_of_time_is_killed(tmp_path, monkeypatch):
    """A report has a time as a whole."""
    slow = json.loads(job.template())
    slow["cells"][2]["source"] += "\nimport time; time.sleep(600)"
    monkeypatch.setattr(job, "template", lambda: json.dumps(slow))

    (outcome,) = run(night(1), tmp_path, timeout=5)

    assert "more than 5 s" in str(outcome.error)
    assert (tmp_path / outcome.incident_id / "report.ipynb").exists()


def test_a_worker_that_dies_is_an_outcome(tmp_path):
    """An executor's own failure is listed; the others are made."""

    class Failing(ThreadPoolExecutor):
        count = 0

        def submit(self, function, /, *args, **more):
            self.count += 1
            if self.count == 2:
                return super().submit(lambda: 1 / 0)
            return super().submit(function, *args, **more)

    with Failing(2) as pool:
        outcomes = run(night(3), tmp_path, executor=pool)

    assert sorted(one.error is None for one in outcomes) == [False, True, True]
    assert "report failed" in (tmp_path / "index.html").read_text()


COMMAND = [sys.executable, "-m", "analysis"]
MANY = 24
"""Reports, more than are made before a busy machine passes a signal on."""


def start(tmp_path: Path, count: int) -> subprocess.Popen:
    """Start a batch in a process of its own."""
    source = tmp_path / "night.jsonl"
    source.write_bytes(night(count))
    command = [*COMMAND, "report", str(source), "--out", str(tmp_path / "out"), "--workers", "2"]
    # a shell's background job has its children ignore the signal
    heard = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, **pipes, text=True, preexec_fn=heard)  # noqa: PLW1509


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_ends_early_can_be_gone_on_with(tmp_path, how):
    """Killed or interrupted at any moment: what is there is whole, and the rest is made next."""
    running = start(tmp_path, MANY)
    running.stdout.readline()  # one is done
    running.send_signal(how)
    _, said = running.communicate(timeout=60)
    out = tmp_path / "out"
    there = [p.name for p in out.glob("inc-*")]

    assert 0 < len(there) < MANY
    for name in there:
        shelf = Shelf(out)
        assert manifest.is_whole(shelf, name, manifest.read(shelf, name))
    if how == signal.SIGINT:
        assert running.returncode == 130
        assert "run it again to go on" in said
        assert manifest.verify(Shelf(out))[1] == []

    again = CliRunner().invoke(main, ["report", str(tmp_path / "night.jsonl"), "--out", str(out)])
    assert again.exit_code == 0
    assert f"{len(there)} there already" in again.stderr
    assert len(list(out.glob("inc-*"))) == MANY
    time.sleep(0.5)
    assert [p.name for p in out.iterdir() if p.name.startswith(".")] == []


def test_verify_command(made):
    """It says what changed, and exits with 1; the folder's digest is for keeping elsewhere."""
    good = CliRunner().invoke(main, ["verify", str(made)])
    assert good.exit_code == 0
    assert "files are as they were made" in good.output

    page = min(made.glob("inc-*/report.html"))
    content = page.read_bytes()
    page.write_bytes(content + b" ")
    bad = CliRunner().invoke(main, ["verify", str(made)])
    page.write_bytes(content)
    assert bad.exit_code == 1
    assert f"{page.parent.name}/report.html: was changed" in bad.output


def test_inputs_are_in_the_manifest(tmp_path):
    """The digest of each file that was read."""
    source = tmp_path / "night.jsonl"
    source.write_bytes(night(1))
    list(fa.write_reports(fa.read_alerts(source)[0], tmp_path / "out"))

    kept = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert kept["inputs"] == {"night.jsonl": manifest.digest(source.read_bytes())}
