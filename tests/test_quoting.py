"""Quoting: what leaves the kit is visible, escaped, and one argument."""

from __future__ import annotations

import csv
import shlex
import subprocess

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.characters import is_plain
from analysis.knowledge import legal_patterns
from analysis.quoting import Withheld, fill, placeholders, templates, to_csv, visible


@given(st.text())
def test_visible_text_hides_nothing(text):
    """Every character of the result can be seen; printable text is left as it is."""
    shown = visible(text)

    assert shown.isprintable()
    assert is_plain(shown)
    if is_plain(text):
        assert shown == text


def test_long_text_is_cut_and_says_so():
    """A value of a megabyte does not fill the page."""
    assert visible("x" * 3000, longest=10) == "x" * 10 + "⟨… 2,990 characters more⟩"


def test_templates_escape_and_show():
    """A value is text in HTML, with nothing hidden in it."""
    template = templates().from_string('<p title="{{ v }}">{{ v }}</p>')

    assert template.render(v='"<b>\u200b') == (
        '<p title="&#34;&lt;b&gt;⟨U+200B⟩">&#34;&lt;b&gt;⟨U+200B⟩</p>'
    )


def test_placeholders_are_fields_only():
    """Braces of awk, Go templates and find are the command's own."""
    shell = "awk '{print $1}' {fd.name}; docker inspect -f '{{.State.Pid}}' {container.id} {} {window_start}"

    assert placeholders(shell) == ["fd.name", "container.id", "window_start"]


def test_placeholders_may_be_fields_of_plugins():
    """Plugins name fields with capitals, and values of the raw event by JSON pointer."""
    shell = "gcloud projects describe {gcp.projectId} {json.value[/resource/labels/key_ring_id]}"

    assert placeholders(shell) == ["gcp.projectId", "json.value[/resource/labels/key_ring_id]"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("k8s.pod.name", "--help"),
        ("k8s.pod.name", "-n kube-system"),
        ("k8s.pod.name", "a b"),
        ("k8s.pod.name", "$(id)"),
        ("k8s.ns.name", "a" * 64),
        ("container.id", "host"),
        ("container.id", "DCA990C78804"),
        ("container.id", "dca990c78804\n"),
        ("container.id", "dca990c78804; id"),
        ("fd.name", "relative/path"),
        ("fd.name", "/etc/sha\u202edow"),
        ("fd.name", "/etc/\nshadow"),
        ("proc.pid", "0"),
        ("proc.pid", "1; reboot"),
        ("proc.pid", "-1"),
        ("user.loginuid", "-1"),
        ("proc.name", "cat"),
        ("no.such.field", "x"),
    ],
)
def test_illegal_values_withhold_the_command(field, value):
    """Quoting is not enough: a pod named --help would pass it and become an option."""
    withheld = fill("tool {" + field + "}", {field: value}, legal_patterns())

    assert isinstance(withheld, Withheld)
    assert withheld.field == field
    assert withheld.reason.isprintable()


def test_missing_value_withholds_the_command():
    """Nothing is shown half-filled."""
    assert fill("kill {proc.pid}", {}, legal_patterns()) == Withheld(
        "proc.pid", "this alert has no value for it"
    )


@given(st.sampled_from(sorted(legal_patterns())), st.data())
def test_a_filled_value_stays_one_argument(field, data):
    """Whatever a legal value holds, the shell hands it on as it is."""
    value = data.draw(st.from_regex(legal_patterns()[field], fullmatch=True))
    filled = fill("printf %s {" + field + "}", {field: value}, legal_patterns())

    if isinstance(filled, str):
        assert shlex.split(filled) == ["printf", "%s", value]


@pytest.mark.parametrize(
    "name", ["/tmp/a b", "/tmp/$(id)", "/tmp/`id`", "/tmp/'q'", "/tmp/*", "/tmp/;x", "/tmp/ä"]
)
def test_bash_agrees(name):
    """A real shell gives the path back, character for character."""
    command = fill("printf %s {fd.name}", {"fd.name": name}, legal_patterns())
    assert isinstance(command, str)

    done = subprocess.run(["bash", "-c", command], capture_output=True, check=True)
    assert done.stdout.decode() == name


@pytest.mark.parametrize(
    "text",
    [
        *("=1+1", "+1", "-1", "@SUM(A1)", "\t=1+1", "\r=1+1", "\n=1+1", " =1+1", "\uff1d1+1"),
        *('=HYPERLINK("http://x.invalid","y")', "=cmd|' /C calc'!A0", '"=1+1', ";=1+1", "a,=1+1"),
    ],
)
def test_no_cell_of_a_spreadsheet_is_a_formula(text, tmp_path):
    """Whatever a rejected record begins with, a cell begins like text; it stays one cell, readable."""
    to_csv(pd.DataFrame({"line": [7], text: [text]}), tmp_path / "a.csv")
    with (tmp_path / "a.csv").open(newline="", encoding="utf-8") as file:
        header, row = csv.reader(file)

    assert row[0] == "7"
    assert header[1] == row[1]
    assert row[1].lstrip()[:1] not in ("=", "+", "-", "@", "\uff1d")
    assert row[1].removeprefix("'") == visible(text)
