"""Falco's own event about a container: no process did it, so nothing is said of one."""

from __future__ import annotations

import json

import pytest

import analysis as fa
from analysis.explained import explain
from analysis.placeholders import without_placeholders

from .conftest import case_of

CONTAINER = {"container.id": "9cc87ddac92a", "container.image.repository": "debian"}
MADE_UP = {"user.name": "root", "user.uid": 0, "user.loginuid": 0}


def alert(**fields: object) -> dict:
    """Return an alert of the rule that these events fire most."""
    return {
        "rule": "Launch Privileged Container",
        "source": "syscall",
        "priority": "Notice",
        "output": "Privileged container started",
        "time": "2026-01-02T03:04:05Z",
        "output_fields": CONTAINER | MADE_UP | fields,
    }


OF_THE_EVENT = [
    {"evt.type": "container", "proc.name": "container:9cc87ddac92a", "proc.pid": -1},
    {"proc.cmdline": "container:9cc87ddac92a"},
    {"evt.type": "container", "proc.tty": 0},
]


@pytest.mark.parametrize("fields", OF_THE_EVENT)
def test_nothing_is_said_of_a_process_that_never_was(fields):
    """Falco fills in root, login id 0 and a name; the report calls none of it a fact."""
    case = case_of(alert(**fields))
    said = "\n".join(finding.claim for finding in case.findings)

    assert "no process did this" in said
    assert "The event is about container 9cc87ddac92a." in said
    for wrong in ("ran as", "login", "terminal", "By its cgroup", "Ancestry", "started within"):
        assert wrong not in said
    assert case.lineage.empty
    assert case.processes.empty
    assert not [gap.field for gap in case.gaps if gap.field.startswith(("proc.", "user."))]
    assert "-1" not in "".join(command.text for command in case.commands)


def test_it_cites_what_tells_it():
    """Before evt.type was printed, the command alone tells."""
    case = case_of(alert(**OF_THE_EVENT[1]))
    cited = {one.field for f in case.findings if "no process" in f.claim for one in f.evidence}

    assert cited == {"proc.cmdline"}


@pytest.mark.parametrize(
    "fields",
    [
        {"evt.type": "execve", "proc.name": "bash", "proc.cmdline": "bash"},
        # what an attacker may call his program: 15 bytes, and a blank before any argument
        {
            "evt.type": "execve",
            "proc.name": "container:9cc87",
            "proc.cmdline": "container:9cc87 -x",
        },
        {"evt.type": "execve", "proc.cmdline": "container:9cc87 9cc87ddac92a"},
    ],
)
def test_a_program_s_process_stays(fields):
    """The first program of a container fires the same rules."""
    case = case_of(alert(**fields))
    said = "\n".join(finding.claim for finding in case.findings)

    assert "The process ran as root (user id 0)." in said
    assert "no process did this" not in said


def test_what_a_program_calls_itself_is_shown():
    """Its first argument is its own choice, and may look like Falco's word."""
    fields = {"evt.type": "execve", "proc.name": "x", "proc.exe": "container:9cc87ddac92a"}
    case = case_of(alert(**fields))

    assert case.lineage["exe"].tolist() == ["container:9cc87ddac92a"]


def test_the_frame_loses_what_is_made_up_and_no_more():
    """The queue judges by the same fields as the report."""
    rows = [alert(**OF_THE_EVENT[0]), alert(**{"evt.type": "execve", "proc.name": "bash"})]
    alerts, _ = fa.read_alerts("\n".join(map(json.dumps, rows)).encode())
    true = without_placeholders(alerts)

    assert true["user.name"].astype("object").tolist()[1] == "root"
    assert true["user.name"].isna().tolist() == [True, False]
    assert true["container.id"].notna().all()
    assert alerts["user.name"].notna().all()
    assert explain(alerts).isna().all()
