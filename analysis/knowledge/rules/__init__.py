"""The user's own Falco rules: rule files as Falco reads them, merged in the order they are given.

In: paths of rules files. Out: a `RuleSet`, what holds after all of them (rules, macros and lists,
appends and overrides applied, and where each was written), and what was wrong. One wrong item
costs that item only; Falco itself would refuse the file.

Conditions are text here, neither parsed nor expanded; which macros and lists they name is told.
Source: Falco `userspace/engine/rule_loader_reader.cpp`, `rule_loader_collector.cpp`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.errors import PlaybookError, SourceError
from analysis.knowledge.rules.items import Item, Place, read_items
from analysis.schema import parse_priority

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["List", "Macro", "Place", "Rule", "RuleException", "RuleSet", "read_rules"]

_APPENDABLE = ("condition", "output", "desc", "tags", "exceptions")
_REPLACEABLE = (
    *_APPENDABLE,
    *("priority", "enabled", "warn_evttypes", "skip-if-unknown-filter"),
    *("capture", "capture_duration"),
)
_IGNORED = ("required_engine_version", "required_plugin_versions")

# what may stand in a condition beside names of macros: quoted text, a field's argument, values
_QUOTED = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|\[[^\]]*\]")
_VALUE_LIST = re.compile(r"\b(?:in|intersects|pmatch)\s*\(([^()]*)\)")
_VALUE = re.compile(
    r"(?:[=!<>]=?|\b(?:i?contains|bcontains|b?startswith|endswith|i?glob|regex)(?=\s))\s*[^\s(),]+"
)
_WORD = re.compile(r"(?<![\w.])[A-Za-z]\w*(?![\w.])")


@dataclass(frozen=True, slots=True)
class RuleException:
    """An exception: what has these `values` in `fields`, by `comparisons`, does not alert."""

    name: str
    fields: tuple[str, ...]
    comparisons: tuple[str, ...]
    values: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Macro:
    """A named piece of a condition."""

    name: str
    condition: str
    defined: Place
    changed: tuple[Place, ...] = ()


@dataclass(frozen=True, slots=True)
class List:
    """A named list of values; an item may be the name of another list."""

    name: str
    items: tuple[str, ...]
    defined: Place
    changed: tuple[Place, ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule as it holds after all files.

    `defined` and `changed` say where it was written, and appended to or overridden; `macros` and
    `lists` are those that its own condition and exceptions name, as far as the files define them.
    """

    name: str
    description: str
    condition: str
    output: str
    priority: str
    defined: Place
    tags: tuple[str, ...] = ()
    source: str = "syscall"
    enabled: bool = True
    exceptions: tuple[RuleException, ...] = ()
    changed: tuple[Place, ...] = ()
    macros: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RuleSet:
    """What rules files define, each by name, in the order of first definition."""

    rules: dict[str, Rule] = field(default_factory=dict)
    macros: dict[str, Macro] = field(default_factory=dict)
    lists: dict[str, List] = field(default_factory=dict)


def read_rules(
    files: Iterable[str | os.PathLike[str]],
) -> tuple[RuleSet, list[PlaybookError]]:
    """Return what rules files define, later ones changing earlier ones, and what was wrong.

    Parameters
    ----------
    files : iterable of path
        In the order in which Falco loads them (`rules_files` in falco.yaml): what is appended to
        must have been defined.

    Returns
    -------
    RuleSet
        Rules, macros and lists.
    list of PlaybookError
        One for each item that was left out and each document that is no YAML: not raised, so that
        one wrong item does not lose the others. Each names file, line and remedy.

    Raises
    ------
    SourceError
        If a file cannot be read at all.
    """
    found, problems = RuleSet(), []
    for file in files:
        try:
            content = Path(file).read_bytes()
        except OSError as error:
            raise SourceError(f"{file}: {error.strerror or error}") from None
        for item in read_items(content, str(file)):
            try:
                _take(item, found)
            except PlaybookError as problem:
                problems.append(problem)
    for name, rule in found.rules.items():
        found.rules[name] = _with_names(rule, found)
    return found, problems


def _take(item: Item | PlaybookError, found: RuleSet) -> None:
    if isinstance(item, PlaybookError):
        raise item
    kind = next((kind for kind in ("list", "macro", "rule") if kind in item), None)
    if kind is not None:
        name = item.text(kind)
        named = replace(item, what=f"{kind} {name!r}")
        {"list": _take_list, "macro": _take_macro, "rule": _take_rule}[kind](name, named, found)
    elif item.values and not any(key in item for key in _IGNORED):
        raise item.wrong("of no known kind", "begin it with 'rule:', 'macro:' or 'list:'")


def _take_list(name: str, item: Item, found: RuleSet) -> None:
    new = List(name, item.texts("items"), item.place)
    if _appends(item, "items"):
        old = _earlier(item, name, found.lists)
        new = replace(old, items=old.items + new.items, changed=(*old.changed, item.place))
    found.lists[name] = new


def _take_macro(name: str, item: Item, found: RuleSet) -> None:
    new = Macro(name, item.text("condition"), item.place)
    if _appends(item, "condition"):
        old = _earlier(item, name, found.macros)
        joined = f"{old.condition} {new.condition}"
        new = replace(old, condition=joined, changed=(*old.changed, item.place))
    found.macros[name] = new


def _take_rule(name: str, item: Item, found: RuleSet) -> None:
    changes = item.overrides(_APPENDABLE, _REPLACEABLE)
    if changes:
        if surplus := [key for key in _REPLACEABLE if key in item and key not in changes]:
            remedy = f"name {surplus[0]!r} under 'override' too, or leave it out"
            raise item.wrong(f"override without {surplus[0]!r}", remedy)
    elif item.flag("append"):
        changes = {key: "append" for key in ("condition", "exceptions") if key in item}
        if not changes:
            raise item.wrong("nothing to append", "write a condition or exceptions")
    elif not any(key in item for key in ("condition", "output", "desc", "priority")):
        if "enabled" not in item:
            raise item.wrong("says nothing", "write desc, condition, output and priority")
        changes = {"enabled": "replace"}
    if changes:
        old = _earlier(item, name, found.rules)
        new = replace(_changed(old, item, changes), changed=(*old.changed, item.place))
    else:
        new = Rule(
            name,
            item.text("desc"),
            item.text("condition"),
            item.text("output"),
            _priority(item),
            item.place,
            item.texts("tags") if "tags" in item else (),
            item.text("source") if "source" in item else "syscall",
            item.flag("enabled", default=True),
            _exceptions(item, ()),
        )
        if name in found.rules and (old := found.rules[name]).source != new.source:
            remedy = f"give it another name: {old.defined} defines it for {old.source}"
            raise item.wrong(f"source {new.source!r}", remedy)
    found.rules[name] = new


def _changed(old: Rule, item: Item, changes: Mapping[str, str]) -> Rule:
    """Return a rule with appends, then replacements, made: Falco's order."""
    new: dict[str, Any] = {}
    for key, how in sorted(changes.items(), key=lambda change: change[1]):
        append = how == "append"
        if key in ("condition", "output", "desc"):
            name = "description" if key == "desc" else key
            text = item.text(key)
            new[name] = f"{getattr(old, name)} {text}" if append else text
        elif key == "tags":
            kept = old.tags if append else ()
            new[key] = tuple(dict.fromkeys((*kept, *item.texts(key))))
        elif key == "exceptions":
            new[key] = _exceptions(item, old.exceptions if append else ())
        elif key == "priority":
            new[key] = _priority(item)
        elif key == "enabled":
            new[key] = item.flag(key)
    return replace(old, **new)


def _exceptions(item: Item, kept: tuple[RuleException, ...]) -> tuple[RuleException, ...]:
    found = {one.name: one for one in kept}
    for table in item.mappings("exceptions"):
        one = replace(item, what=f"{item.what}: exception", values=table)
        name = one.text("name")
        values = _frozen(one, one.values.get("values") or [])
        if isinstance(values, str):
            raise one.wrong("values is no list", "write 'values:' and a list of values")
        if any(name == old.name for old in kept):
            if "fields" in one or "comps" in one:
                raise one.wrong(f"{name!r} is there already", "append 'values:' only")
            old = found[name]
            found[name] = replace(old, values=old.values + values)
            continue
        single = isinstance(one.values.get("fields"), str)
        fields = (one.text("fields"),) if single else one.texts("fields")
        comparisons = ("in",) if single else ("=",) * len(fields)
        if "comps" in one:
            comparisons = (one.text("comps"),) if single else one.texts("comps")
        if len(comparisons) != len(fields):
            raise one.wrong(f"{name!r} has {len(comparisons)} comps", "write one for each field")
        found[name] = RuleException(name, fields, comparisons, values)
    return tuple(found.values())


def _frozen(item: Item, value: Any, depth: int = 3) -> Any:
    """Return an exception's values as tuples: rows of fields, each a value or a list of values."""
    if isinstance(value, str):
        return value
    if not isinstance(value, list) or not depth:
        raise item.wrong("values are no lists of values", "write 'values: [[one, two]]'")
    return tuple(_frozen(item, one, depth - 1) for one in value)


def _appends(item: Item, key: str) -> bool:
    overrides = item.overrides((key,), (key,))
    return item.flag("append") or overrides.get(key) == "append"


def _earlier(item: Item, name: str, known: Mapping[str, Any]) -> Any:
    if name not in known:
        remedy = "define it first, or give the file that does before this one"
        raise item.wrong("changes what is not there", remedy)
    return known[name]


def _priority(item: Item) -> str:
    text = item.text("priority")
    if (priority := parse_priority(text)) is None:
        raise item.wrong(f"priority {text!r}", "use one of Falco's, from DEBUG to EMERGENCY")
    return priority


def _with_names(rule: Rule, found: RuleSet) -> Rule:
    """Return a rule with the macros and lists that it names itself."""
    bare = _QUOTED.sub("''", rule.condition)
    rest = _VALUE.sub(" ", _VALUE_LIST.sub(" ", bare))
    words = [word.strip() for group in _VALUE_LIST.findall(bare) for word in group.split(",")]
    words += [word for exception in rule.exceptions for word in _words(exception.values)]
    macros = dict.fromkeys(word for word in _WORD.findall(rest) if word in found.macros)
    lists = dict.fromkeys(word for word in words if word in found.lists)
    return replace(rule, macros=tuple(macros), lists=tuple(lists))


def _words(values: tuple[Any, ...]) -> Iterator[str]:
    for value in values:
        yield from (value,) if isinstance(value, str) else _words(value)
