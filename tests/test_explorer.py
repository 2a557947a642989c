"""The desk answers clicks with the public functions, and shows alert text harmless."""

from __future__ import annotations

import pytest

import analysis as fa
from analysis import views
from analysis.explorer import Desk

from .conftest import SAMPLES, lines, story

HOSTILE = "<img src=x onerror=alert(1)>\u202e"


@pytest.fixture
def desk(tmp_path) -> Desk:
    """A desk over the samples."""
    return Desk(fa.read_alerts(SAMPLES)[0], store=tmp_path / "marks.sqlite", by="ana")


def test_a_facet_narrows_the_list(desk):
    """The incidents left are those of the rule chosen."""
    desk.facets["rule"].value = ("Terminal shell in container",)

    assert len(desk.listed.options) == 1
    assert desk.selected["rule"].tolist() == ["Terminal shell in container"]


def test_every_view_shows_the_incident(desk):
    """Each tab is filled when it is looked at."""
    desk.listed.value = desk.listed.options[0][1]
    for at in range(len(views.VIEWS)):
        desk.tabs.selected_index = at
        assert "casebook" in desk.views[at].value
    assert desk.said.value == ""


def test_a_mark_is_there_on_another_desk(desk):
    """It is in the list, and in the incident's history, when the alerts are loaded again."""
    desk.listed.value = desk.listed.options[0][1]
    desk.verdict.value, desk.note.value = "escalate", HOSTILE
    desk.mark.click()

    again = Desk(fa.read_alerts(SAMPLES)[0], store=desk.store)

    assert "[escalate]" in again.listed.options[0][0]
    again.listed.value = again.listed.options[0][1]
    again.tabs.selected_index = views.VIEWS.index("Marks")
    shown = again.views[views.VIEWS.index("Marks")].value
    assert "&lt;img src=x onerror=alert(1)&gt;⟨U+202E⟩" in shown
    assert "<img" not in shown


def test_a_pivot_goes_over_all_alerts(desk):
    """It drops what else was asked; Clear brings everything back."""
    desk.listed.value = desk.listed.options[0][1]
    name = desk.case.alerts["proc.name"].iloc[0]
    desk.query.value = "proc.name~a"
    desk.field.value = "proc.name"
    desk.pivot.click()

    assert desk.selected["proc.name"].unique().tolist() == [name]
    assert desk.query.value == ""
    desk.clear.click()
    assert len(desk.selected) == 3


def test_what_is_wrong_is_said(desk):
    """A query for a field that is not there, a mark without an incident."""
    desk.query.value = "proc.exepth=1"
    assert "did you mean proc.exepath" in desk.said.value
    desk.query.value = ""
    assert desk.said.value == ""
    desk.mark.click()
    assert "choose an incident" in desk.said.value


def test_hostile_text_is_shown_harmless(shell, tmp_path):
    """Wherever alert text comes into a widget that takes HTML; lists take text, made visible."""
    fields = dict.fromkeys(("proc.cmdline", "proc.name", "user.name", "container.name"), HOSTILE)
    alert = story(shell, **fields) | {"rule": HOSTILE, "hostname": HOSTILE}
    desk = Desk(fa.read_alerts(lines(alert))[0], store=tmp_path / "marks.sqlite")
    desk.listed.value = desk.listed.options[0][1]
    desk.field.value = "proc.name"
    desk.pivot.click()
    for at in range(len(views.VIEWS)):
        desk.listed.value = desk.listed.options[0][1]
        desk.tabs.selected_index = at

    shown = [desk.status.value, desk.said.value, *(one.value for one in desk.views)]
    assert all("<img" not in one and "\u202e" not in one for one in shown)
    assert "&lt;img" in desk.status.value
    labels = [desk.listed.options[0][0], desk.facets["rule"].options[0][0]]
    assert all("\u202e" not in one for one in labels)


def test_the_report_is_made_and_linked(desk, tmp_path):
    """By the batch code; the link leads to the page."""
    desk.out = str(tmp_path / "reports")
    desk.listed.value = desk.listed.options[0][1]
    desk.report.click()
    (link,) = desk.link.outputs

    page = tmp_path / "reports" / desk.case.incident_id / "report.html"
    assert page.is_file()
    assert str(page) in link["data"]["text/html"]
