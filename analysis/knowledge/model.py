"""The shapes of knowledge: playbook, check, command, field; and how a TOML table becomes one.

In: tables as tomllib reads them. Out: frozen dataclasses. An unknown key, a missing one or a
wrong value is a PlaybookError that names file, place and remedy.
"""

from __future__ import annotations

import re
from dataclasses import MISSING, dataclass, fields
from typing import TYPE_CHECKING, Any, TypeVar

from analysis.errors import PlaybookError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PHASES = ("preserve", "investigate", "contain", "eradicate", "recover", "harden", "tune")
"""Order of work, after NIST SP 800-61: evidence comes before containment destroys it."""

DISPOSITIONS = ("simulation", "known benign pattern", "needs review", "suspicious", "confirmed")
CONFIDENCES = ("low", "medium", "high")
SEVERITIES = ("informational", "low", "medium", "high", "critical")
TOPICS = ("event", "container", "process", "executable", "user", "object")
OPERATORS = (
    *("is", "is_not", "in", "not_in", "matches", "not_matches"),
    *("named", "not_named", "above", "below", "present"),
)
"""What a condition may ask; `named` asks by a pattern of names.toml."""
_OPPOSITES = {"is": "is_not", "in": "not_in", "matches": "not_matches", "named": "not_named"}

PLACEHOLDER = re.compile(r"\{([a-z][A-Za-z0-9_.]*(?:\[[A-Za-z0-9/_]+\])?)\}")
"""A field that a claim quotes, in braces."""

_Made = TypeVar("_Made")


@dataclass(frozen=True, slots=True)
class Condition:
    """One test over one field, or over one derived column."""

    field: str
    operator: str
    value: Any


@dataclass(frozen=True, slots=True)
class Check:
    """A claim; the alert supports it where all of `all` hold, one of `any`, none of `unless`."""

    claim: str
    topic: str
    all: tuple[Condition, ...] = ()
    any: tuple[Condition, ...] = ()
    unless: tuple[Condition, ...] = ()
    cites: tuple[str, ...] = ()
    confidence: str = "high"
    severity: str = "informational"
    techniques: tuple[str, ...] = ()
    leads_to: str = ""

    @property
    def named(self) -> list[str]:
        """The fields that the claim quotes; where one is missing, the claim cannot be made."""
        return PLACEHOLDER.findall(self.claim)


@dataclass(frozen=True, slots=True)
class Cause:
    """A benign cause: supported by `all` and `any`, excluded by one of `unless`, else unknown."""

    cause: str
    confirm: str
    all: tuple[Condition, ...] = ()
    any: tuple[Condition, ...] = ()
    unless: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True)
class Simulation:
    """A test action of event-generator's: what it does, and the exact shape it gives an alert."""

    action: str
    does: str
    all: tuple[Condition, ...]

    def check(self) -> Check:
        """Return the claim that an alert of this shape supports."""
        claim = (
            f"Consistent with a Falco event-generator simulation: the alert has the shape of"
            f" {self.action}, an action of the Falco project's own test tool, which {self.does}."
            " Names and arguments can be imitated; confirm with whoever ran it."
        )
        return Check(claim, "process", self.all, confidence="medium", leads_to="simulation")

    def cause(self) -> Cause:
        """Return the benign cause; the shape is exact, so what differs in one part excludes it."""
        return Cause(
            f"A test with Falco's event-generator (action {self.action}).",
            "Ask who ran it; the tool's other alerts come from the same place in the same minutes.",
            self.all,
            unless=tuple(
                Condition(part.field, _OPPOSITES[part.operator], part.value)
                for part in self.all
                if part.operator in _OPPOSITES
            ),
        )


@dataclass(frozen=True, slots=True)
class Command:
    """A command template with `{field}` placeholders, and when it applies; as a check's conditions."""

    phase: str
    why: str
    where: str
    shell: str
    all: tuple[Condition, ...] = ()
    any: tuple[Condition, ...] = ()
    unless: tuple[Condition, ...] = ()


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
class Tunable:
    """A field that an exception may name: who gives its value, and what hides behind it."""

    sources: tuple[str, ...]
    given_by: str
    hides: str
    anchor: str = ""
    only: str = ""
    draw: str = ""


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
    simulation: tuple[Simulation, ...] = ()
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
    """What a Falco field means: its heading, its legal form in a command, its kind if a number."""

    topic: str
    meaning: str
    legal: str = ""
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Join:
    """What makes two alerts of `sources` one story: equal `fields`, one equal value of `one_of`."""

    reason: str
    by: str
    fields: tuple[str, ...]
    sources: tuple[str, ...] = ("syscall",)
    one_of: tuple[str, ...] = ()
    telling: str = ""
    all: tuple[Condition, ...] = ()


_PARTS: dict[str, Callable[[Any, str], Any]] = {
    "all": lambda table, place: tuple(_condition(one, place) for one in table),
    "any": lambda table, place: tuple(_condition(one, place) for one in table),
    "unless": lambda table, place: tuple(_condition(one, place) for one in table),
    "deciding": lambda table, place: make_all(Deciding, table, place),
    "check": lambda table, place: make_all(Check, table, place),
    "simulation": lambda table, place: make_all(Simulation, table, place),
    "benign": lambda table, place: make_all(Cause, table, place),
    "step": lambda table, place: make_all(Step, table, place),
    "command": lambda table, place: make_all(Command, table, place),
    "advice": lambda table, place: make_all(Advice, table, place),
}
# what a table of a shared block is, told by the key that only its kind has
_KINDS: dict[str, tuple[str, type[Any]]] = {
    "claim": ("check", Check),
    "cause": ("benign", Cause),
    "question": ("step", Step),
    "shell": ("command", Command),
    "text": ("advice", Advice),
}
_ALLOWED: dict[str, tuple[str, ...]] = {
    "phase": PHASES,
    "confidence": CONFIDENCES,
    "severity": SEVERITIES,
    "topic": TOPICS,
    "kind": ("", "integer"),
    "leads_to": ("", *DISPOSITIONS),
    "given_by": ("kernel", "platform", "attacker"),
    "draw": ("", "pmatch", "startswith"),
}


def make_parts(tables: Any, place: str) -> dict[str, tuple[Any, ...]]:
    """Return the parts of a playbook that a shared block holds: checks, causes, commands ..."""
    parts: dict[str, tuple[Any, ...]] = {}
    for number, table in enumerate(tables, 1):
        known = next((_KINDS[key] for key in _KINDS if key in table), None)
        if known is None:
            remedy = f"give it one of {', '.join(_KINDS)}"
            raise PlaybookError(f"{place} {number}", "no telling what this is", remedy)
        part, kind = known
        parts[part] = (*parts.get(part, ()), make(kind, table, f"{place} {number}"))
    return parts


def make_all(kind: type[_Made], table: Any, place: str) -> tuple[_Made, ...]:
    """Return one `kind` for each table of a list; `place` says where the list stands."""
    return tuple(make(kind, one, f"{place} {number}") for number, one in enumerate(table, 1))


def make(kind: type[_Made], table: Mapping[str, Any], place: str) -> _Made:
    """Return a `kind` made of a table; raise PlaybookError, naming `place`, where it is wrong."""
    known = {field.name: field for field in fields(kind)}  # type: ignore[arg-type]
    if unknown := table.keys() - known.keys():
        raise PlaybookError(
            place, f"unknown key {min(unknown)!r}", f"use one of {', '.join(known)}"
        )
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
            # prose is wrapped in the file; a command's line breaks are its own
            values[key] = value.strip() if key == "shell" else " ".join(value.split())
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
    value = tuple(value) if isinstance(value, list) else value
    return Condition(table["field"], operators[0], value)
