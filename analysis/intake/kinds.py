"""What fields and labels are called, of which kind, and what a rendered value is worth.

In: a field name as Falco writes it, with or without an argument (`proc.aname[2]`), or a label of
a rendered output. Out: its kind, one of int, uint, bool, float, abstime, reltime, list, string;
the label's field; a rule's format. Data: kinds.csv (libs' field tables), formats.json (upstream
rules), labels.toml (their labels, and those of older rules). `abstime` is ns since the epoch,
`reltime` ns; where the declared type misleads, the kind says what the value means:
`proc.exe_ino.ctime_duration_*` are durations, `proc.pid.ts` an instant. Splits no text
(output_text.py does), and types no column.
"""

from __future__ import annotations

import csv
import json
import re
import tomllib
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, lru_cache
from importlib.resources import files
from itertools import pairwise
from typing import Any

INTEGERS = frozenset({"int", "uint", "abstime", "reltime"})
"""Kinds whose JSON form is an integer."""

NA = "<NA>"
"""What Falco renders where a field has no value."""

# fields whose argument follows a dot; what follows is no field's name
_DOTTED = frozenset({"evt.arg", "evt.type.is", "evt.abspath", "thread.cgroup", "static"})
# values without blanks or parentheses: names of events and flags, of containers and pods
_WORDS = frozenset(
    {"evt.type", "evt.res", "evt.arg.flags", "container.id", "container.name", "k8s.pod.name"}
    | {"container.image.repository", "container.image.tag", "k8s.ns.name"}
    | {"k8smeta.pod.name", "k8smeta.ns.name"}
)
_WORD = re.compile(r"[^\s()]*")
_NUMBER = re.compile(r"-?\d{1,20}", re.ASCII)
_RENDERED = re.compile(rf"(?:-?\d{{1,20}}|{NA}|%[\w.]{{1,60}})(?![^ )])", re.ASCII)
_ISO = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:?\d\d)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Format:
    """How an upstream rule renders its fields: label and field, in order."""

    source: str
    pairs: tuple[tuple[str, str], ...]
    unlabelled: tuple[str, ...]  # fields that stand in the message, or behind a label's field
    joined: frozenset[str]  # labels whose field another one follows: `target=%name/%resource`


@cache
def formats() -> dict[str, Format]:
    """Return rule -> format, for the upstream rules."""
    found: dict[str, Format] = {}
    for one in _read_formats():
        split = [pair.split(":", 1) for pair in one["labels"].split()]
        made = Format(
            one["source"],
            tuple((label, name) for label, name in split if label),
            tuple(name for label, name in split if not label),
            frozenset(label for (label, _), (after, _) in pairwise(split) if not after),
        )
        found |= dict.fromkeys(one["rules"], made)
    return found


def rules_that_print(field: str) -> list[str]:
    """Return the upstream rules whose output holds a field."""
    return sorted(
        rule
        for rule, form in formats().items()
        if field in form.unlabelled or any(field == name for _, name in form.pairs)
    )


@cache
def messages() -> dict[str, str | None]:
    """Return message -> rule, where real captures prove it; None where two rules share it."""
    found: dict[str, str | None] = {}
    for one in _read_formats():
        for rule, said in one.get("messages", {}).items():
            for message in said:
                found[message] = None if message in found else rule
    return found


def _read_formats() -> list[dict[str, Any]]:
    text = files("analysis.intake").joinpath("formats.json").read_text("utf-8")
    return json.loads(text)  # type: ignore[no-any-return]


@cache
def kinds() -> dict[str, str]:
    """Return field -> kind; a name that ends in `.*` stands for what begins like it."""
    text = files("analysis.intake").joinpath("kinds.csv").read_text("utf-8")
    return {row["name"]: row["kind"] for row in csv.DictReader(text.splitlines())}


@lru_cache(maxsize=8192)  # names come from outside: bounded
def kind_of(name: str) -> str | None:
    """Return the kind of a field, or None where Falco has no such field.

    An argument does not change the kind: `proc.aname[2]` is as `proc.aname`, `evt.arg.flags` as
    `evt.arg`. `evt.rawarg` has no kind: its type is the argument's own.
    """
    base = whole = name.partition("[")[0]
    while base:
        if known := kinds().get(base) or kinds().get(f"{base}.*"):
            return known if base == whole or base in _DOTTED else None
        base = base.rpartition(".")[0]
    return None


@cache
def labels() -> dict[str, dict[str, str]]:
    """Return event source -> label -> field ("" where a label has meant several), and `tail`."""
    return tomllib.loads(files("analysis.intake").joinpath("labels.toml").read_text("utf-8"))


@cache
def suggested() -> dict[str, str]:
    """Return label -> field for labels made as Falco makes a suggested field's: `.` as `_`.

    Only where one field alone gives the label (`init_falco_engine.cpp`: `foo_bar=%foo.bar`).
    """
    found: dict[str, str] = {}
    for name in kinds():
        label = name.replace(".", "_")
        found[label] = "" if label in found else name
    return {label: name for label, name in found.items() if name and not name.endswith("*")}


def field_of(label: str, table: dict[str, str]) -> str | None:
    """Return the field that a label means: by `table`, else as a field's own or suggested name.

    "" where it has meant several, None where it means none.
    """
    if label in table:
        return table[label]
    return label if "." in label and kind_of(label) else suggested().get(label)


def table_of(source: str | None, seen: set[str]) -> dict[str, str]:
    """Return the label table of an event source, else of the one whose rules use most of `seen`.

    Where that is not one, or a source is not known, each label is one that has meant several.
    """
    tables = {name: table for name, table in labels().items() if name != "tail"}
    if source:
        source = "syscall" if source == "syscalls" else source  # falcosidekick's for ""
        chosen = [source] if source in tables else []
    else:
        counts = {name: len(seen & table.keys()) for name, table in tables.items()}
        chosen = [name for name, count in counts.items() if count == max(counts.values())]
    if len(chosen) == 1:
        return tables[chosen[0]]
    return {label: "" for table in tables.values() for label in table}


def shape_of(name: str) -> re.Pattern[str] | None:
    """Return what a rendered value of this field looks like, or None where it may be any text."""
    if name in _WORDS:
        return _WORD
    # evt.time and its like are integers in JSON, but text of many forms when rendered
    number = kind_of(name) in INTEGERS and not name.startswith(("evt.time", "evt.datetime"))
    return _RENDERED if number else None


def from_text(name: str, text: str) -> object:
    """Return the value that a field's rendered text stands for.

    `<NA>` is None: whether JSON had null or the string is lost (user and group names).

    Raises
    ------
    ValueError
        If the text is no value of the field's kind, or does not determine one: a list of several
        (`(a,b)`; a comma may be inside an element), a float (rounded), a field left unexpanded.
    """
    kind = kind_of(name) or "string"
    if text == NA:
        return None
    if text == name or text.startswith(f"%{name}"):
        raise ValueError(f"{name} was not expanded")
    if kind == "string":
        return text
    if kind in INTEGERS and _NUMBER.fullmatch(text):
        return int(text)
    if kind == "abstime" and (match := _ISO.fullmatch(text)):
        whole = datetime.fromisoformat(match[1] + match[3]).astimezone(UTC)
        return int(whole.timestamp()) * 10**9 + int((match[2] or "").ljust(9, "0"))
    if kind == "bool" and text in ("true", "false"):
        return text == "true"
    if kind == "list" and text[:1] == "(" and text[-1:] == ")" and "," not in text and text != "()":
        return [text[1:-1]]
    raise ValueError(f"{text!r:.40} is no certain {kind}")


@dataclass(frozen=True, slots=True)
class Recovered:
    """What a rendered text says: fields, what it leaves open, and the message before them."""

    fields: dict[str, Any]
    ambiguous: tuple[str, ...]
    message: str


@dataclass(frozen=True, slots=True)
class TextAlert:
    """An alert read from a line of text, and apart from it what is known about the reading."""

    alert: dict[str, Any]  # output, priority, rule, time (unless there is a clock), output_fields
    recovered: tuple[str, ...]
    ambiguous: tuple[str, ...]
    clock: str | None  # local time of day, no date


class Values:
    """Collects values by field; a doubt, or two values that differ, make a field ambiguous."""

    def __init__(self) -> None:
        self.fields: dict[str, Any] = {}
        self._doubts: dict[str, None] = {}
        self._clashes: dict[str, None] = {}

    def add(self, name: str, text: str) -> None:
        """Add a rendered value of a field."""
        try:
            value = from_text(name, text)
        except ValueError:
            self.doubt(name)
            return
        if self.fields.setdefault(name, value) != value:
            self._clashes[name] = None

    def add_from_table(self, name: str, text: str) -> None:
        """Add a value; one may hold two: `image=%container.image.repository:%container.image.tag`."""
        repository, colon, tag = text.rpartition(":")
        if name != "container.image.repository" or not colon or "/" in tag:
            self.add(name, text)
        elif "@" not in text and repository != "sha256":  # a digest is no tag
            self.add(name, repository)
            self.add("container.image.tag", tag)

    def doubt(self, *names: str) -> None:
        """Say that these stand in the text, but not with what value."""
        self._doubts |= dict.fromkeys(names)

    def refuse(self, name: str) -> None:
        """Say that a field is ambiguous, whatever values it was given."""
        self._clashes[name] = None

    def settle(self, message: str) -> Recovered:
        """Return the certain fields, the names of the others, and the message."""
        fields = {name: v for name, v in self.fields.items() if name not in self._clashes}
        open_names = (self._doubts | self._clashes).keys() - fields.keys()
        message = message.removesuffix("(").removesuffix("| ").strip()
        return Recovered(fields, tuple(sorted(open_names)), message)
