"""Tables of many alerts count where tables of one quote."""

from __future__ import annotations

import pytest

import analysis as fa
from analysis import tables

from .conftest import lines, story


def at(alert: dict, second: int, **changes: object) -> dict:
    """Return the alert as it would have come at another second."""
    return story(alert, **changes) | {"time": f"2026-03-01T10:00:{second:02}.000000001Z"}


def case(*alerts: dict) -> fa.Case:
    """Return the one case that the alerts make."""
    return fa.investigate(fa.read_alerts(lines(*alerts))[0])


@pytest.fixture(scope="module")
def repeated(shell) -> fa.Case:
    """An alert delivered twice, again a second later, and another of its container."""
    hostile = {"proc.cmdline": "bash -c '<script>\u202e'"}
    again = [at(shell, 1, **hostile), at(shell, 1, **hostile), at(shell, 2, **hostile)]
    return case(*again, at(shell, 3, **{"proc.cmdline": "bash -i"}))


def test_duplicates_are_one_row(repeated):
    """How many alerts, how often received, from when to when; text escaped."""
    shown = tables.duplicates(repeated.folded)

    assert "| 2 | 3 | 2026-03-01 10:00:01.000000001 | 2026-03-01 10:00:02.000000001" in shown.text
    assert len(shown.text.splitlines()) == 3
    assert "&lt;script&gt;⟨U+202E⟩" in shown.html
    assert "<script" not in shown.html


def test_nothing_repeated(memfd):
    """Says so."""
    assert tables.duplicates(case(memfd).folded).text == "No alert was repeated."


def test_several_alerts_are_told_once_each_thing(repeated):
    """In order of time, what repeats with its number; deliveries are no alerts."""
    shown = tables.event(repeated).text.splitlines()

    assert shown[0] == f"The 3 alerts of incident {repeated.incident_id}"
    assert [line.split(" | ")[-2] for line in shown[2:]] == ["2", "1"]


def test_a_second_delivery_alone_changes_nothing(shell):
    """One alert received twice is shown as one alert is."""
    shown = tables.event(case(shell, shell)).text

    assert shown.startswith("Envelope of the alert")


def test_values_are_counted(repeated):
    """Each value that a field has, once, with how many of the alerts examined have it."""
    shown = tables.fields(repeated, "process").text

    assert "Alerts examined" in shown
    assert "proc.name | bash | 2 | " in shown
    assert "proc.cmdline | bash -c '<script>⟨U+202E⟩' | 1 | " in shown
    assert "proc.cmdline | bash -i | 1 | " in shown


def test_gaps_are_counted(repeated):
    """A field that all alerts lack is one gap."""
    shown = tables.gaps(repeated).text

    assert "| 2 of 2 | " in shown
    fields = [line.split(" | ")[0] for line in shown.splitlines() if " of 2 | " in line]
    assert len(fields) == len(set(fields))


def test_a_claim_of_several_alerts_stands_once(repeated):
    """With their number, and the evidence of the first."""
    claims = [line.split(" | ")[0] for line in tables.findings(repeated).text.splitlines()[2:]]

    assert len(claims) == len(set(claims))
    assert any(
        c.endswith("(2 of the alerts examined; the evidence is that of the first)") for c in claims
    )
    assert "(2 of the alerts examined)" in tables.statements(repeated, "container").text


def test_long_tables_say_what_is_left_out(shell):
    """100 rows, 20 alerts byte for byte, and the numbers of the others."""
    many = case(*(at(shell, i % 60, **{"proc.cmdline": f"bash -c {i}"}) for i in range(130)))

    assert tables.event(many).text.splitlines()[-1] == "30 more rows are not shown."
    assert "30 more rows are not shown." in tables.event(many).html
    assert "110 more are not shown here." in tables.raw(many).html


def test_what_an_alert_has_no_field_on_is_said_once():
    """A cloud's alert tells of no process: one line for each heading, not three."""
    call = {
        "output": "A trail was stopped",
        "output_fields": {"ct.region": "eu-west-1"},
        "priority": "Warning",
        "rule": "CloudTrail Logging Disabled",
        "source": "aws_cloudtrail",
        "time": "2026-03-01T10:00:01.000000001Z",
    }
    found = case(call)

    for topic in ("container", "process", "executable"):
        assert not tables.statements(found, topic).html.strip()
        assert "The alert has no field on a" in tables.fields(found, topic).html
    assert not tables.ancestry(found).html


def test_fields_that_support_no_statement_are_named_as_such(shell):
    """Where a heading has fields, that they support nothing is worth a line."""
    bare = case({**shell, "output_fields": {"proc.exepath": "/usr/bin/sh"}})

    assert "supports a statement on a program file" in tables.statements(bare, "executable").html
