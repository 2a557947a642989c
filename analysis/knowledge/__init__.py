"""What the kit knows: field meanings, readings, playbooks, techniques; data files, loaded lazily.

Each TOML file is checked as it is loaded (`model`). A condition is data (field, operator, value),
never an expression to evaluate: deciding whether one holds is `conditions`' job, applying them to
an incident is `findings`'.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from analysis.errors import PlaybookError
from analysis.knowledge.attack import attack_page, tactic_of, tactics, techniques, techniques_of
from analysis.knowledge.loading import load as _load
from analysis.knowledge.loading import toml as _toml
from analysis.knowledge.model import (
    PHASES,
    SEVERITIES,
    Cause,
    Check,
    Command,
    Condition,
    Deciding,
    Field,
    Join,
    Playbook,
    Tunable,
    make,
    make_all,
    make_parts,
)

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable
    from pathlib import Path

__all__ = [
    "PHASES",
    "SEVERITIES",
    "Cause",
    "Check",
    "Command",
    "Condition",
    "Deciding",
    "Field",
    "Join",
    "Playbook",
    "Tunable",
    "attack_page",
    "identity_fields",
    "joining",
    "joins",
    "known_fields",
    "legal_patterns",
    "load_playbooks",
    "names",
    "playbook_files",
    "playbook_for",
    "read_playbook",
    "readings",
    "slug",
    "source_of",
    "tactic_of",
    "tactics",
    "techniques",
    "techniques_of",
    "tools",
    "topic_of",
    "tunable_fields",
    "undrawable",
    "weights",
]


# where a field that fields.toml does not name belongs, by how its name starts
_TOPICS = {
    "container.": "container",
    "k8s.": "container",
    "k8smeta.": "container",
    "proc.is_exe_": "executable",
    "proc.exe_ino": "executable",
    "proc.": "process",
    "user.": "user",
    "group.": "user",
    "fd.": "object",
}


def playbook_for(rule: str, source: str, *, own: Path | None = None) -> Playbook:
    """Return the playbook of a Falco rule; the source's generic one where there is none.

    A playbook in the folder `own` comes before the one that ships.
    """
    if own and (book := _own(own).get((rule, source))):
        return book
    name, generic = slug(rule), f"generic-{slug(source)}"
    known = _shipped()
    if name in known and (_playbook(name).rule, _playbook(name).source) == (rule, source):
        return _playbook(name)
    return _playbook(generic if generic in known else "generic")


def source_of(rule: str) -> str:
    """Return the event source of the rule of this name that ships; `syscall` for any other.

    For alerts that tell none: rendered text, and JSON of Falco before 0.30.
    """
    name = slug(rule)
    book = _playbook(name) if name in _shipped() else None
    return book.source if book and book.rule == rule else "syscall"


def load_playbooks(*, own: Path | None = None) -> dict[str, Playbook]:
    """Return all playbooks by file name, without `.toml`; those of the folder `own` come first.

    Raises
    ------
    PlaybookError
        If a file is wrong, or there is no such folder.
    """
    books = {name: _playbook(name) for name in sorted(_shipped())}
    return books | {slug(rule): book for (rule, _), book in (_own(own) if own else {}).items()}


def playbook_files(folder: Path | None = None) -> list[Traversable]:
    """Return the playbook files of a folder, or those that ship, by name."""
    place: Traversable = folder or files(__package__) / "playbooks"
    if not place.is_dir():
        raise PlaybookError(str(place), "no such folder", "name a folder of playbooks (TOML)")
    found = [file for file in place.iterdir() if file.name.endswith(".toml")]
    if not found:
        raise PlaybookError(str(place), "no playbook in it", "name a folder of playbooks (TOML)")
    return sorted(found, key=lambda file: file.name)


def read_playbook(file: Traversable) -> Playbook:
    """Return the playbook in a file, with the blocks of shared.toml that it includes."""
    made = make(Playbook, _toml(file), file.name)
    shared = _load("shared.toml")
    for block in made.include:
        if block not in shared:
            raise PlaybookError(file.name, f"include {block!r}", "name a block of shared.toml")
        for part, tables in make_parts(shared[block], f"shared.toml: {block}").items():
            made = replace(made, **{part: getattr(made, part) + tables})
    return replace(
        made,
        check=made.check + tuple(one.check() for one in made.simulation),
        benign=made.benign + tuple(one.cause() for one in made.simulation),
        command=tuple(sorted(made.command, key=lambda command: PHASES.index(command.phase))),
    )


@cache
def readings() -> tuple[Check, ...]:
    """Return the checks that hold for any alert, whatever its rule: `readings.toml`."""
    return make_all(Check, _load("readings.toml")["check"], "readings.toml: check")


@cache
def identity_fields(source: str) -> tuple[Deciding, ...]:
    """Return the fields without which no alert of this event source can be tied to a process."""
    return make_all(Deciding, _load("sources.toml").get(source, ()), f"sources.toml: {source}")


@cache
def names() -> dict[str, str]:
    """Return the patterns of program names, by kind of program: `names.toml`."""
    return {str(key): str(pattern) for key, pattern in _load("names.toml").items()}


@cache
def known_fields() -> dict[str, Field]:
    """Return what is known of Falco's fields, by name: `fields.toml`."""
    table = _load("fields.toml")
    return {name: make(Field, one, f"fields.toml: {name}") for name, one in table.items()}


def topic_of(name: str, event_type: object) -> str:
    """Return the heading under which a field is shown; the event's type decides for its flags."""
    if name == "evt.arg.flags" and event_type not in ("execve", "execveat", None):
        return "event"
    known = known_fields().get(name)
    if known:
        return known.topic
    return next((topic for start, topic in _TOPICS.items() if name.startswith(start)), "event")


@cache
def legal_patterns() -> dict[str, str]:
    """Return the legal form of each field that may stand in a command."""
    legal = {name: field.legal for name, field in known_fields().items() if field.legal}
    moment = r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d( UTC|Z)"
    return legal | dict.fromkeys(
        ("window_start", "window_end", "window_from", "window_until"), moment
    )


@cache
def joins() -> tuple[Join, ...]:
    """Return what makes two alerts one story, the strongest first: `joins.toml`."""
    return make_all(Join, joining()["join"], "joins.toml: join")


@cache
def joining() -> dict[str, Any]:
    """Return the tables of `joins.toml`: values that join nothing, lineage, fields of users."""
    return _load("joins.toml")


@cache
def weights() -> dict[str, Any]:
    """Return the triage weights, each with its reason: `weights.toml`."""
    return _load("weights.toml")


@cache
def tunable_fields() -> dict[str, Tunable]:
    """Return the fields that a Falco exception may name, in this order: `tuning.toml`."""
    table = _load("tuning.toml")["field"]
    return {name: make(Tunable, one, f"tuning.toml: {name}") for name, one in table.items()}


def undrawable() -> tuple[str, ...]:
    """Return the directories over which no comparison is drawn: `tuning.toml`."""
    return tuple(_load("tuning.toml")["draw"]["never_below"])


@cache
def tools() -> dict[str, str]:
    """Return the programs that commands may call, each with the package that brings it."""
    return {str(key): str(name) for key, name in _load("tools.toml").items()}


def slug(name: str) -> str:
    """Return a file name for a rule: lower-case letters and digits, joined by dashes.

    A name without any of them (of another script) is named by its digest, so that two differ.
    """
    made = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:100].strip("-")
    return made or f"rule-{hashlib.sha256(name.encode('utf-8', 'replace')).hexdigest()[:8]}"


@cache
def _shipped() -> dict[str, Traversable]:
    return {file.name.removesuffix(".toml"): file for file in playbook_files()}


@cache
def _playbook(name: str) -> Playbook:
    return read_playbook(_shipped()[name])


@cache
def _own(folder: Path) -> dict[tuple[str, str], Playbook]:
    books = [read_playbook(file) for file in playbook_files(folder)]
    return {(book.rule, book.source): book for book in books if not book.generic}
