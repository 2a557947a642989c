"""Hidden characters: written out wherever text is shown, and a finding that cites the field."""

from __future__ import annotations

import sys
import unicodedata

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import analysis as fa
from analysis.characters import KINDS, SUSPECT, characters_in, is_plain, write_out
from analysis.hidden import COLUMNS, find_hidden

from .conftest import case_of, lines, story

WORDS = {
    "override": "reorder|turn its order",
    "direction": "steer the direction",
    "escape": "a terminal obeys",
    "control": "control characters",
    "invisible": "show nothing at all",
    "blank": "blanks other than",
    "lookalike": "look like others",
}


@pytest.mark.parametrize(
    ("text", "kind", "shown"),
    [
        ("invoice\u202egpj.sh", "override", "invoice⟨U+202E⟩gpj.sh"),
        ("a\u2066b\u2069", "direction", "a⟨U+2066⟩b⟨U+2069⟩"),
        ("\x1b[2K\x1b[1Gls", "escape", "⟨ESC⟩[2K⟨ESC⟩[1Gls"),
        ("\x9b31m", "escape", "⟨U+009B⟩31m"),
        ("rm -rf /\rls", "control", "rm -rf /⟨CR⟩ls"),
        ("a\x08b", "control", "a⟨U+0008⟩b"),
        ("a\u2028b", "control", "a⟨U+2028⟩b"),
        ("ro\u200bot", "invisible", "ro⟨U+200B⟩ot"),
        ("ro\u200dot", "invisible", "ro⟨U+200D⟩ot"),
        ("nginx\u3164", "invisible", "nginx⟨U+3164⟩"),
        ("nginx\u2800", "invisible", "nginx⟨U+2800⟩"),
        ("x\U000e0041", "invisible", "x⟨U+E0041⟩"),
        ("a\u034fb", "invisible", "a⟨U+034F⟩b"),
        ("ls\u00a0-l", "blank", "ls⟨U+00A0⟩-l"),
        ("p\u0430ypal", "lookalike", "p⟨U+0430⟩ypal"),
        ("\u0441\u043erp", "lookalike", "⟨U+0441⟩⟨U+043E⟩rp"),
        ("etc\u2215shadow", "lookalike", "etc⟨U+2215⟩shadow"),
        ("\uff42ash", "lookalike", "⟨U+FF42⟩ash"),
        ("\U0001d42bm", "lookalike", "⟨U+1D42B⟩m"),
    ],
)
def test_what_hides_is_named_and_written_out(text, kind, shown):
    """Each kind, by an example as attackers use it."""
    assert write_out(text) == shown
    assert list(characters_in(text)) == [kind]
    assert all(name.startswith("U+") for name in characters_in(text)[kind])


@pytest.mark.parametrize(
    "text",
    [
        "plain ASCII: {}$`'\"<>&|\\",
        "sh -c 'set -e\n\tls'",
        "line\r\nline",
        "файл и папка",
        "Ελληνικά",
        "配置文件\uff0ccurl",
        "Müller é ñ ß ø kap\u0131y\u0131",
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
        "👩\u200d💻 ❤\ufe0f done",
        "COM-порт",
        "10 µs",
    ],
)
def test_other_scripts_are_no_disguise(text):
    """A word in one script is a word, whatever the script; line breaks and tabs are layout."""
    assert characters_in(text) == {}


@given(st.text(st.characters(exclude_categories=["Cn"])))
def test_nothing_written_out_hides(text):
    """What was written out is plain, says so, and stays as it is when written out again."""
    shown = write_out(text)

    assert is_plain(shown)
    assert write_out(shown) == shown


def test_every_ignorable_character_is_seen():
    """No character of Unicode that shows nothing by itself passes as plain text."""
    marks = [
        chr(c) for c in range(sys.maxunicode + 1) if unicodedata.category(chr(c)) in ("Cf", "Cc")
    ]

    assert [c for c in marks if is_plain(f"a{c}b")] == []
    seen = [c for c in marks if c not in "\n\t" and not characters_in(f"a{c}b")]
    # Arabic and Kaithi number signs, Egyptian layout: visible, or part of their script
    assert {unicodedata.name(c).split()[0] for c in seen} <= {
        *("ARABIC", "SYRIAC", "KAITHI", "EGYPTIAN", "SHORTHAND"),
    }


@given(st.text())
def test_the_quick_look_misses_nothing(text):
    """A column is searched by SUSPECT alone; what it passes over holds nothing."""
    series = pd.Series([text], dtype="str")

    if characters_in(text):
        assert series.str.contains(SUSPECT, regex=True).iloc[0]


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("override", "a\u202eb"),
        ("direction", "a\u200fb"),
        ("escape", "a\x1b[8mb"),
        ("control", "a\x07b"),
        ("invisible", "a\u2060b"),
        ("blank", "a\u2003b"),
        ("lookalike", "b\u0430sh"),
    ],
)
@pytest.mark.parametrize("field", ["proc.cmdline", "user.name", "container.name", "my.own_field"])
def test_a_finding_cites_field_and_value(memfd, kind, text, field):
    """`… holds hidden characters`: which, in which field, and the value as the record holds it."""
    found = [
        finding
        for finding in case_of(story(memfd, **{field: text})).findings
        if finding.claim.startswith("The alert's text holds")
    ]

    assert len(found) == 1
    assert f"({field}: U+" in found[0].claim
    assert any(word in found[0].claim for word in WORDS[kind].split("|"))
    assert [(e.field, e.value) for e in found[0].evidence] == [(field, text)]
    assert is_plain(found[0].claim)


def test_several_fields_are_one_finding(memfd):
    """Each field is named with its own characters, and cited."""
    odd = story(memfd, **{"proc.cmdline": "a\u202eb", "fd.name": "\u202ec"}) | {
        "hostname": "n\u202e"
    }
    (found,) = [f for f in case_of(odd).findings if "turn its order" in f.claim]

    assert {e.field for e in found.evidence} == {"hostname", "proc.cmdline", "fd.name"}


def test_the_stock_alert_hides_nothing(memfd, shell, shadow):
    """Without such a character there is no such finding."""
    for alert in (memfd, shell, shadow):
        assert "alert's text holds" not in "".join(f.claim for f in case_of(alert).findings)


def test_an_explanation_does_not_hold_for_text_that_hides(memfd):
    """The test tool's exact shape, but for a zero-width space somewhere: a person has to look."""
    assert case_of(memfd).disposition == "simulation"
    odd = story(memfd, **{"container.name": "exa\u200bmple"})
    assert case_of(odd).disposition == "needs review"


def test_an_override_is_suspicious(memfd):
    """No script needs one: it is there to deceive."""
    case = case_of(story(memfd, **{"proc.cmdline": "3 run helper.DoNothing\u202e"}))

    assert case.disposition == "suspicious"
    assert "T1036.002" in {t for reason in case.reasons for t in reason.techniques}


def test_a_custom_field_poses_as_no_other(memfd):
    """A custom field that bears an envelope key's name is not cited in its place."""
    odd = story(memfd, rule="a\u202eb", own="a\u202eb")
    (found,) = [f for f in case_of(odd).findings if "turn its order" in f.claim]

    assert [(e.field, e.value) for e in found.evidence] == [("own", "a\u202eb")]


def test_columns(memfd):
    """Per kind a column, tuples where there is something, missing where there is nothing."""
    alerts, _ = fa.read_alerts(lines(memfd, story(memfd, **{"proc.aname": ["a\u200b", "b"]})))
    found = find_hidden(alerts)

    assert list(found) == [COLUMNS[kind] for kind in KINDS]
    assert found["invisible_characters"].tolist() == [
        None,
        ("proc.aname: U+200B ZERO WIDTH SPACE",),
    ]
    assert found.drop(columns="invisible_characters").isna().all(axis=None)
