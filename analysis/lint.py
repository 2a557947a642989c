"""Lint playbooks: what is wrong with one, where, and what to do about it.

In: a folder of playbooks (TOML), or those that ship. Out: problems. `knowledge.model` refuses what
has no playbook's shape; this module finds what has the shape and cannot work: a field that Falco
does not know, a command whose program nobody lists, a claim that no condition carries.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from analysis import knowledge
from analysis.errors import PlaybookError
from analysis.evidence import ENVELOPE_FIELDS
from analysis.features import DERIVED
from analysis.intake import kind_of
from analysis.lineage import field_level
from analysis.quoting import placeholders

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from analysis.knowledge import Cause, Check, Command, Condition, Playbook

# shell words that start a command: what follows them must be a real program
_STARTS = re.compile(
    r"(?:^|[|;&(]\s*|\bdo\s+|\bif\s+|\$\()\s*([a-z][a-z0-9_-]*)(?=[\s;|&)]|$)", re.MULTILINE
)
_SHELL_WORDS = frozenset(
    {"while", "do", "done", "for", "in", "if", "then", "else", "fi", "case", "esac", "read"}
    | {"command", "kill", "test", "printf", "echo", "export", "cd", "set", "umask", "true", "exit"}
)
_DOCUMENT = re.compile(r"<<'(\w+)'.*?^\1", re.DOTALL | re.MULTILINE)
_SINGLE, _DOUBLE = re.compile(r"'[^']*'"), re.compile(r'"[^"]*"')


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, where, and what to do."""

    file: str
    place: str
    problem: str
    remedy: str

    def __str__(self) -> str:
        """Return it as one line."""
        return f"{self.file}: {self.place}: {self.problem}; {self.remedy}"


def lint(folder: Path | None = None) -> list[Problem]:
    """Return what is wrong with the playbooks of a folder, or with those that ship.

    Parameters
    ----------
    folder : Path, optional
        A folder of TOML files, one per rule.

    Raises
    ------
    PlaybookError
        If there is no such folder, or no playbook in it.
    """
    found: list[Problem] = []
    for file in knowledge.playbook_files(folder):
        try:
            book = knowledge.read_playbook(file)
        except PlaybookError as error:
            # a part's place stands behind the file's name
            place = error.file.removeprefix(file.name).removeprefix(": ") or "file"
            found.append(Problem(file.name, place, error.place, error.remedy))
            continue
        found += (Problem(file.name, *one) for one in _problems(book, file.name))
    if folder is None:
        for number, check in enumerate(knowledge.readings(), 1):
            found += (Problem("readings.toml", *one) for one in _check(f"check {number}", check))
    return found


def _problems(book: Playbook, file_name: str) -> Iterator[tuple[str, str, str]]:
    if not book.generic:
        if file_name != (name := f"{knowledge.slug(book.rule)}.toml"):
            yield "rule", f"the file is named {file_name!r}", f"name it {name}"
        if not book.source:
            yield "source", "no event source", "write source = 'syscall', or the plugin's source"
        for part in ("deciding", "check", "benign", "step", "advice"):
            if not getattr(book, part):
                yield part, "there is none", f"a playbook of a rule has at least one [[{part}]]"
    yield from _techniques(book)
    for number, deciding in enumerate(book.deciding, 1):
        yield from _field(f"deciding {number}", deciding.field)
    for number, check in enumerate(book.check, 1):
        yield from _check(f"check {number}", check)
    for number, cause in enumerate(book.benign, 1):
        yield from _conditions(f"benign {number}", cause)
    for number, command in enumerate(book.command, 1):
        yield from _command(f"command {number}", command)


def _techniques(book: Playbook) -> Iterator[tuple[str, str, str]]:
    named = [*book.techniques, *(t for check in book.check for t in check.techniques)]
    for technique in dict.fromkeys(named):
        if technique not in knowledge.techniques():
            remedy = "use an id of ATT&CK Enterprise that attack.toml names"
            yield "techniques", f"{technique!r} is unknown", remedy


def _field(place: str, name: str) -> Iterator[tuple[str, str, str]]:
    derived = name in DERIVED or name in ENVELOPE_FIELDS or field_level(name)
    if not (derived or name in knowledge.known_fields() or kind_of(name)):
        remedy = "correct it: a misspelt field is unknown for ever"
        yield place, f"{name!r} is no field of Falco's", remedy


def _check(place: str, check: Check) -> Iterator[tuple[str, str, str]]:
    yield from _conditions(place, check)
    if not (check.all or check.any):
        yield place, "no condition: it would be claimed of every alert", "add all or any"
    for name in check.named:
        yield from _field(place, name)
    # a claim is dropped where a value it names is missing: fine, but it must be able to hold at all
    for condition in (*check.all, *check.any):
        if (
            condition.operator == "present"
            and not condition.value
            and condition.field in check.named
        ):
            yield place, f"the claim names {condition.field}, which must be absent", "leave it out"


def _conditions(place: str, part: Check | Cause | Command) -> Iterator[tuple[str, str, str]]:
    for condition in _all_of(part):
        yield from _field(place, condition.field)
        if (
            condition.operator in ("named", "not_named")
            and condition.value not in knowledge.names()
        ):
            remedy = f"use one of {', '.join(knowledge.names())}"
            yield place, f"{condition.value!r} is no kind of program", remedy
        if condition.operator in ("matches", "not_matches") and _end_is_open(condition.value):
            yield place, f"{condition.value!r} ends with $", r"write \Z: $ lets a line end follow"


def _all_of(part: Check | Cause | Command) -> tuple[Condition, ...]:
    return (*part.all, *part.any, *part.unless)


def _end_is_open(pattern: str) -> bool:
    return pattern.endswith("$") and not pattern.endswith("\\$")


def _command(place: str, command: Command) -> Iterator[tuple[str, str, str]]:
    yield from _conditions(place, command)
    names = placeholders(command.shell)
    for name in names:
        if name not in knowledge.legal_patterns():
            remedy = f"give {name} a `legal` form in fields.toml, or leave it out"
            yield place, f"{{{name}}} has no legal form", remedy
    outside = _DOUBLE.sub("", _SINGLE.sub("", _DOCUMENT.sub("", command.shell)))
    if placeholders(outside) != names:
        yield place, "a placeholder stands in quotes", "take the quotes off: values come quoted"
    for program in sorted(programs(command.shell) - knowledge.tools().keys()):
        yield place, f"{program!r} is no listed program", "name one that tools.toml lists"
    if said := shell_error(
        re.sub("|".join(re.escape(f"{{{n}}}") for n in names) or r"(?!)", "word", command.shell)
    ):
        yield place, f"bash: {said}", "correct the command"


def programs(shell: str) -> set[str]:
    """Return the programs that a command calls, as far as they stand in plain sight."""
    bare = _SINGLE.sub("''", _DOCUMENT.sub("", shell))
    bare = _DOUBLE.sub(lambda m: m[0].strip('"') if "$(" in m[0] else "''", bare)
    return set(_STARTS.findall(bare)) - _SHELL_WORDS


@cache
def shell_error(text: str) -> str:
    """Return what bash says of a command's syntax; nothing is run. Empty if it parses."""
    bash = shutil.which("bash")
    if bash is None:  # nothing to ask
        return ""
    done = subprocess.run(  # noqa: S603 - -n parses and runs nothing
        [bash, "-n", "-c", text], capture_output=True, check=False, text=True, timeout=10
    )
    return "" if done.returncode == 0 else done.stderr.strip().splitlines()[0]
