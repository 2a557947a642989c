"""What the kit knows: field meanings, readings, playbooks, techniques; data files, loaded lazily.

Each TOML file is checked as it is loaded: an unknown key, a missing one or a wrong type is a
PlaybookError that names file, place and remedy. A condition is data (field, operator, value),
never an expression to evaluate. Deciding whether one holds is `conditions`' job, applying them
to an incident is `findings`'.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import MISSING, dataclass, fields
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, TypeVar

from analysis.errors import PlaybookError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from importlib.resources.abc import Traversable

PHASES = ("preserve", "investigate", "contain", "eradicate", "recover", "harden", "tune")
"""Order of work, after NIST SP 800-61: evidence comes before containment destroys it."""

DISPOSITIONS = ("simulation", "known benign pattern", "needs review", "suspicious", "confirmed")
CONFIDENCES = ("low", "medium", "high")
SEVERITIES = ("informational", "low", "medium", "high", "critical")
TOPICS = ("event", "container", "process", "executable", "user", "object")
OPERATORS = ("is", "is_not", "in", "not_in", "matches", "not_matches", "above", "below", "present")

_Made = TypeVar("_Made")


@dataclass(frozen=True, slots=True)
class Condition:
    """One test over one field, or over one derived column."""

    field: str
    operator: str
    value: Any


@dataclass(frozen=True, slots=True)
class Check:
    """A claim and the conditions under which the alert supports it."""

    claim: str
    topic: str
    all: tuple[Condition, ...] = ()
    any: tuple[Condition, ...] = ()
    cites: tuple[str, ...] = ()
    confidence: str = "high"
    severity: str = "informational"
    techniques: tuple[str, ...] = ()
    leads_to: str = ""


@dataclass(frozen=True, slots=True)
class Cause:
    """A benign cause of the alert; supported, excluded or unknown by its conditions."""

    cause: str
    confirm: str
    all: tuple[Condition, ...] = ()
    any: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True)
class Command:
    """A command template: `shell` holds `{field}` placeholders; `all` says when it applies."""

    phase: str
    why: str
    where: str
    shell: str
    all: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True)
class Advice:
    """A step that is no single command."""

    phase: str
    text: str


@dataclass(frozen=True, slots=True)
class Deciding:
    """A field that decides the case, and why."""

    field: str
    why: str


@dataclass(frozen=True, slots=True)
class Step:
    """An investigation step: the question, and how to answer it."""

    question: str
    how: str


@dataclass(frozen=True, slots=True)
class Playbook:
    """What a rule means and what to do about it."""

    meaning: str
    rule: str = ""
    source: str = ""
    limits: tuple[str, ...] = ()
    techniques: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    deciding: tuple[Deciding, ...] = ()
    check: tuple[Check, ...] = ()
    benign: tuple[Cause, ...] = ()
    step: tuple[Step, ...] = ()
    command: tuple[Command, ...] = ()
    advice: tuple[Advice, ...] = ()

    @property
    def generic(self) -> bool:
        """Whether this stands in for a rule that has no playbook of its own."""
        return not self.rule


@dataclass(frozen=True, slots=True)
class Field:
    """What a Falco field means, under which heading it is shown, and its legal form in a command."""

    topic: str
    meaning: str
    legal: str = ""


def playbook_for(rule: str, source: str) -> Playbook:
    """Return the playbook of a Falco rule; the source's generic one where there is none."""
    root = files(__package__) / "playbooks"
    own = root / f"{slug(rule)}.toml"
    if own.is_file():
        found = _playbook(own)
        if found.rule == rule:
            return found
    generic = root / f"generic-{slug(source or 'syscall')}.toml"
    return _playbook(generic if generic.is_file() else root / "generic.toml")


def load_playbooks() -> dict[str, Playbook]:
    """Return all playbooks by file name, without `.toml`."""
    root = files(__package__) / "playbooks"
    names = sorted(f.name for f in root.iterdir() if f.name.endswith(".toml"))
    return {name.removesuffix(".toml"): _playbook(root / name) for name in names}


@cache
def readings() -> tuple[Check, ...]:
    """Return the checks that hold for any alert, whatever its rule: `readings.toml`."""
    return _make_all(Check, _load("readings.toml")["check"], "readings.toml: check")


@cache
def identity_fields(source: str) -> tuple[Deciding, ...]:
    """Return the fields without which no alert of this event source can be tied to a process."""
    return _make_all(Deciding, _load("sources.toml").get(source, ()), f"sources.toml: {source}")


@cache
def known_fields() -> dict[str, Field]:
    """Return what is known of Falco's fields, by name: `fields.toml`."""
    table = _load("fields.toml")
    return {name: _make(Field, one, f"fields.toml: {name}") for name, one in table.items()}


@cache
def legal_patterns() -> dict[str, str]:
    """Return the legal form of each field that may stand in a command."""
    legal = {name: field.legal for name, field in known_fields().items() if field.legal}
    moment = r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d( UTC|Z)"
    return legal | dict.fromkeys(("window_start", "window_end", "window_from", "window_until"), moment)


@cache
def techniques() -> dict[str, str]:
    """Return the names of the ATT&CK techniques and tactics that the kit speaks of, by id."""
    return {str(key): str(name) for key, name in _load("attack.toml").items()}


@cache
def tools() -> dict[str, str]:
    """Return the programs that commands may call, each with the package that brings it."""
    return {str(key): str(name) for key, name in _load("tools.toml").items()}


def slug(name: str) -> str:
    """Return a file name for a rule: lower-case letters and digits, joined by dashes."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:100]


@cache
def _playbook(file: Traversable) -> Playbook:
    made = _make(Playbook, _toml(file), file.name)
    shared = _load("shared.toml")
    for name in made.include:
        if name not in shared:
            raise PlaybookError(file.name, f"include {name!r}", "name a block of shared.toml")
    blocks = [_make_all(Command, shared[name], f"shared.toml: {name}") for name in made.include]
    commands = made.command + tuple(command for block in blocks for command in block)
    ordered = sorted(commands, key=lambda command: PHASES.index(command.phase))
    values = {field.name: getattr(made, field.name) for field in fields(made)}
    return Playbook(**(values | {"command": tuple(ordered)}))


@cache
def _load(name: str) -> dict[str, Any]:
    return _toml(files(__package__) / name)


def _toml(file: Traversable) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise PlaybookError(file.name, str(error), "correct the TOML") from None


_PARTS: dict[str, Callable[[Any, str], Any]] = {
    "all": lambda table, place: tuple(_condition(one, place) for one in table),
    "any": lambda table, place: tuple(_condition(one, place) for one in table),
    "deciding": lambda table, place: _make_all(Deciding, table, place),
    "check": lambda table, place: _make_all(Check, table, place),
    "benign": lambda table, place: _make_all(Cause, table, place),
    "step": lambda table, place: _make_all(Step, table, place),
    "command": lambda table, place: _make_all(Command, table, place),
    "advice": lambda table, place: _make_all(Advice, table, place),
}
_ALLOWED: dict[str, tuple[str, ...]] = {
    "phase": PHASES,
    "confidence": CONFIDENCES,
    "severity": SEVERITIES,
    "topic": TOPICS,
    "leads_to": ("", *DISPOSITIONS),
}


def _make_all(kind: type[_Made], table: Any, place: str) -> tuple[_Made, ...]:
    return tuple(_make(kind, one, f"{place} {number}") for number, one in enumerate(table, 1))


def _make(kind: type[_Made], table: Mapping[str, Any], place: str) -> _Made:
    known = {field.name: field for field in fields(kind)}  # type: ignore[arg-type]
    if unknown := table.keys() - known.keys():
        raise PlaybookError(place, f"unknown key {min(unknown)!r}", f"use one of {', '.join(known)}")
    needed = [name for name, field in known.items() if field.default is MISSING]
    if lacking := [name for name in needed if not table.get(name)]:
        raise PlaybookError(place, f"no {lacking[0]}", "add it")
    values = {}
    for key, value in table.items():
        if key in _PARTS:
            values[key] = _PARTS[key](value, f"{place}: {key}")
        elif isinstance(value, list):
            values[key] = tuple(value)
        elif not isinstance(value, str):
            raise PlaybookError(place, f"{key} is no text", "write it in quotes")
        elif value not in _ALLOWED.get(key, (value,)):
            raise PlaybookError(place, f"{key} {value!r}", f"use one of {', '.join(_ALLOWED[key])}")
        else:
            values[key] = value.strip()
    return kind(**values)


def _condition(table: Mapping[str, Any], place: str) -> Condition:
    operators = [key for key in table if key != "field"]
    if "field" not in table or len(operators) != 1 or operators[0] not in OPERATORS:
        remedy = f"write field and one of {', '.join(OPERATORS)}"
        raise PlaybookError(place, f"condition {dict(table)}", remedy)
    value = table[operators[0]]
    if operators[0].endswith("matches"):
        try:
            re.compile(value)
        except re.error as error:
            raise PlaybookError(place, f"pattern {value!r}", str(error)) from None
    return Condition(table["field"], operators[0], value)
