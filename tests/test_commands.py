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

import analysis as fa
from analysis import knowledge
from analysis.lint import programs
from analysis.quoting import Withheld, fill, placeholders

from .conftest import case_of

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
@settings(max_examples=25, suppress_health_check=list(HealthCheck))
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


def cloud_call(**fields: str) -> dict:
    """Return an alert of a call to AWS in region eu-west-1."""
    return {
        "output": "A trail was stopped",
        "output_fields": {"ct.region": "eu-west-1", "ct.request.name": "audit"} | fields,
        "priority": "Warning",
        "rule": "CloudTrail Logging Disabled",
        "source": "aws_cloudtrail",
        "tags": [],
        "time": "2025-09-04T15:33:20.123456789Z",
    }


def asked_for(case: fa.Case) -> list[str]:
    """Return whose events the commands ask CloudTrail for."""
    found = [
        re.search(r"AttributeKey=Username,AttributeValue=(\S+)", c.text) for c in case.commands
    ]
    return [one[1] for one in found if one]


def test_a_session_of_a_role_is_looked_up_by_its_own_name():
    """CloudTrail's Username is the session's name: the role's would find nothing."""
    arn = "arn:aws:sts::123456789012:assumed-role/web-node/i-0a1b2c3d4e5f60718"
    case = case_of(cloud_call(**{"ct.user": "web-node", "ct.user.arn": arn}))

    assert asked_for(case) == ['"${arn##*/}"']
    assert any(c.text.startswith(f"arn={arn};") for c in case.commands)


def test_the_arn_tells_the_kind_of_caller():
    """Without ct.user.identitytype, the ARN says whether to stop a user or a role."""
    arn = "arn:aws:iam::123456789012:user/ops/mara"
    case = case_of(cloud_call(**{"ct.user": "mara", "ct.user.arn": arn}))

    assert asked_for(case) == ["mara"]
    assert [c.text for c in case.commands if "AWSDenyAll" in c.text] == [
        "aws iam attach-user-policy --user-name mara --policy-arn arn:aws:iam::aws:policy/AWSDenyAll"
    ]


def test_root_is_looked_up_as_root():
    """A call of root has no ct.user; CloudTrail lists it as root. No policy stops it."""
    case = case_of(cloud_call(**{"ct.user.identitytype": "Root"}))

    assert asked_for(case) == ["root"]
    assert not [c for c in (*case.commands, *case.withheld) if "Stop the calling" in c.why]


def test_a_user_of_another_service_is_not_taken_for_one_of_iam():
    """The rule fires on any service's CreateUser: an IAM user of that name is somebody else's."""
    call = cloud_call(**{"ct.request.username": "upload"}) | {"rule": "Create AWS user"}
    of_transfer = case_of(
        call | {"output_fields": call["output_fields"] | {"ct.src": "transfer.amazonaws.com"}}
    )

    assert [c for c in case_of(call).commands if "--user-name upload" in c.text]
    assert not [c for c in of_transfer.commands if "--user-name upload" in c.text]


def test_okta_itself_is_not_suspended():
    """Where Okta acted, no account is there to be looked up, signed out or suspended."""
    alert = {
        "output": "A user was added",
        "output_fields": {"okta.actor.name": "Okta System", "okta.actor.Type": "SystemPrincipal"},
        "priority": "Notice",
        "rule": "Adding user in OKTA group",
        "source": "okta",
        "tags": [],
        "time": "2025-09-04T15:33:20.123456789Z",
    }
    shown = case_of(alert)
    of_a_user = case_of(alert | {"output_fields": {"okta.actor.name": "Mara Example"}})

    assert not [c for c in (*shown.commands, *shown.withheld) if "actor's" in c.why]
    assert [c for c in of_a_user.withheld if "actor's" in c.why]


def test_what_a_withheld_command_needs_is_asked_for():
    """A command that lacks a field is no dead end: the report says how the next alert brings it."""
    case = case_of(cloud_call(**{"ct.user": "mara"}))

    needed = {c.field for c in case.withheld}
    assert needed
    assert needed <= {gap.field for gap in case.gaps}


def test_no_package_is_asked_for_its_own_database():
    """Packages own no file of the package database, nor of a home: asking tells nothing."""
    alert = {
        "output": "File opened",
        "output_fields": {
            "container.id": "host",
            "evt.type": "openat",
            "fd.name": "/var/lib/rpm/rpmdb.sqlite",
            "proc.name": "sqlite3",
        },
        "priority": "Error",
        "rule": "Write below rpm database",
        "source": "syscall",
        "tags": [],
        "time": "2025-09-04T15:33:20.123456789Z",
    }

    assert not [c for c in case_of(alert).commands if "rpm -qf /var/lib" in c.text]
