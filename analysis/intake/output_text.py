"""Rendered output text -> output fields, by the rule's format, else by a table of labels.

In: `output` of an alert, in either style (`message (label=value …)` up to Falco 0.40, `message |
label=value …` from 0.41), or a line of Falco's text output. Out: the fields that the text
determines, and the names of those that it does not. Facts: Falco `userspace/engine/formats.cpp`,
`init_falco_engine.cpp` (what is appended); the tables are those of kinds.py.

A value may hold anything, ` label=` too. By format, a value is certain when every way to cut the
text into the rule's labels, in order, gives it the same begin and end. Without a format, or with a
text cut short, a free value may hold all that follows: certain are the values before the first free
one, and Falco's own tail at the very end. Unescapes nothing.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from itertools import accumulate
from types import MappingProxyType
from typing import TYPE_CHECKING

from analysis.intake import kinds, template
from analysis.intake.cutting import cuts, every
from analysis.intake.kinds import Recovered, TextAlert
from analysis.schema import parse_priority

if TYPE_CHECKING:
    from collections.abc import Mapping

    from analysis.intake.template import Template

__all__ = ["Recovered", "TextAlert", "read_text_alert", "recover"]

_HEAD = re.compile(
    r"\s*(?:(?P<clock>\d\d:\d\d:\d\d(?:\.\d{1,9})?)"
    r"|(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:?\d\d)))"
    r": (?P<priority>[A-Za-z]+) ",
    re.ASCII,
)
_TOKEN = re.compile(r"(?:(?<=[ (])|\A)([A-Za-z][\w.-]*(?:\[[^\]\s]{1,60}\])?)=", re.ASCII)
_BLANK = re.compile(r"\s")
_ESCAPE = re.compile(r"\\(?:[bfnrt\"\\]|u[0-9a-fA-F]{4})")
_CUT = "[...]"  # falcosidekick ends what it cuts to 512 bytes with this
_FULL_TAIL = [  # as Falco's container plugin suggests it
    *("container_id", "container_name", "container_image_repository"),
    *("container_image_tag", "k8s_pod_name", "k8s_ns_name"),
]
_WHOLE = re.compile("".join(rf" {label}=([^\s()]*)" for label in _FULL_TAIL) + r"\Z")
_INFO = re.compile(r" \(id=(?:[0-9a-f]{12}|host)\)")  # %container.info was `web (id=…)` before 0.36
_COMMA = ("aws_cloudtrail", "okta")  # upstream: `(requesting user=%ct.user, requesting IP=…)`


def recover(
    output: str,
    rule: str | None = None,
    source: str | None = None,
    own: Mapping[str, Template] = MappingProxyType({}),
) -> Recovered:
    """Take the fields from a rendered text, each only where its begin and end are certain.

    Parameters
    ----------
    output : str
        The text, with or without `time: Priority` before it.
    rule : str, optional
        Name of the Falco rule; one of formats.json is read by its own format, if the text is so.
    source : str, optional
        Event source, for the label table; else the rule's, else told from the labels.
    own : mapping, optional
        Rule -> template of the user's own rules: they come before formats.json.

    Returns
    -------
    Recovered
        No name is both in `fields` and in `ambiguous`.
    """
    head = _HEAD.match(output)
    text = (output[head.end() :] if head else output).rstrip("\n")
    known, mine = kinds.formats().get(rule or ""), own.get(rule or "")
    if mine and source and ("syscall" if source == "syscalls" else source) != mine.source:
        mine = None  # another rule of this name
    if not text.endswith(_CUT):
        if mine and (found := _by_template(text, mine, whole=text == output[-len(text) :])):
            return found
        if mine and mine.plain and (found := _by_format(text, mine.labels)):
            return found  # in the other style
        if known and (found := _by_format(text, known)):
            return found
    known = mine.labels_beside(known) if mine else known
    return _by_table(text, source or (known.source if known else None), known)


def read_text_alert(text: str, own: Mapping[str, Template] = MappingProxyType({})) -> TextAlert:
    r"""Read one line of Falco's text output (`json_output: false`) as an alert.

    Returns
    -------
    TextAlert
        Its rule is None unless the message is that of exactly one rule: one whose real captures
        prove it, or one of `own` whose format fits the whole text. A value with `\n` or another JSON escape is ambiguous: in text mode Falco escapes the
        line, and what was there before is not known.

    Raises
    ------
    ValueError
        If the line does not begin with a time and one of Falco's priorities, in any case.
    """
    line = text.strip("\r\n").lstrip()
    head = _HEAD.match(line)
    priority = parse_priority(head["priority"]) if head else None
    if head is None or priority is None:
        raise ValueError("no Falco text line: it does not begin with a time and a priority")
    found = recover(line)
    rules = template.rendering(line[head.end() :], own) | {kinds.messages().get(found.message)}
    rule = next(iter(named)) if len(named := rules - {None}) == 1 else None
    if rule:
        found = recover(line, rule, own=own)
    unsure = [n for n, v in found.fields.items() if isinstance(v, str) and _ESCAPE.search(v)]
    fields = {name: value for name, value in found.fields.items() if name not in unsure}
    alert = {"output": line, "priority": priority, "rule": rule, "output_fields": fields}
    alert |= {"time": head["time"]} if head["time"] else {}
    return TextAlert(alert, tuple(fields), (*found.ambiguous, *unsure), head["clock"])


def _by_template(text: str, mine: Template, *, whole: bool) -> Recovered | None:
    """Cut by all the words of an own rule's format; None if it did not render this text."""
    taken = template.take(text, mine)
    if taken is None:
        return None
    found, rest = taken
    if not whole and not mine.words[-1] and mine.fields:
        found.refuse(mine.fields[-1])  # what the text ended with may be the value's
    _tail(rest, "", found)
    return found.settle(mine.message)


@dataclass(frozen=True, slots=True)
class _Cut:
    text: str
    known: kinds.Format
    frame: str  # what stands before the first label: "(", a blank (behind `|`), or nothing
    comma: bool
    begins: list[list[int]]  # of each value, in any cut of the text
    ends: list[int]  # of each value but the last, where the next label begins


def _by_format(text: str, known: kinds.Format) -> Recovered | None:
    """Cut by the rule's own labels; None if the text does not hold them all, in order."""
    shapes = [kinds.shape_of(name) for _, name in known.pairs]
    for comma in (True, False) if known.source in _COMMA else (False,):
        names = [name.replace("_", " ") if comma else name for name, _ in known.pairs]
        tokens = [f", {name}=" if comma else f" {name}=" for name in names]
        token = f"{names[0]}="
        starts = sorted(every(text, f"({token}") + every(text, f"| {token}"))
        starts = [len(token)] if text.startswith(token) else starts
        if not known.unlabelled:
            starts = starts[:1]  # a message without fields is the rule's own words
        first = starts[0] - len(token) if starts else 0
        frame = text[first - 1] if first else ""
        if (frame == "(" or not comma) and (begins := cuts(text, tokens, shapes, starts)):
            ends = [b[0] - len(t) for b, t in zip(begins[1:], tokens[1:], strict=True)]
            cut, found = _Cut(text, known, frame, comma, begins, ends), kinds.Values()
            _take(cut, found)
            _tail(_take_last(cut, found), frame, found)
            found.doubt(*known.unlabelled)
            return found.settle(text[:first])
    return None


def _take(cut: _Cut, found: kinds.Values) -> None:
    """Add each value but the last, where no other cut of the text gives it another one."""
    for i, (label, name) in enumerate(cut.known.pairs[:-1]):
        value = cut.text[cut.begins[i][0] : cut.ends[i]]
        sure = len(cut.begins[i]) == len(cut.begins[i + 1]) == 1 and label not in cut.known.joined
        if cut.known.source in _COMMA and not cut.comma:
            sure &= not value.endswith(",")  # the rule's own comma, perhaps
        if name == "gcp.projectId" and not cut.frame:
            value = value.partition(" ")[0]  # an id has no blank; words of the rule follow it
        elif not cut.frame:  # the rule's words, or its blanks, may stand in the value
            sure &= value == value.strip() and not _TOKEN.search(value)
        found.add(name, value) if sure else found.doubt(name)


def _take_last(cut: _Cut, found: kinds.Values) -> str:
    """Add the rule's last value, if its end is certain; return the text behind it."""
    name, begin, text = cut.known.pairs[-1][1], cut.begins[-1][-1], cut.text
    end = len(text.rstrip()) - 1 if cut.frame == "(" else len(text)
    if match := (shape := kinds.shape_of(name)) and shape.match(text, begin):
        end = match.end()
    value, rest = text[begin:end], text[end:]
    sure = len(cut.begins[-1]) == 1
    if not match:  # an added text (`append_output`) may stand in the value
        closed = rest[:1] == ")" and _balanced(value)
        sure &= not _TOKEN.search(value) and (
            closed if cut.frame == "(" else not _BLANK.search(value)
        )
    found.add(name, value) if sure else found.doubt(name)
    return rest if len(cut.begins[-1]) == 1 else f" ?{rest}"


def _balanced(value: str) -> bool:
    depths = list(accumulate(((c == "(") - (c == ")") for c in value), initial=0))
    return depths[-1] == 0 and min(depths) == 0


def _tail(rest: str, frame: str, found: kinds.Values) -> None:
    """Add what Falco puts behind the rule's own fields: pairs of a known label and a word.

    They stand directly behind, or, where `append_output` put a text between, whole at the end.
    """
    body, _, after = rest.partition(")") if frame == "(" else (rest, "", "")
    for part in (body, after):
        pairs = [word.partition("=") for word in part.split(" ")[1:]]
        known = [kinds.labels()["tail"].get(label) if sep else None for label, sep, _ in pairs]
        lead = known.index(None) if None in known else len(known)
        behind = max(len(pairs) - len(_FULL_TAIL), lead)
        whole = [label for label, *_ in pairs[behind:]] == _FULL_TAIL
        whole &= all(part.count(f" {label}=") == 1 for label in _FULL_TAIL)
        for i, (name, (*_, value)) in enumerate(zip(known, pairs, strict=True)):
            if name and (i < lead or (whole and i >= behind)):
                found.add(name, value)
            elif other := name or kinds.field_of(pairs[i][0], {}):
                found.doubt(other)


def _by_table(text: str, source: str | None, known: kinds.Format | None) -> Recovered:
    """Take what stands before the first free value, and Falco's whole tail; doubt all else."""
    found = kinds.Values()
    tokens = list(_TOKEN.finditer(text))
    table = kinds.table_of(source, {token[1] for token in tokens})
    table = table | dict(known.pairs) if known else table  # another version of a known rule
    whole = None if text.endswith(_CUT) else _WHOLE.search(text)
    if whole and all(text.count(f"{label}=") == 1 for label in _FULL_TAIL):
        for label, value in zip(_FULL_TAIL, whole.groups(), strict=True):
            found.add(kinds.labels()["tail"][label], value)
        if _frame(text, tokens[0].start()) == "(":  # the closing one stands between
            tokens, text = tokens[: -len(_FULL_TAIL)], text[: whole.start()]
    if _INFO.search(text):
        found.doubt("container.name", "container.id")
    names = [kinds.field_of(token[1], table) for token in tokens]
    pairs = list(zip(names, tokens, strict=True))
    found.doubt(*(name or token[1] for name, token in pairs if name is not None))
    frames = [i for i, token in enumerate(tokens) if _frame(text, token.start())]
    # a second frame: one of them stands in a value, of the message perhaps
    worded = text.endswith(_CUT) and known and not known.unlabelled
    if frames[:1] == [0] and (worded or len(frames) == 1):
        joined = known.joined if known else frozenset()
        names = [None if token[1] in joined else name for name, token in pairs]
        _take_leading(text, tokens, names, found)
    firsts = (token.start() for name, token in pairs if name is not None)
    return found.settle(text[: next(firsts, len(text))])


def _frame(text: str, spot: int) -> str:
    """Return what opens a rule's fields, if it stands here: a parenthesis, or a bar and a blank."""
    return "(" if text[spot - 1 : spot] == "(" else "|" * (text[max(spot - 2, 0) : spot] == "| ")


def _take_leading(
    text: str, tokens: list[re.Match[str]], names: list[str | None], found: kinds.Values
) -> None:
    """Add the values up to the first one that may be any text, each where its shape ends.

    That one too where it has no blank and nothing follows. A field named again is in doubt.
    """
    frame, counts = _frame(text, tokens[0].start()), Counter(names)
    broken = frame == "(" or text.endswith(_CUT)  # a value at the very end may go on
    for token, name, after in zip(tokens, names, [*tokens[1:], None], strict=True):
        begin, end = token.end(), len(text) - (frame == "(")
        shape = kinds.shape_of(name) if name else None
        match = shape.match(text, begin) if shape else None
        end = match.end() if match else end
        value, rest = text[begin:end], text[end : end + 1]
        loose = not match and (shape or after or _BLANK.search(value) or not _balanced(value))
        if not name or loose or (broken and not rest) or rest not in ("", " ", ")"):
            return
        if counts[name] == 1:
            found.add_from_table(name, value)
        if after is None or after.start() != end + 1:
            return
