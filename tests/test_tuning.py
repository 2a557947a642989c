"""Tuning: what is proposed silences just what it says, and never what is to be kept.

The YAML is read by the kit's reader of rules files and evaluated by `tests.falco`, which shares
nothing with the code that wrote it.
"""

from __future__ import annotations

import json

import pytest
import yaml
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

import analysis as fa
from analysis import tables
from analysis.cli import main
from analysis.errors import TuningError
from analysis.intake import kind_of
from analysis.knowledge import tunable_fields
from analysis.knowledge.rules import read_rules
from analysis.silencing import literal, refusal
from analysis.tuned import effect
from analysis.tuning import propose

from . import falco
from .conftest import ROOT, lines, story

NOISY = ROOT / "data" / "noisy" / "shadow_reads.jsonl"
SHADOW = "Read sensitive file untrusted"
RULE_KEYS = {"rule", "exceptions", "override"}


def at(alert: dict, second: int, **changes: object) -> dict:
    """Return the alert as it would have come at another second."""
    return story(alert, **changes) | {"time": f"2026-03-01T10:00:{second:02}.000000001Z"}


def load(*alerts: dict):
    """Return the alerts' frame with ids, and the output fields of each by id."""
    frame, rejects = fa.read_alerts(lines(*alerts))
    assert rejects.empty
    frame = fa.identify(frame)
    told = dict(zip(frame["alert_id"], (one["output_fields"] for one in alerts), strict=True))
    return frame, told


def quieted(text: str, told: dict) -> set[str]:
    """Return the ids that a rules file silences, by the independent evaluation."""
    (item,) = yaml.safe_load(text)
    if "exceptions" in item:
        (exception,) = item["exceptions"]
        condition = falco.expand(exception)
    else:
        condition = item["condition"].removeprefix("and not ").removeprefix("or ")
    return {name for name, fields in told.items() if falco.matches(condition, fields)}


@pytest.fixture(scope="module")
def noisy():
    """Three nights of a backup that reads two files, an imitation of it, and a stranger."""
    return load(*(json.loads(line) for line in NOISY.read_text().splitlines()))


def test_backup_is_silenced_and_its_imitation_is_not(noisy):
    """Both files of the backup; the same names and argv from another program file still alert."""
    alerts, told = noisy
    backup = list(told)[:6]
    made = propose(alerts, SHADOW, chosen=backup, keep=list(told)[6:])

    assert made.claim == "silences 6 of the rule's 8 alerts: 6 of 6 chosen, 0 not chosen"
    assert made.silenced == tuple(backup)
    assert made.alerting == tuple(list(told)[6:])
    assert quieted(made.yaml, told) == set(backup)
    assert f"# {made.claim}\n" in made.yaml


def test_largest_group_is_the_default(noisy):
    """Without a choice: the most frequent of those alike in all that could be named."""
    alerts, told = noisy
    made = propose(alerts, SHADOW)

    assert len(made.chosen) == 3
    assert quieted(made.yaml, told) == set(made.silenced) == set(made.chosen)


def test_nothing_that_ends_is_named(shell):
    """Container ids, pods and pids are not compared: the exception holds for the next pod."""
    alerts, told = load(
        at(shell, 1, **{"container.id": "aaaaaaaaaaaa", "k8s.pod.name": "a-1"}),
        at(shell, 2, **{"container.id": "bbbbbbbbbbbb", "k8s.pod.name": "a-2", "proc.pid": 7}),
    )
    made = propose(alerts, shell["rule"])

    assert set(made.chosen) == set(told)
    assert not {"container.id", "k8s.pod.name", "proc.pid"} & set(made.silencer.fields)
    assert "container.image.repository" in made.silencer.fields


def test_yaml_is_an_append_that_falco_knows(noisy, tmp_path):
    """Falco's keys and no other, one comparison and one value a field; it loads after the rule."""
    alerts, told = noisy
    made = propose(alerts, SHADOW, chosen=list(told)[:6])
    (item,) = yaml.safe_load(made.yaml)
    (exception,) = item["exceptions"]
    base = tmp_path / "base.yaml"
    base.write_text(
        f"- rule: {SHADOW}\n  desc: d\n  condition: open_read\n  output: o\n  priority: INFO\n"
    )
    ours = tmp_path / "ours.yaml"
    ours.write_text(made.yaml)
    found, problems = read_rules([base, ours])

    assert set(item) == RULE_KEYS
    assert item["override"] == {"exceptions": "append"}
    assert set(exception) == {"name", "fields", "comps", "values"}
    assert not problems
    (read,) = found.rules[SHADOW].exceptions
    assert read.fields == made.silencer.fields
    assert read.comparisons == made.silencer.comparisons
    assert [list(row) for row in read.values] == exception["values"]


def test_what_cannot_be_told_apart_is_not_silenced(shell):
    """A chosen alert that is like a kept one in all that could be named goes on alerting."""
    alerts, told = load(
        at(shell, 1), at(shell, 2), at(shell, 3, **{"proc.cmdline": "bash -c backup"})
    )
    first, second, third = told
    made = propose(alerts, shell["rule"], chosen=[first, third], keep=[second])

    assert quieted(made.yaml, told) == {third}
    assert [name for name, _ in made.missed] == [first]
    assert made.claim == "silences 1 of the rule's 3 alerts: 1 of 2 chosen, 0 not chosen"


def test_no_exception_where_none_is_narrow_enough(shell):
    """The reason is said, and no YAML is written."""
    alerts, told = load(at(shell, 1), at(shell, 2))
    first, second = told
    made = propose(alerts, shell["rule"], chosen=[first], keep=[second])

    assert (made.yaml, made.silencer, made.silenced) == ("", None, ())
    assert made.alerting == (first, second)
    assert made.claim.startswith("no exception is proposed: the chosen alerts are like one to be")


@pytest.mark.parametrize("path", [..., "/tmp/x", "/dev/shm/x", "memfd:x", "/memfd:x"])
def test_names_alone_are_not_enough(shadow, path):
    """Names, argv and files that anybody may make do not say who acted."""
    alerts, told = load(at(shadow, 1, **{"proc.exepath": path}))
    made = propose(alerts, SHADOW, chosen=list(told))

    assert not made.yaml
    assert "what an attacker may choose at will" in made.reason


def test_many_values_are_drawn_together(shadow):
    """More combinations than a person reads: a directory, a beginning of argv; both are told."""
    alerts, told = load(
        *(
            at(
                shadow,
                n,
                **{
                    "fd.name": f"/etc/app/keys/{n}",
                    "proc.cmdline": f"rotate --key {n}",
                    "proc.name": f"worker{n}",
                },
            )
            for n in range(12)
        ),
        at(shadow, 20, **{"fd.name": "/etc/app/keysets", "proc.cmdline": "rotate --key 1"}),
    )
    *rotated, other = told
    made = propose(alerts, SHADOW, chosen=rotated)
    how = dict(zip(made.silencer.fields, made.silencer.comparisons, strict=True))

    assert quieted(made.yaml, told) == set(rotated) == set(made.silenced)
    assert other in made.alerting
    assert (how["fd.name"], how["proc.cmdline"]) == ("pmatch", "startswith")
    assert "/etc/app/keys" in made.yaml
    assert [name for name, _ in made.left_out if name == "proc.name"] == ["proc.name"]


def test_nothing_is_drawn_over_what_is_kept(shadow):
    """A directory that also holds a kept alert's file is not taken."""
    alerts, told = load(*(at(shadow, n, **{"fd.name": f"/etc/app/{n}"}) for n in range(12)))
    *chosen, kept = told
    made = propose(alerts, SHADOW, chosen=chosen, keep=[kept])

    assert not made.yaml
    assert "11 combinations" in made.reason


@pytest.mark.parametrize(
    "value",
    ['sh -c "id"', "a, b)", "it's", "(x", "# no comment", "a: b", "- x", "\\d+ x", '\\"', "é", "'"],
)
def test_hostile_values_are_compared_as_they_are(shadow, value):
    """Quotes, backslashes, commas and brackets neither end a value nor the YAML."""
    alerts, told = load(
        at(shadow, 1, **{"proc.cmdline": value}), at(shadow, 2, **{"proc.cmdline": "other"})
    )
    first, _ = told
    for form in ("exceptions", "condition"):
        made = propose(alerts, SHADOW, chosen=[first], form=form)

        assert "proc.cmdline" in made.silencer.fields
        assert quieted(made.yaml, told) == {first}


@pytest.mark.parametrize("value", ["a\nb", "a\u202eb", "x\\", "a" * 201, "a\ufffd"])
def test_what_falco_cannot_hold_is_refused(shadow, value):
    """Such a value is never written; the field is left out, with the reason."""
    alerts, told = load(at(shadow, 1, **{"proc.cmdline": value}))
    made = propose(alerts, SHADOW, chosen=list(told))
    (why,) = [why for name, why in made.left_out if name == "proc.cmdline"]

    assert why.startswith("a value ")
    assert "proc.cmdline" not in made.yaml


RULES = f"""\
- list: backups
  items: [x]
- macro: user_known_read_sensitive_files_activities
  condition: (never_true)
- rule: {SHADOW}
  desc: d
  condition: open_read and not user_known_read_sensitive_files_activities
  output: o
  priority: INFO
- rule: Open or
  desc: d
  condition: a or b
  output: o
  priority: INFO
"""


@pytest.fixture(scope="module")
def rules(tmp_path_factory):
    """A user's rules: one with a macro for its users, one with an open `or`."""
    file = tmp_path_factory.mktemp("rules") / "base.yaml"
    file.write_text(RULES)
    return read_rules([file])[0]


def test_macro_of_the_rule_is_used(shadow, rules):
    """In the form of a condition, what the rule offers its users is appended to."""
    alerts, told = load(at(shadow, 1), at(shadow, 2, **{"proc.exepath": "/opt/x"}))
    first, _ = told
    made = propose(alerts, SHADOW, chosen=[first], form="condition", rules=rules)
    (item,) = yaml.safe_load(made.yaml)

    assert item["macro"] == "user_known_read_sensitive_files_activities"
    assert item["override"] == {"condition": "append"}
    assert item["condition"].startswith("or (")
    assert quieted(made.yaml, told) == {first}


def test_macro_of_two_rules_is_left_alone(shadow, tmp_path):
    """What another rule names as well would silence that rule's alerts, so the rule is changed."""
    file = tmp_path / "base.yaml"
    file.write_text(RULES.replace("a or b", "a and not user_known_read_sensitive_files_activities"))
    alerts, told = load(at(shadow, 1))
    rules, _ = read_rules([file])
    made = propose(alerts, SHADOW, chosen=list(told), form="condition", rules=rules)
    (item,) = yaml.safe_load(made.yaml)

    assert item["rule"] == SHADOW
    assert item["condition"].startswith("and not (")


def test_text_alerts_are_marked(shadow):
    """Fields that were read from rendered text are used, and it is said."""
    text = shadow["output"].encode() + b"\n"
    alerts = fa.identify(fa.read_alerts(text)[0])
    made = propose(alerts, SHADOW, chosen=list(alerts["alert_id"]))

    assert made.yaml
    assert any("rendered text" in note for note in made.notes)


def test_condition_is_not_appended_behind_an_open_or(shadow, rules):
    """`a or b and not (...)` would silence b only."""
    alerts, told = load(at(shadow, 1) | {"rule": "Open or"})
    ids = list(told)

    assert not propose(alerts, "Open or", chosen=ids, form="condition", rules=rules).yaml
    assert propose(alerts, "Open or", chosen=ids, rules=rules).yaml


def test_names_of_lists_are_refused(shadow, rules):
    """Falco replaces a list's name even inside quotes, where blanks or brackets surround it."""
    alerts, told = load(
        at(shadow, 1, **{"proc.cmdline": "tar backups /etc", "proc.name": "backups"})
    )
    made = propose(alerts, SHADOW, chosen=list(told), rules=rules)

    assert [name for name, why in made.left_out if "'backups'" in why] == ["proc.cmdline"]
    assert "proc.name" in made.silencer.fields


def test_calls_that_cannot_be_answered(noisy):
    """No such rule, alert, field or form: said, with what comes near."""
    alerts, _ = noisy
    with pytest.raises(TuningError, match="did you mean: Read sensitive file untrusted"):
        propose(alerts, "Read sensitive files untrusted")
    with pytest.raises(TuningError, match="a-none"):
        propose(alerts, SHADOW, chosen=["a-none"])
    with pytest.raises(TuningError, match=r"proc\.pid"):
        propose(alerts, SHADOW, fields=["proc.pid"])
    with pytest.raises(TuningError, match="form"):
        propose(alerts, SHADOW, form="x")


def test_fields_for_exceptions_are_falcos():
    """Each is a field of Falco's, and each says who gives it and what may hide behind it."""
    assert all(kind_of(name) for name in tunable_fields())
    assert {one.given_by for one in tunable_fields().values()} == {"kernel", "platform", "attacker"}
    assert not [
        name for name, one in tunable_fields().items() if one.anchor and one.given_by == "attacker"
    ]


VALUES = st.text(alphabet="ab \"'\\(),=[]#:-\n", max_size=8)
EVENTS = st.lists(
    st.fixed_dictionaries(
        {
            "proc.cmdline": VALUES,
            "proc.name": st.sampled_from(["cat", "cp"]),
            "fd.name": st.sampled_from(["/etc/a/b", "/etc/a/c", "/etc/shadow", None]),
            "proc.exepath": st.sampled_from(["/usr/bin/cat", "/opt/x y", "/tmp/cat", None]),
            "user.uid": st.sampled_from([0, 33]),
        }
    ),
    min_size=1,
    max_size=14,
)


@settings(max_examples=60)
@given(
    events=EVENTS,
    marks=st.lists(st.sampled_from("ck "), min_size=14, max_size=14),
    form=st.sampled_from(["exceptions", "condition"]),
)
def test_proposals_do_what_they_say(shadow, events, marks, form):
    """Never a kept alert; every chosen one, or it is said which not; the claim is the evaluation."""
    alerts, told = load(*(at(shadow, n, **event) for n, event in enumerate(events)))
    chosen = [name for name, mark in zip(told, marks, strict=False) if mark == "c"] or list(told)
    keep = {name for name, mark in zip(told, marks, strict=False) if mark == "k"}
    made = propose(alerts, SHADOW, chosen=chosen, keep=keep, form=form)
    quiet = quieted(made.yaml, told) if made.yaml else set()

    assert quiet == set(made.silenced)
    assert not quiet & keep
    assert set(made.silenced) | set(made.alerting) == set(told)
    if made.yaml:
        assert set(chosen) - quiet == {name for name, _ in made.missed}
        assert quiet
    else:
        assert made.reason


@given(st.text(max_size=40))
def test_literals_are_read_back(value):
    """What is not refused means itself in Falco's language."""
    if value and not refusal(value):
        assert falco.matches(f"proc.name = {literal(value)}", {"proc.name": value})


def test_tables_quote_safely(shadow):
    """Alert text in YAML and cells is escaped for a page."""
    alerts, told = load(at(shadow, 1, **{"proc.cmdline": "<script>x</script>"}))
    made = propose(alerts, SHADOW, chosen=list(told))
    shown = [tables.proposal(made), tables.silenced(made, alerts), tables.hideouts(made)]

    assert all("<script" not in one.html for one in shown)
    assert "&lt;script&gt;" in shown[0].html
    assert effect(made)["silenced"].tolist() == [True]
    assert "given by" in shown[2].text.lower()


def test_command_writes_the_file(noisy, tmp_path):
    """`tune` with --out: YAML in the file, what it does and costs on the terminal; 1 if none."""
    _, told = noisy
    out = tmp_path / "ours.yaml"
    ids = [f"--alert={name}" for name in list(told)[:6]]
    keep = [f"--keep={name}" for name in list(told)[6:]]
    call = ["tune", SHADOW, str(NOISY)]
    done = CliRunner().invoke(main, [*call, *ids, *keep, "--out", str(out)])
    none = CliRunner().invoke(main, [*call, *ids, *(f"--keep={name}" for name in told)])

    assert done.exit_code == 0, done.output
    assert quieted(out.read_text(), told) == set(list(told)[:6])
    assert "silences 6 of the rule's 8 alerts" in done.output
    assert "proc.cmdline = (given by: attacker) may hide: argv" in done.output
    assert none.exit_code == 1
    assert "no exception is proposed: all chosen alerts are to be kept" in none.output


def test_command_prints_json(noisy):
    """Every alert of the rule with what becomes of it."""
    _, told = noisy
    done = CliRunner().invoke(main, ["tune", SHADOW, str(NOISY), "--json"])
    made = json.loads(done.stdout)

    assert {one["alert_id"] for one in made["alerts"]} == set(told)
    assert quieted(made["yaml"], told) == {
        one["alert_id"] for one in made["alerts"] if one["silenced"]
    }


def test_what_it_rests_on_is_said(noisy):
    """The anchors with what they pin down, and which fields are free text."""
    alerts, _ = noisy
    made = propose(alerts, SHADOW)

    assert "It rests on proc.exepath (the path of the program file that ran);" in made.barrier
    assert made.barrier.endswith("proc.name, proc.pname, proc.aname[2], proc.cmdline")


def test_alerts_without_a_source_go_with_the_others(shadow):
    """Rendered text tells no source: the rule has but one."""
    other = at(shadow, 2)
    del other["source"]
    alerts, told = load(at(shadow, 1), other)

    assert len(propose(alerts, SHADOW, chosen=list(told)).silenced) == len(told)
