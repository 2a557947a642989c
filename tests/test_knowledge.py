"""Knowledge files: each parses, is named for its rule, proves itself on an example, and is real."""

from __future__ import annotations

import json
import re
import subprocess

import pytest

import analysis as fa
from analysis import knowledge
from analysis.errors import PlaybookError
from analysis.features import DERIVED
from analysis.findings import _NAME
from analysis.knowledge import Condition, conditions, model
from analysis.knowledge.model import make, make_parts
from analysis.quoting import placeholders

from .conftest import SAMPLES, case_of, story

BOOKS = knowledge.load_playbooks()
OWN = {name: book for name, book in BOOKS.items() if not book.generic}
COMMANDS = sorted({command.shell for book in BOOKS.values() for command in book.command})
_KNOWN = knowledge.known_fields().keys() | DERIVED.keys() | {"rule", "priority", "time", "hostname"}
# shell words that start a command; the words after them are what must be a real program
_STARTS = re.compile(r"(?:^|[|;&(]\s*|\bdo\s+|\$\()\s*([a-z][a-z0-9_-]*)(?=\s|$)", re.MULTILINE)
_BUILTIN = {"while", "done", "command", "do", "read", "kill"}


@pytest.mark.parametrize("name", OWN)
def test_file_is_named_for_its_rule(name):
    """The file's name is the rule's, in lower case with dashes."""
    assert knowledge.slug(OWN[name].rule) == name


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


def conditions_of(check: object) -> list[Condition]:
    """Return the conditions of a check, cause or command."""
    return [*check.all, *getattr(check, "any", ()), *getattr(check, "unless", ())]


CHECKS = [
    *knowledge.readings(),
    *(c for book in BOOKS.values() for c in (*book.check, *book.benign, *book.command)),
]


@pytest.mark.parametrize(
    "check", CHECKS, ids=lambda c: (getattr(c, "claim", "") or c.__class__.__name__)[:40]
)
def test_conditions_name_known_fields(check):
    """A misspelt field would be unknown for ever, in silence."""
    for condition in conditions_of(check):
        assert condition.field in _KNOWN or fa.ancestry({condition.field: "x"}).shape[0], condition


@pytest.mark.parametrize("check", knowledge.readings(), ids=lambda c: c.claim[:40])
def test_claims_use_what_they_test_or_can_do_without(check):
    """A value in a sentence is a field of the alert."""
    for name in _NAME.findall(check.claim):
        assert name in _KNOWN, name


@pytest.mark.parametrize("shell", COMMANDS)
def test_commands_parse(shell):
    """bash accepts each template, its placeholders replaced by a word."""
    text = re.sub(
        "|".join(map(re.escape, ("{" + p + "}" for p in placeholders(shell)))) or r"(?!)",
        "word",
        shell,
    )

    done = subprocess.run(["bash", "-n", "-c", text], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()


@pytest.mark.parametrize("shell", COMMANDS)
def test_commands_call_real_programs(shell):
    """Each program is listed with the package that brings it: none is made up."""
    bare = re.sub(r"<<'YAML'.*?^YAML", "", shell, flags=re.DOTALL | re.MULTILINE)
    bare = re.sub(
        r"'[^']*'|\"[^\"]*\"", lambda m: "''" if "$(" not in m[0] else m[0].strip('"'), bare
    )
    called = set(_STARTS.findall(bare))

    assert called
    assert called - _BUILTIN <= knowledge.tools().keys()


@pytest.mark.parametrize("shell", COMMANDS)
def test_placeholders_stand_outside_quotes(shell):
    """Quotes around a placeholder would undo the quoting of its value; each has a legal form."""
    outside = re.sub(
        r"'[^']*'|\"[^\"]*\"|<<'YAML'.*?^YAML", "", shell, flags=re.DOTALL | re.MULTILINE
    )

    assert placeholders(outside) == placeholders(shell)
    assert set(placeholders(shell)) <= knowledge.legal_patterns().keys()


def test_techniques_have_names():
    """A technique that a check names is in attack.toml."""
    named = {t for check in CHECKS for t in getattr(check, "techniques", ())}
    named |= {t for book in BOOKS.values() for t in book.techniques}

    assert named <= knowledge.techniques().keys()


def test_deciding_fields_are_described():
    """A gap names a field that fields.toml or the lineage explains."""
    fields = {d.field for book in BOOKS.values() for d in book.deciding}

    assert {f for f in fields if f not in _KNOWN and fa.ancestry({f: "x"}).empty} == set()


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
