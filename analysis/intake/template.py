"""A rule's own output format, as a rules file writes it -> the fields of a text it rendered.

In: rules with their `output` (`Shell (user=%user.name)`), and a text. Out: the fields whose begin
and end are certain. The format's own words are known here, message and all, so a value is certain
where every way to cut the text at these words gives it the same begin and end. The sensor may run
another version of the rule: a value that holds a label known to the kit is in doubt, and a text
that does not fit the format is left to output_text.py. Facts: libs
`userspace/libsinsp/eventformatter.cpp`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Protocol

from analysis.intake import kinds
from analysis.intake.cutting import cuts

if TYPE_CHECKING:
    from collections.abc import Mapping

_FIELD = re.compile(r"[A-Za-z]\w*(?:\.\w+)*(?:\[[^\]]*\])?", re.ASCII)
_CHANGED = re.compile(r"[a-z]\w*\(([^()]*)\)", re.ASCII)  # %toupper(proc.name)
_LABEL = re.compile(r"(?:[ (,]|\A)([A-Za-z][\w.-]*(?:\[[^\]\s]{1,60}\])?)=\Z", re.ASCII)
_TOKEN = re.compile(r"(?:(?<=[ (,])|\A)([A-Za-z][\w.-]*(?:\[[^\]\s]{1,60}\])?)=", re.ASCII)
_REST = re.compile(r"(?![^ ])")  # behind the format nothing stands, or a blank and what Falco adds
_OPEN = ("(", "| ")  # what opens a rule's fields


class Written(Protocol):
    """What a rule says of the texts it renders."""

    @property
    def source(self) -> str:
        """The event source."""

    @property
    def output(self) -> str:
        """The output format."""


@dataclass(frozen=True, slots=True)
class Template:
    """An output format: its words, and the fields between them."""

    source: str
    words: tuple[str, ...]  # one more than fields
    fields: tuple[str, ...]
    changed: frozenset[str]  # fields that do not stand there as they are
    labels: kinds.Format

    def __deepcopy__(self, memo: object) -> Template:
        return self  # pandas copies what a frame carries at every step; this never changes

    @property
    def message(self) -> str:
        """The words before the fields; empty where fields stand among them."""
        words = self.words[0].removesuffix(f"{next(iter(self.labels.pairs), ('',))[0]}=")
        opened = words.endswith(_OPEN) and not self.labels.unlabelled
        return words.removesuffix("(").removesuffix("| ").strip() if opened else ""

    @property
    def plain(self) -> bool:
        """Whether the fields stand as Falco's own rules have them, in one of the two styles."""
        labels = [label for label, _ in self.labels.pairs]
        behind = self.words[len(self.labels.unlabelled) + 1 :]
        between = tuple(f" {label}=" for label in labels[1:])
        first = self.words[len(self.labels.unlabelled)] if labels else ""
        opened = first.endswith(tuple(f"{mark}{labels[0]}=" for mark in _OPEN)) if labels else False
        return opened and not self.changed and behind in ((*between, ""), (*between, ")"))

    def labels_beside(self, known: kinds.Format | None) -> kinds.Format:
        """Return the labels with those of another version of the rule; unsure where they differ."""
        if known is None or known.source != self.source:
            return self.labels
        pairs, others = dict(self.labels.pairs), dict(known.pairs)
        unlike = {label for label in pairs.keys() & others.keys() if pairs[label] != others[label]}
        return kinds.Format(
            self.source,
            tuple((others | pairs | dict.fromkeys(unlike, "")).items()),
            self.labels.unlabelled + known.unlabelled,
            self.labels.joined | known.joined,
        )


def templates(rules: Mapping[str, Written]) -> dict[str, Template]:
    """Return rule -> template, for the rules whose output the kit can follow."""
    made = {name: _template(rule) for name, rule in rules.items()}
    return {name: template for name, template in made.items() if template}


def _template(rule: Written) -> Template | None:
    words, fields, changed, text = [""], list[str](), set[str](), rule.output
    spot = text.find("%")
    while spot >= 0:
        words[-1] += text[:spot]
        found = _FIELD.match(text, spot + 1)
        if found is None:
            return None  # a width or another mark
        name, end = found[0], found.end()
        if transformed := _CHANGED.match(text, spot + 1):
            name, end = transformed[1].strip(), transformed.end()
            changed.add(name)
        elif text[end : end + 1] == "(":
            return None
        elif name == "container.info":  # Falco puts other fields in its place
            changed |= {"container.info", "container.id", "container.name"}
        else:
            end -= len(name) - len(name := _known(name))
        fields.append(name)
        words.append("")
        text = text[end:]
        spot = text.find("%")
    words[-1] += text
    if not any(words):
        return None
    pairs = [
        (label[1] if (label := _LABEL.search(w)) else "", name)
        for w, name in zip(words, fields, strict=False)
    ]
    labels = kinds.Format(
        rule.source,
        tuple((label, name) for label, name in pairs if label and name not in changed),
        tuple(name for label, name in pairs if not label or name in changed),
        frozenset(label for (label, _), (after, _) in pairwise(pairs) if label and not after),
    )
    return Template(rule.source, tuple(words), tuple(fields), frozenset(changed), labels)


def _known(name: str) -> str:
    """Return the longest beginning that is a field: `%fd.name.txt` is a field and words."""
    known = name
    while known and not kinds.kind_of(known):
        known = known.rpartition(".")[0]
    return known or name


def fields_of(rule: Written) -> tuple[str, ...]:
    """Return the fields that a rule's output prints, as they are or changed."""
    made = _template(rule)
    return tuple(dict.fromkeys(made.fields)) if made else ()


def rendering(text: str, own: Mapping[str, Template]) -> set[str | None]:
    """Return the rules that say this text's message, and whose format fits all of it."""
    return {
        rule
        for rule, one in own.items()
        if one.message and text.startswith(one.words[0]) and take(text, one)
    }


def take(text: str, template: Template) -> tuple[kinds.Values, str] | None:
    """Return the fields that a text tells by the rule's own format, and the text behind it.

    None if the format did not render this text. The text behind is without its begin where this is
    not certain.
    """
    words, fields = template.words, template.fields
    # the last value may end the text; another one, with nothing behind it, where it will
    ends = [*words[1:-1], words[-1] or " "]
    shapes = (
        [
            kinds.shape_of(name) if end[:1] in (" ", ")") else None
            for name, end in zip(fields, ends, strict=True)
        ]
        if fields
        else []
    )
    starts = [len(words[0])] if text.startswith(words[0]) else []
    begins = cuts(text, list(words), [*shapes, _REST], starts) if starts else None
    if begins is None:
        return None
    found = kinds.Values()
    table = kinds.table_of(template.source, set()) | dict(template.labels.pairs)
    for i, name in enumerate(fields):
        value = text[begins[i][0] : begins[i + 1][-1] - len(words[i + 1])]
        sure = len(begins[i]) == len(begins[i + 1]) == 1 and name not in template.changed
        if not shapes[i]:
            sure &= all(kinds.field_of(t[1], table) is None for t in _TOKEN.finditer(value))
        found.add(name, value) if sure else found.doubt(name)
    found.doubt(*template.changed - {"container.info"})
    rest = text[begins[-1][-1] :]
    return found, rest if len(begins[-1]) == 1 else f" ?{rest}"
