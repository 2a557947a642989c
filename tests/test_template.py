"""Own output formats: a text rendered by one gives its fields back, or says which it cannot."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import analysis as fa
from analysis.intake.kinds import INTEGERS, NA, kind_of, shape_of
from analysis.intake.output_text import read_text_alert, recover
from analysis.intake.template import templates

from .test_output_text import FREE, WORD
from .tools.measure_recovery import rendered


@dataclass
class Own:
    """What a rules file says of a rule, as far as texts go."""

    output: str
    source: str = "syscall"


FORMATS = {
    "Old style": "Seen (user=%user.name shell=%proc.name cmd=%proc.cmdline tty=%proc.tty)",
    "New style": "Seen | who=%user.name what=%proc.cmdline where=%container.name id=%container.id",
    "Prose": "%user.name ran %proc.cmdline, below %proc.pname; image %container.image.repository:%container.image.tag.",
    "Commas": "Seen [uid=%user.uid, cmd='%proc.cmdline', file=%fd.name]",
    "Side by side": "Seen %proc.name%proc.cmdline (type=%evt.type)",
    "Number last": "Seen cmd=%proc.cmdline pid=%proc.pid",
    "Free last": "Seen %evt.type | cmd=%proc.cmdline",
    # shipped, with another output: the shipped labels would say `fd.name`
    "Read sensitive file untrusted": "Sensitive file (file=%fs.path.name command=%proc.exeline)",
}
RULES = {name: Own(output) for name, output in FORMATS.items()}
MADE = templates(RULES)
TAIL = " container_id=abc container_name=web"


def names_of(rule):
    """Return the fields of a format, in order."""
    return MADE[rule].fields


def values_of(name):
    """Return a strategy for rendered values of a field."""
    if kind_of(name) in INTEGERS:
        return st.integers(-1, 2**63).map(str)
    return st.just(NA) | (WORD if shape_of(name) else FREE)


@st.composite
def rendered_texts(draw):
    """Return a rule, the rendered value of each field, and the text."""
    rule = draw(st.sampled_from(sorted(MADE)))
    values = {name: draw(values_of(name)) for name in names_of(rule)}
    text = RULES[rule].output
    for name in sorted(values, key=len, reverse=True):
        text = text.replace(f"%{name}", f"\0{name}\0")
    for name, value in values.items():
        text = text.replace(f"\0{name}\0", value.replace("\0", ""))
    return rule, values, text + draw(st.sampled_from(["", "", TAIL, " extra=1"]))


def test_all_formats_are_followed():
    """Each format above is one that the kit can read."""
    assert MADE.keys() == RULES.keys()


@settings(max_examples=1500)
@given(rendered_texts())
def test_never_a_wrong_split(made):
    """Each field is what was rendered, or said to be ambiguous."""
    rule, values, text = made
    found = recover(text, rule, "syscall", MADE)

    for name, value in values.items():
        if name in found.fields:
            got = found.fields[name]
            assert rendered(got) == value.replace("\0", ""), (name, text)
        else:
            assert name in found.ambiguous, (name, text)


@pytest.mark.parametrize("rule", sorted(FORMATS))
def test_plain_values_come_back(rule):
    """Values without the format's own words in them come back, through the loader."""
    values = {n: "7" if kind_of(n) in INTEGERS else f"v{i}" for i, n in enumerate(names_of(rule))}
    text = RULES[rule].output
    for name in sorted(values, key=len, reverse=True):
        text = text.replace(f"%{name}", values[name])
    alert = {
        "rule": rule,
        "priority": "Notice",
        "time": "2026-01-02T03:04:05Z",
        "source": "syscall",
    }
    alert["output"] = f"03:04:05.000000000: Notice {text}"
    alerts, rejects = fa.read_alerts(json.dumps(alert).encode(), rules=RULES)

    assert rejects.empty
    side_by_side = ("proc.name", "proc.cmdline") if rule == "Side by side" else ()
    for name in set(values) - set(side_by_side):
        assert str(alerts[name].iloc[0]) == values[name], name
    assert set(side_by_side) <= set(alerts["ambiguous"].iloc[0] or ())


def test_the_other_style_of_an_own_rule():
    """A sensor of another age renders the same labels behind a bar, or in parentheses."""
    found = recover("Seen | user=root shell=sh cmd=ls tty=0", "Old style", "syscall", MADE)

    assert found.fields == {
        "user.name": "root",
        "proc.name": "sh",
        "proc.cmdline": "ls",
        "proc.tty": 0,
    }


def test_another_source_is_another_rule():
    """Two rules may have one name, for two event sources."""
    text = "Sensitive file (file=/a command=b)"

    assert recover(text, "Read sensitive file untrusted", "syscall", MADE).fields == {
        "fs.path.name": "/a",
        "proc.exeline": "b",
    }
    found = recover(text, "Read sensitive file untrusted", "k8s_audit", MADE)
    assert "fs.path.name" not in found.fields


def test_a_value_that_holds_a_known_label_is_in_doubt():
    """The sensor may run a version of the rule that prints more."""
    found = recover("Seen (user=root user_uid=0 shell=a cmd=b tty=0)", "Old style", None, MADE)

    assert "user.name" in found.ambiguous
    assert found.fields["proc.cmdline"] == "b"


@pytest.mark.parametrize(
    "output", ["100% sure", "%30proc.name", "%", "%proc.name", "a %toupper(b(%c)) %", "%user.name("]
)
def test_what_is_no_format_reads_nothing_wrong(output):
    """A format that the kit cannot follow is left alone; none stops the reading."""
    made = templates({"R": Own(output)})
    found = recover("a text user=root", "R", "syscall", made)

    assert not found.fields


def test_a_changed_field_is_not_the_field():
    """`%toupper(proc.name)` prints no value of proc.name."""
    made = templates({"R": Own("Seen name=%toupper(proc.name) cmd=%proc.cmdline")})
    found = recover("Seen name=SH cmd=ls", "R", "syscall", made)

    assert found.fields == {"proc.cmdline": "ls"}
    assert found.ambiguous == ("proc.name",)


def test_a_line_of_text_is_of_the_rule_whose_format_fits():
    """One own rule alone: else the rule stays unnamed."""
    line = "10:00:00.000000000: Notice Mine (who=root)"
    one = templates({"A": Own("Mine (who=%user.name)")})
    two = one | templates({"B": Own("Mine (who=%proc.name)")})

    assert read_text_alert(line, one).alert["rule"] == "A"
    assert read_text_alert(line, one).alert["output_fields"] == {"user.name": "root"}
    assert read_text_alert(line, two).alert["rule"] is None
    assert read_text_alert(line).alert["rule"] is None
