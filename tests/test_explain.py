"""`explain` and the Navigator layer: the kit's knowledge outside of a report."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

import analysis as fa
from analysis import knowledge, navigator
from analysis.cli import main
from analysis.errors import SubjectError
from analysis.explain import explain

from .conftest import lines


@pytest.mark.parametrize(
    "name",
    ["Terminal shell in container", "terminal SHELL in container", "terminal-shell-in-container"],
)
def test_rule(name):
    """A rule is found in any case: meaning, deciding fields, causes, steps, commands in order."""
    text = explain(name)

    assert text.startswith("Terminal shell in container (syscall)")
    for heading in ("Fields that decide", "Benign causes to rule out", "Investigate", "Techniques"):
        assert f"\n{heading}\n" in text
    assert text.index("- preserve, ") < text.index("- contain, ") < text.index("- tune: ")
    assert "kubectl -n {k8s.ns.name} get pod {k8s.pod.name} -o yaml" in text


@pytest.mark.parametrize(
    ("subject", "said", "unsaid"),
    [
        ("5", ("EXE_WRITABLE (1", "EXE_FROM_MEMFD (4"), ("EXE_UPPER_LAYER (",)),
        ("EXE_LOWER_LAYER", ("EXE_LOWER_LAYER (8",), ("EXE_WRITABLE (1",)),
        ("0", ("0 = none is set",), ("EXE_WRITABLE (",)),
        ("flags", ("EXE_WRITABLE (1", "EXE_LOWER_LAYER (8", "the flags of open(2)"), ()),
        ("proc.pid", ("an integer", "Printed by none of the rules"), ()),
        ("proc.aname[2]", ("text", "Read sensitive file untrusted: the grandparent"), ()),
        ("evt.time", ("ns since the epoch",), ()),
    ],
)
def test_flags_and_fields(subject, said, unsaid):
    """Flags by name, number or as a whole; a field with its kind and who prints it."""
    text = " ".join(explain(subject).split())

    assert all(words in text for words in said), text
    assert not any(words in text for words in unsaid)


def test_what_is_unknown_is_said_with_what_is_near():
    """A slip of the pen gets the right name; a terminal gets no escape."""
    with pytest.raises(SubjectError, match="did you mean: Terminal shell in container"):
        explain("terminal shel in container")
    result = CliRunner().invoke(main, ["explain", "\x1b[31mred"])
    assert result.exit_code == 2
    assert "\x1b" not in result.output


@pytest.mark.parametrize("book", [b for b in knowledge.load_playbooks().values() if b.rule])
def test_every_rule_can_be_explained(book):
    """Each playbook prints, within 100 columns but for commands and long words."""
    text = explain(book.rule)

    long = [line for line in text.split("\n") if len(line) > 100 and "$" not in line]
    assert all(line.startswith("        ") or " " not in line.strip() for line in long), long


def test_lint_command(tmp_path):
    """`lint` is silent about what is sound, and exits with 1 where something is not."""
    assert CliRunner().invoke(main, ["lint"]).exit_code == 0
    (tmp_path / "x.toml").write_text("rule = 'x'\nmeaning = 'm'\n")
    result = CliRunner().invoke(main, ["lint", str(tmp_path)])
    assert result.exit_code == 1
    assert "x.toml: source: no event source; write" in result.output
    assert CliRunner().invoke(main, ["lint", str(tmp_path / "none")]).exit_code == 2


def alert(rule: str, tags: list[str]) -> dict:
    """Return an alert of a rule with tags."""
    fields = {"evt.type": "execve", "proc.name": "x"}
    envelope = {"time": "2025-09-04T15:33:20Z", "priority": "Notice", "source": "syscall"}
    return envelope | {"rule": rule, "tags": tags, "output": "", "output_fields": fields}


def test_layer_counts_alerts_by_technique():
    """The playbook's techniques count; where the tags say another, the comment keeps it."""
    alerts, _ = fa.read_alerts(
        lines(
            alert("Read sensitive file untrusted", ["T1555", "host"]),
            alert("Read sensitive file untrusted", ["T1555", "host"])
            | {"time": "2025-09-05T15:33:20Z"},
            alert("Somebody's own rule", ["T1562-impair-defenses", "TA0003"]),
            alert("Untagged", []),
        )
    )

    made = navigator.layer(alerts)

    assert made["versions"]["layer"] == "4.5"
    assert made["domain"] == "enterprise-attack"
    scores = {one["techniqueID"]: one["score"] for one in made["techniques"]}
    assert scores == {"T1003.008": 2, "T1562": 1}
    assert "2 alerts; the rule's tags say T1555" in made["techniques"][0]["comment"]
    assert made["gradient"]["maxValue"] == 2
    json.dumps(made)


def test_layer_of_nothing():
    """No alerts: a layer without techniques."""
    assert navigator.layer(fa.read_alerts(b"")[0])["techniques"] == []
