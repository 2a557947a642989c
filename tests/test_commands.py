"""Commands as an analyst would paste them: filled from alerts, hostile ones among them."""

from __future__ import annotations

import random
import re
import shlex
import shutil
import subprocess

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st

from analysis import knowledge
from analysis.lint import programs
from analysis.quoting import Withheld, fill, placeholders

LEGAL = knowledge.legal_patterns()
COMMANDS = sorted({c.shell for book in knowledge.load_playbooks().values() for c in book.command})
HOSTILE = (
    *("$(id)", "`id`", "; id", "| id", "&& id", "'; id; '", '"; id; "', "--help", "-rf", "a b"),
    *("a\nid", "\x1b[31m", "../../etc/passwd", "a'b", "$HOME", "*", "~", "\u202eabc", "%s", "{x}"),
)
# about style, or about words that a person is meant to see as they stand
_ALLOWED = "SC2016,SC2009,SC2012,SC2002,SC2010"


@st.composite
def values(draw: st.DrawFn, names: tuple[str, ...]) -> dict[str, str]:
    """Return a legal value for each field."""
    return {
        name: draw(st.from_regex(re.compile(LEGAL[name]), fullmatch=True).filter(str.isprintable))
        for name in names
    }


def filled(shell: str, chance: random.Random) -> str | None:
    """Return a command filled with values that are hostile wherever they are legal."""
    known = {}
    for name in placeholders(shell):
        value = chance.choice(HOSTILE)
        known[name] = value if re.fullmatch(LEGAL[name], value) else SAMPLES[name]
    text = fill(shell, known, LEGAL)
    return text if isinstance(text, str) else None


def sample(pattern: str) -> str:
    """Return one legal value."""
    legal = st.from_regex(re.compile(pattern), fullmatch=True).filter(str.isprintable)
    quick = settings(phases=[Phase.generate], database=None, derandomize=True)
    return find(legal, bool, settings=quick)


SAMPLES = {name: sample(LEGAL[name]) for c in COMMANDS for name in placeholders(c)}


@pytest.mark.parametrize("name", sorted(SAMPLES))
@given(data=st.data())
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_legal_value_stays_one_word(name, data):
    """Whatever a legal value is, a shell reads it as one word, never as an option, the value itself."""
    value = data.draw(values((name,)))[name]

    text = fill(f"x {{{name}}}", {name: value}, LEGAL)

    assert isinstance(text, str)
    assert shlex.split(text) == ["x", value]
    assert not value.startswith("-")


@pytest.mark.parametrize("name", sorted(SAMPLES))
@pytest.mark.parametrize("value", HOSTILE)
def test_a_hostile_value_is_withheld_or_harmless(name, value):
    """Text that a shell would act on is not put into a command, or is one quoted word."""
    text = fill(f"x {{{name}}}", {name: value}, LEGAL)

    assert isinstance(text, Withheld) or shlex.split(text) == ["x", value]


@pytest.mark.parametrize("seed", range(3))
def test_filled_commands_parse(seed):
    """bash accepts every command of every playbook, filled."""
    chance = random.Random(seed)
    script = "\n".join(text for c in COMMANDS if (text := filled(c, chance)))

    done = subprocess.run(["bash", "-n"], input=script.encode(), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()


def test_filled_commands_pass_shellcheck():
    """shellcheck finds no fault in any command, filled."""
    if not shutil.which("shellcheck"):
        pytest.skip("shellcheck is not here (Debian package shellcheck)")
    parts = [text for c in COMMANDS if (text := filled(c, random.Random(1)))]
    script = "#!/bin/bash\n" + "\n".join(f"(\n{text}\n)" for text in parts)

    done = subprocess.run(
        ["shellcheck", "--shell=bash", "--severity=warning", f"--exclude={_ALLOWED}", "-"],
        input=script, capture_output=True, check=False, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("shell", COMMANDS)
def test_programs_are_found(shell):
    """Each command calls a program that a list names with the package that brings it."""
    assert programs(shell)
    assert programs(shell) <= knowledge.tools().keys()


@pytest.mark.parametrize("seed", range(3))
def test_bash_itself_reads_each_value_as_one_argument(seed):
    """bash hands each filled word back as it was; the words alone are given to it, no command."""
    chance = random.Random(seed)
    known = {}
    for name, sample_value in SAMPLES.items():
        legal = [value for value in HOSTILE if re.fullmatch(LEGAL[name], value)]
        value = chance.choice([*legal, sample_value])
        if isinstance(text := fill(f"{{{name}}}", {name: value}, LEGAL), str):
            known[value] = text
    script = f"set -- {' '.join(known.values())}; printf '%s\\0' \"$@\""

    done = subprocess.run(["bash", "-c", script], capture_output=True, check=True)
    assert done.stdout.decode().split("\0")[:-1] == list(known)
