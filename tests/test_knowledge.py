"""Knowledge files: each parses, is named for its rule, proves itself on an example, and is real."""

from __future__ import annotations

import json
import re

import pytest

from analysis import knowledge
from analysis.errors import PlaybookError
from analysis.knowledge import Condition, conditions, model
from analysis.knowledge.model import make, make_parts
from analysis.lint import lint

from .conftest import SAMPLES, case_of, story

BOOKS = knowledge.load_playbooks()
OWN = {name: book for name, book in BOOKS.items() if not book.generic}


@pytest.mark.parametrize("name", OWN)
def test_playbook_speaks_about_its_examples(name):
    """Each example is an alert of that rule that the playbook's own checks say something about."""
    for example in OWN[name].examples:
        file, line = example.split(":")
        alert = json.loads((SAMPLES / file).read_text().splitlines()[int(line) - 1])
        case = case_of(alert)
        own = {check.claim.split("{")[0] for check in OWN[name].check}

        assert alert["rule"] == OWN[name].rule
        assert any(finding.claim.startswith(tuple(filter(None, own))) for finding in case.findings)


def test_what_ships_is_clean():
    """Every playbook and reading passes the linter that users have."""
    assert [str(problem) for problem in lint()] == []


SOUND = """
rule = "A rule"
source = "syscall"
meaning = "What it means."
deciding = [{ field = "proc.name", why = "the program" }]
check = [{ claim = "c {proc.name}", topic = "process", all = [{ field = "proc.name", is = "x" }] }]
benign = [{ cause = "a test", confirm = "ask" }]
step = [{ question = "q", how = "h" }]
advice = [{ phase = "tune", text = "t" }]
command = [{ phase = "preserve", why = "w", where = "host", shell = "ls /tmp" }]
"""


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('rule = "A rule"', 'rule = "Another"', "name it another.toml"),
        ('source = "syscall"', "", "no event source"),
        ('field = "proc.name", is', 'field = "proc.nmae", is', "'proc.nmae' is no field"),
        ('field = "proc.name", why', 'field = "proc.nmae", why', "'proc.nmae' is no field"),
        ("c {proc.name}", "c {proc.nmae}", "'proc.nmae' is no field"),
        ('is = "x"', 'named = "sorcery"', "'sorcery' is no kind of program"),
        ('is = "x"', "matches = 'x$'", "ends with $"),
        (', all = [{ field = "proc.name", is = "x" }]', "", "would be claimed of every alert"),
        ('"w", where', '"w", color = "red", where', "unknown key 'color'"),
        ("ls /tmp", "lss /tmp", "'lss' is no listed program"),
        ("ls /tmp", "ls /tmp | exfiltrate -x", "'exfiltrate' is no listed program"),
        ("ls /tmp", "ls $(exfiltrate)", "'exfiltrate' is no listed program"),
        ("ls /tmp", "ls '{proc.exepath}'", "a placeholder stands in quotes"),
        ("ls /tmp", "ls {proc.env}", "{proc.env} has no legal form"),
        ("ls /tmp", "ls $(", "bash:"),
        ('meaning = "What it means."', "meaning = ", "correct the TOML"),
        ('advice = [{ phase = "tune", text = "t" }]', "", "at least one [[advice]]"),
        ('meaning = "What it means."', 'meaning = "m"\ntechniques = ["T9"]', "'T9' is unknown"),
    ],
)
def test_lint_finds(tmp_path, old, new, said):
    """What cannot work is found, with place and remedy, before an alert needs it."""
    file = tmp_path / "a-rule.toml"
    file.write_text(SOUND)
    assert lint(tmp_path) == []

    assert old in SOUND
    file.write_text(SOUND.replace(old, new, 1))
    assert said in "\n".join(map(str, lint(tmp_path)))


def test_lint_wants_a_folder(tmp_path):
    """No folder, or one without playbooks, is said."""
    with pytest.raises(PlaybookError, match="no such folder"):
        lint(tmp_path / "none")
    with pytest.raises(PlaybookError, match="no playbook in it"):
        lint(tmp_path)


def test_own_playbook_comes_first(tmp_path):
    """A playbook of the user's folder replaces the one that ships for its rule and source."""
    rule = "Terminal shell in container"
    (tmp_path / "mine.toml").write_text(SOUND.replace("A rule", rule))

    assert knowledge.playbook_for(rule, "syscall", own=tmp_path).meaning == "What it means."
    assert knowledge.playbook_for(rule, "syscall").meaning != "What it means."
    assert knowledge.playbook_for("Another", "syscall", own=tmp_path).generic
    books = knowledge.load_playbooks(own=tmp_path)
    assert books["terminal-shell-in-container"].meaning == "What it means."


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"claim": "c", "topic": "process", "color": "red"}, "unknown key 'color'"),
        ({"topic": "process"}, "no claim"),
        ({"claim": "c", "topic": "moon"}, "topic 'moon': use one of"),
        ({"claim": 5, "topic": "process"}, "claim is no text"),
        ({"claim": "c", "topic": "process", "all": [{"field": "a.b"}]}, "condition"),
        ({"claim": "c", "topic": "process", "all": [{"field": "a.b", "matches": "("}]}, "pattern"),
    ],
)
def test_what_is_wrong_in_a_file_is_said(table, said):
    """File, place, remedy: so that whoever wrote it can mend it."""
    with pytest.raises(PlaybookError, match=re.escape(said)):
        make(knowledge.Check, table, "file.toml: check 1")


def test_a_shared_block_may_hold_any_part():
    """A table is what its own key says; one that says nothing is refused, by its place."""
    claim = {"claim": "c", "topic": "process"}
    cause = {"cause": "b", "confirm": "ask"}

    parts = make_parts([claim, cause, {**claim, "claim": "d"}], "shared.toml: block")

    assert [check.claim for check in parts["check"]] == ["c", "d"]
    assert [cause.cause for cause in parts["benign"]] == ["b"]
    with pytest.raises(PlaybookError, match=re.escape("shared.toml: block 2: no telling")):
        make_parts([claim, {"topic": "process"}], "shared.toml: block")


def test_a_simulation_is_excluded_by_each_part_of_its_shape():
    """One row makes the claim and the benign cause, so that the two cannot drift apart."""
    shape = [{"field": "proc.name", "is": "find"}, {"field": "proc.pname", "named": "shell"}]
    row = {"action": "syscall.X", "does": "runs find", "all": shape}
    made = make(model.Simulation, row, "file.toml: simulation 1")

    for facts, holds in [
        ({"proc.name": "find", "proc.pname": "sh"}, True),
        ({"proc.name": "find", "proc.pname": "nginx"}, False),
        ({"proc.name": "grep", "proc.pname": "sh"}, False),
        ({"proc.name": "find"}, None),
    ]:
        for part in (made.check(), made.cause()):
            verdict = conditions.judge(part.all, part.any, facts, part.unless)
            assert verdict.holds is holds, facts
    assert made.check().leads_to == "simulation"


# ---------------------------------------------------------------- three-valued conditions
T, F, U = ("a.b", "is", 1), ("a.b", "is", 2), ("c.d", "is", 1)


@pytest.mark.parametrize(
    ("all_of", "any_of", "holds"),
    [
        ([], [], True),
        ([T], [], True),
        ([F], [], False),
        ([U], [], None),
        ([T, U], [], None),
        ([F, U], [], False),
        ([], [F, T], True),
        ([], [F, U], None),
        ([], [F], False),
        ([U], [F], False),
        ([T], [U], None),
        ([T], [T, U], True),
    ],
)
def test_kleene(all_of, any_of, holds):
    """False beats unknown in a conjunction, true beats it in a disjunction."""
    all_of, any_of = ([Condition(*one) for one in group] for group in (all_of, any_of))

    assert conditions.judge(all_of, any_of, {"a.b": 1}).holds is holds


def test_what_would_decide_is_named():
    """An undecided condition says which field it needs."""
    verdict = conditions.judge([Condition(*T), Condition(*U)], [], {"a.b": 1})

    assert verdict.needs == ("c.d",)


@pytest.mark.parametrize(
    ("operator", "value", "holds"),
    [
        ("is", "x", True),
        ("is_not", "x", False),
        ("in", ["x", "y"], True),
        ("not_in", ["x"], False),
        ("matches", "^x$", True),
        ("not_matches", "^x$", False),
        ("present", True, True),
        ("present", False, False),
        ("above", 3, None),
        ("below", 3, None),
    ],
)
def test_operators(operator, value, holds):
    """A comparison of a text with a number is unknown, not false."""
    assert conditions.test(Condition("a.b", operator, value), {"a.b": "x"}) is holds


def test_hostile_pod_name_withholds_its_commands(shell):
    """A pod named --help: no kubectl command is shown, and the report says why."""
    case = case_of(story(shell, **{"k8s.pod.name": "--help"}))

    assert not [c for c in case.commands if "--help" in c.text]
    assert {c.field for c in case.withheld if "kubectl" not in c.reason} >= {"k8s.pod.name"}


@pytest.mark.parametrize("name", knowledge.legal_patterns())
@pytest.mark.parametrize("value", ["--help", "-x", "", "..", "../x", "x y; z", "$(z)"])
def test_no_legal_value_is_an_option_or_a_way_out(name, value):
    """A value can neither become an option nor lead out of the path that a command puts it into."""
    assert not re.fullmatch(knowledge.legal_patterns()[name], value)


def test_the_account_of_a_new_vm_is_not_another_account():
    """Creating a VM is checked for compute.instances.setServiceAccount as well: nothing was changed."""

    def claims(*permissions: str) -> list[str]:
        checked = [{"granted": True, "permission": f"compute.instances.{p}"} for p in permissions]
        alert = {
            "output": "A VM was changed",
            "output_fields": {"gcp.authorizationInfo": json.dumps(checked)},
            "priority": "Notice",
            "rule": "GCP VM modified",
            "source": "gcp_auditlog",
            "time": "2025-09-04T15:33:20.123456789Z",
        }
        return [f.claim for f in case_of(alert).findings if "another service account" in f.claim]

    assert claims("setServiceAccount")
    assert not claims("create", "setServiceAccount")
