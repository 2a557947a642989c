"""Explain a rule, a field or exe flags in plain text: the knowledge that reports use, for a terminal.

In: what a user asks about. Out: text, made visible. Says nothing that the knowledge files, the
field kinds and the rule formats do not say.
"""

from __future__ import annotations

import difflib
import textwrap
from dataclasses import replace
from typing import TYPE_CHECKING

from analysis import knowledge
from analysis.errors import SubjectError
from analysis.flags import EXE_FLAGS, parse_exe_flags
from analysis.intake import fields_of, kind_of, rules_that_print
from analysis.knowledge.generic import generic_playbook
from analysis.knowledge.rules.once import own_rules
from analysis.quoting import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from analysis.knowledge import Playbook
    from analysis.knowledge.rules import Rule

_WIDTH = 88
_KINDS = {
    "int": "an integer",
    "uint": "an unsigned integer",
    "bool": "true or false",
    "float": "a number",
    "abstime": "a time, in ns since the epoch",
    "reltime": "a duration, in ns",
    "list": "a list of text",
    "string": "text",
}
_MANY = 6


def explain(subject: str, *, own: Path | None = None, rules: Sequence[str] | str = ()) -> str:
    """Return what the kit knows of a rule, a Falco field, or exe flags.

    Parameters
    ----------
    subject : str
        A rule's name, in any case; a field (`proc.aname[2]`); `flags`, or a value of
        `evt.arg.flags` (`EXE_WRITABLE|EXE_LOWER_LAYER`, `5`).
    own : Path, optional
        Folder of own playbooks, which come before those that ship.
    rules : list of str, or str
        Own Falco rules files: a rule in them is shown as they define it.

    Raises
    ------
    SubjectError
        If it is none of these; names what is called nearly so.
    """
    text = subject.strip()
    written = {knowledge.slug(name): rule for name, rule in own_rules(rules).items()}
    books = {slug: book for slug, book in knowledge.load_playbooks(own=own).items() if book.rule}
    if text.lower() in ("flags", "exe flags", "exe_flags"):
        parts: Iterable[str] = _flags(None)
    elif (bits := parse_exe_flags(text)) is not None:
        parts = _flags(bits)
    elif (name := knowledge.slug(text)) in books or name in written:
        parts = [*_own(written.get(name)), *_book(books.get(name), written.get(name))]
    elif "." in text and (kind_of(text) or text in knowledge.known_fields()):
        parts = _field(text)
    else:
        raise SubjectError(subject, _near(text, books))
    return "\n".join(visible(line, longest=10_000) for part in parts for line in part.split("\n"))


def _book(book: Playbook | None, rule: Rule | None) -> Iterator[str]:
    """Yield the playbook, unless the file's rule is one for another event source."""
    if book and (rule is None or book.source == rule.source):
        yield from _rule(book)
    elif rule:
        base = knowledge.playbook_for(rule.name, rule.source)
        made = generic_playbook(base, rule.name, rule.tags, fields_of(rule), rule)
        yield from _rule(replace(made, rule=rule.name, source=rule.source))


def _own(rule: Rule | None) -> Iterator[str]:
    if rule is None:
        return
    yield f"{rule.name}: from your own rules, {rule.defined}"
    yield from (_wrapped(f"changed in {place}", "  ") for place in rule.changed)
    off = "" if rule.enabled else ", switched off"
    yield _wrapped(f"{rule.description}", "  ")
    yield _wrapped(f"Priority {rule.priority}, source {rule.source}{off}.", "  ")
    yield _wrapped(f"Condition: {rule.condition}", "  ", "    ")
    yield ""


def _near(text: str, books: dict[str, Playbook]) -> list[str]:
    named = {book.rule.lower(): book.rule for book in books.values()}
    known = [*named, *knowledge.known_fields(), *(flag.name for flag in EXE_FLAGS)]
    close = difflib.get_close_matches(text.lower(), known, n=3, cutoff=0.5)
    held = [rule for rule in named if text and text.lower() in rule][:3]
    return [named.get(one, one) for one in dict.fromkeys([*held, *close])][:4]


def _flags(bits: int | None) -> Iterator[str]:
    if bits is not None:
        names = [flag.name for flag in EXE_FLAGS if bits & flag.bit]
        yield f"evt.arg.flags of an exec event: {bits} = {' | '.join(names) or 'none is set'}"
    else:
        yield "Exe flags: what the kernel saw of a program's file when it was executed"
    yield ""
    for flag in EXE_FLAGS:
        if bits is None or bits & flag.bit:
            yield _wrapped(f"{flag.name} ({flag.bit}; {flag.field}): {flag.meaning}", "  ", "    ")
    yield ""
    yield _wrapped(
        "The value names the flags that are set, joined by |; 0 means none of them, and no value "
        "means not known. Only exec events carry exe flags: on an open event the same field holds "
        "the flags of open(2). After a failed exec (evt.res) they describe the program that tried."
    )


def _field(name: str) -> Iterator[str]:
    known = knowledge.known_fields().get(name)
    yield f"{name}: {_KINDS.get(kind_of(name) or '', 'of no declared kind')}"
    if known:
        yield _wrapped(known.meaning[:1].upper() + known.meaning[1:] + ".", "  ")
    deciding = [
        f"{book.rule}: {one.why}."
        for book in knowledge.load_playbooks().values()
        for one in book.deciding
        if one.field == name and book.rule
    ]
    if deciding:
        yield from ("", "Decides in:", *_items(deciding[:_MANY]))
        if len(deciding) > _MANY:
            yield f"  and {len(deciding) - _MANY} rules more"
    printed = rules_that_print(name)
    yield ""
    if printed:
        more = f" and {len(printed) - _MANY} more" if len(printed) > _MANY else ""
        names = ", ".join(printed[:_MANY])
        yield _wrapped(f"Printed by {len(printed)} of the rules Falco ships: {names}{more}.")
    else:
        yield _wrapped(
            "Printed by none of the rules Falco ships: add it by append_output in falco.yaml "
            "(Falco 0.39 and later)."
        )


def _rule(book: Playbook) -> Iterator[str]:
    yield f"{book.rule} ({book.source})"
    yield from ("", _wrapped(book.meaning))
    sections = {
        "What the alert cannot tell": book.limits,
        "Fields that decide": [f"{one.field}: {one.why}" for one in book.deciding],
        "What the report checks": [
            f"{check.claim}{f' -> {check.leads_to}' if check.leads_to else ''}"
            for check in book.check
        ],
        "Benign causes to rule out": [f"{one.cause} Confirm: {one.confirm}" for one in book.benign],
        "Investigate": [f"{one.question} {one.how}" for one in book.step],
        "Techniques": [f"{one} {knowledge.techniques().get(one, '')}" for one in book.techniques],
        "References": book.references,
    }
    for heading, items in sections.items():
        if items:
            yield from ("", heading, *_items(items))
    yield from ("", "Do, in this order")
    for phase in knowledge.PHASES:
        for command in book.command:
            if command.phase == phase:
                yield _wrapped(f"- {phase}, {command.where}: {command.why}", "  ", "    ")
                yield "      $ " + command.shell.replace("\n", "\n        ")
        yield from _items([f"{phase}: {a.text}" for a in book.advice if a.phase == phase])


def _items(items: Iterable[str]) -> Iterator[str]:
    return (_wrapped(f"- {item}", "  ", "    ") for item in items)


def _wrapped(text: str, first: str = "", rest: str | None = None) -> str:
    return textwrap.fill(
        text,
        _WIDTH,
        initial_indent=first,
        subsequent_indent=first if rest is None else rest,
        break_long_words=False,
        break_on_hyphens=False,
    )
