"""Names and paths that an attacker or a folder chooses: no code, no other place, no clash.

Papermill runs the *names* of parameters as code, and formats `{}` in paths; ours are fixed names
and no paths. Files are named by digests and by slugs, never by alert text.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

import nbformat
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

import analysis as fa
from analysis.cli import main
from analysis.knowledge import playbook_files, slug

from .conftest import lines
from .payloads import PACKS, hostile

if TYPE_CHECKING:
    from pathlib import Path

WICKED = [
    "a {pm} {x!r} {0.__class__}",
    'a \'" """ b',
    "a\n__import__('os').system('id')",
    "a\\\n\\",
    "$(id) `id` ; # %s",
    "\u202e<img src=x>$x^2$",
]
"""Names of folders, legal on Linux."""
RESERVED = {
    "con",
    "prn",
    "aux",
    "nul",
    *(f"{port}{n}" for port in ("com", "lpt") for n in range(10)),
}
"""Names that Windows keeps for devices, with any suffix."""


def run(*arguments: object):
    """Return what the command did."""
    return CliRunner().invoke(main, [str(one) for one in arguments])


@pytest.fixture
def files(memfd, tmp_path) -> dict[str, Path]:
    """An alert, a playbook folder and a rules file, to be put below wicked names."""
    playbook = next(one for one in playbook_files() if one.name.startswith("terminal-shell"))
    (tmp_path / "books").mkdir()
    (tmp_path / "books" / playbook.name).write_text(playbook.read_text())
    (tmp_path / "rules.yaml").write_text(
        "- rule: Own\n  desc: d\n  condition: evt.type = open\n  output: o\n  priority: INFO\n"
    )
    (tmp_path / "a.jsonl").write_bytes(lines(memfd))
    return {name: tmp_path / name for name in ("a.jsonl", "books", "rules.yaml")}


@pytest.mark.parametrize("name", WICKED, ids=range(len(WICKED)))
def test_paths_carry_no_code(files, tmp_path, name):
    """Sources, playbooks, rules and the reports' folder of such a name: read, and quoted whole."""
    place = tmp_path / "p" / name
    place.mkdir(parents=True)
    for one, path in files.items():
        path.rename(place / one)
    out = place / "out"
    done = run("report", place / "a.jsonl", "--playbooks", place / "books",
               "--rules", place / "rules.yaml", "--out", out)  # fmt: skip

    assert done.exit_code == 0, done.output
    (folder,) = out.glob("inc-*")
    (cell,) = [
        one
        for one in nbformat.read(folder / "report.ipynb", as_version=4).cells
        if "injected-parameters" in one.metadata.get("tags", [])
    ]
    given = {}
    exec(cell.source, {"__builtins__": {}}, given)  # an import or a call would fail
    assert given == {
        "alerts_path": "alerts.jsonl",
        "incident_id": folder.name,
        "gap": "15min",
        "by": "activity",
        "playbooks": str(place / "books"),
        "rules": str(place / "rules.yaml"),
        "redact": True,
    }
    assert run("verify", out).exit_code == 0


@pytest.mark.parametrize("option", ["--gap", "--by", "--incident", "--timeout"])
def test_other_parameters_are_checked(files, option):
    """What is no pause, no way of grouping, no incident: refused before a notebook is run."""
    for value in WICKED:
        done = run("report", files["a.jsonl"], f"{option}={value}", "--out", files["books"] / "o")

        assert done.exit_code == 2
        assert not (files["books"] / "o").exists()


def test_files_are_named_by_digests(tmp_path):
    """Payloads in every field, by alert and by activity: a report's folder is named by an id."""
    (tmp_path / "a.jsonl").write_bytes(lines(*map(hostile, range(PACKS))))
    alerts, _ = fa.read_alerts(tmp_path / "a.jsonl")
    for by in ("alert", "activity"):
        named = fa.correlate(alerts, by=by).incidents["incident_id"]

        assert named.str.fullmatch(r"inc-[0-9a-f]{16}").all()
    fa.convert(tmp_path / "a.jsonl", to=tmp_path / "to")
    parts = {
        part for path in (tmp_path / "to").rglob("*") for part in path.relative_to(tmp_path).parts
    }
    assert all(re.fullmatch(r"to|_\w+|date=[\w-]+|[\d-]+\.parquet", part) for part in parts), parts


@given(st.text(max_size=400))
def test_a_slug_is_a_safe_name(rule):
    """Lower-case letters, digits and dashes; no path, no hidden file, at most 100 characters."""
    assert re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,98}[a-z0-9])?", slug(rule))


def test_rules_of_other_scripts_share_no_name():
    """A name without a Latin letter or a digit is none the less told from another."""
    assert len({slug(one) for one in ("ログ", "日本", "…", "", " ")}) == 5


def test_playbooks_share_no_name():
    """No two shipped playbooks have one name, on a file system without capitals neither."""
    names = [one.name for one in playbook_files()]

    assert len({unicodedata.normalize("NFKC", one).casefold() for one in names}) == len(names)
    assert {one.partition(".")[0] for one in names}.isdisjoint(RESERVED)
