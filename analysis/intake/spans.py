"""bytes -> records: cut a file where its records end.

In: a file's bytes, or an open file. Out: `Span`, in the order in which records end. A record is a
line, a JSON document of any number of lines, or the parts that a logger made of one line (`parts`).
Linear in the file's size; each byte but blanks is in one span, or is the bracket of an array that
is too long to be one record. Knows nothing of alerts.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING

from analysis.intake import window
from analysis.intake.decoding import DEEPEST, MOST_VALUES, decode_json, is_too_much
from analysis.intake.parts import Span, Waiting

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Span", "is_tiny", "iter_spans"]

_LEAST = 1 << 20  # bytes of documents that may fail to decode, however few are held
_HEAD = 1_024  # bytes that are shown of a record too long to be held
_BLANK = re.compile(rb"\s*")
_PAIRS = {b"{": b"}", b"[": b"]"}
_INSIDE = rb'[^{}"]++|"(?:[^"\\]++|\\.)*+"'
_WHOLE = re.compile(rb"\{(?:" + _INSIDE + rb"|\{(?:" + _INSIDE + rb")*+\})*+\}\s*\Z")
_TAIL = re.compile(rb'[^\w{\["\n]*+')
_NEXT = re.compile(rb"\n[ \t\r]*(?=\{)")
_ARRAY = re.compile(rb"\[\s*\{")
_TINY = (
    rb"[{\[](?=[^}\]\n]{0,24}[}\]])"
    rb'(?:[^{}\[\]"\n]++|"[^"\\{}\[\]\n]*+")*+[}\]][^\w{\["\n]*+'
)
# atomic inside, for Python before 3.11.5 lets a possessive group keep what a failed turn read
_TINIES = re.compile(rb"(?:(?>" + _TINY + rb")){2,}+")
_SKIP = re.compile(
    rb'(?:(?>[\s,0-9+\-.eE]++|"(?:[^"\\\n]++|\\.)*+"|true|false|null|NaN|-?Infinity))*+'
)
_SHORT = re.compile(  # a thousand lines
    rb'(?:(?>(?:[^{\["\n]{0,15}|[{\[][^{}\[\]\n]{0,13}[}\]])\r?\n)){1000,}+'
)  # the shortest alert has 17 bytes
_COUNTED = re.compile(rb"(\d{1,6}) (?=<\d{1,3}>)")  # RFC 6587: no line end between messages
_OF_MUCH = "part of a JSON document that is too large to be read at once"
_IN_ARRAY = "an array too long to be one record"


@dataclass(slots=True)
class _Brackets:
    """What is known of brackets that do not end: no byte is scanned for each again."""

    budget: int
    """Bytes of documents that may still fail to decode before they are taken as they are."""

    ends: dict[int, int] = field(default_factory=dict)
    """Where those before `reach` cannot go on."""
    reach: int = 0
    opened: list[int] = field(default_factory=list)
    """Those that were open when the first of them was found to be too long."""
    at: int = 0
    colon: bool = False
    is_unsure: bool = False
    """Whether more bytes than are held could let one go on."""


class ReachesOverError(Exception):
    """A record begins before the limit of a window and ends after it."""


def iter_spans(
    data: bytes | IO[bytes],
    offset: int = 0,
    line: int = 1,
    length: int | None = None,
    *,
    ahead: bool = False,
) -> Iterator[Span]:
    """Cut bytes, or the next `length` of an open file, into records.

    `offset` and `line` are where they begin in the file. A record longer than `window.LONGEST` is
    a span with a `reason`; of an array of objects that is longer, each element is a record.

    Where records end may rest on what follows the `length` bytes: with `ahead` that is looked at,
    and where one reaches over their end ReachesOverError is raised.
    """
    file = io.BytesIO(data) if isinstance(data, bytes) else data
    held = window.Window(file, offset, length, ahead=ahead)
    waiting = Waiting()
    for span in _cut(held, line):
        yield from waiting.joined(span)
    rest = list(waiting.rest())  # the file ends before the record does
    if rest and held.goes_on():
        raise ReachesOverError
    yield from rest


def _cut(held: window.Window, line: int) -> Iterator[Span]:
    data = held.data
    at = 3 if held.offset == 0 and data.startswith(b"\xef\xbb\xbf") else 0
    stop, arrays = -1, 0
    brackets = _fresh(data)
    while True:
        start = _BLANK.match(data, at).end()  # type: ignore[union-attr]
        line += data.count(b"\n", at, start)
        if held.is_short(start):
            data = held.moved(start)
            at, stop, brackets = 0, -1, _fresh(data)
            continue
        if start == len(data) or held.is_over(held.offset + start + 1):
            if arrays and held.goes_on():
                raise ReachesOverError
            return
        at, stop, reason, brackets = _sure_end(held, start, stop, brackets)
        data = held.data
        if reason is _IN_ARRAY:
            arrays += 1
            at = start + 1
            continue
        place = held.offset + start
        raw = data[start:at].rstrip(b"\r\n")
        size, below = len(raw.rstrip()), data.count(b"\n", start, at)
        if at - start > window.LONGEST:
            raw, reason = raw[:_HEAD], _too_long(data[start : start + 1])
            if at == len(data) and not held.ended:
                size = held.past_line(start)
                data = held.data
                at, stop, brackets = 0, -1, _fresh(data)
        elif arrays and raw[:1] == b"]" and not raw.strip(b"], \t\r"):
            arrays -= 1
            line += below
            continue
        if held.is_over(place + size):
            raise ReachesOverError
        yield Span(line, place, raw, None, size, reason)
        line += below


def _sure_end(
    held: window.Window, start: int, stop: int, brackets: _Brackets
) -> tuple[int, int, str, _Brackets]:
    """Return where a record ends that begins at `start`, and its line, whatever follows them."""
    while True:
        if start >= stop:
            stop = held.data.find(b"\n", start)
            stop = len(held.data) if stop < 0 else stop
        at, reason = _end(held.data, start, stop, brackets, ended=held.ended)
        if not (brackets.is_unsure and held.grown()):
            brackets.is_unsure = False
            return at, stop, reason, brackets
        stop, brackets = -1, _fresh(held.data)


def _fresh(data: bytes) -> _Brackets:
    return _Brackets(budget=_LEAST + 8 * len(data))


def _too_long(mark: bytes) -> str:
    what = "a JSON document or line" if mark in _PAIRS else "a line"
    return f"{what} longer than {window.LONGEST >> 20} MiB, the most that is read as one"


def _end(  # noqa: PLR0911 - one per kind of record
    data: bytes, start: int, stop: int, brackets: _Brackets, *, ended: bool
) -> tuple[int, str]:
    """Return where the record ends that begins at `start`, with its JSON document, or its line.

    What follows a document on its line is a record of its own, but for punctuation. Beside it, why
    the record is none.
    """
    if run := _SHORT.match(data, start, start + window.LONGEST):
        return run.end(), "a thousand lines or more, each too short to be an alert"
    is_long = stop - start > window.LONGEST
    if data[start : start + 1] not in _PAIRS or (not is_long and _WHOLE.match(data, start, stop)):
        return _line_end(data, start, stop), ""
    if run := _TINIES.match(
        data, start, min(stop, start + window.LONGEST)
    ):  # too small to be alerts: one record
        return run.end(), ""
    end, state = _document_end(data, start, brackets, ended=ended)
    is_array = _ARRAY.match(data, start)
    if is_array and (state is _LONG or (state is _CLOSED and is_too_much(data[start:end]))):
        return start + 1, _IN_ARRAY
    if state is _CLOSED and _decodes(data, start, end, brackets):
        tail = _TAIL.match(data, end, max(end, start + window.LONGEST))
        return tail.end(), ""  # type: ignore[union-attr]
    if is_array:  # a broken array: what it holds may be whole
        return start + 1, ""
    if state is not _CLOSED:
        # a pretty-printed document that breaks off is one record; else each line may hold an alert
        if data[start:stop].rstrip() != b"{":
            return stop, ""
        cut = data.rfind(b"\n", start, end) + 1
        if data[cut : end + 1].lstrip()[:1] in (b'"', b"}", b"]"):  # the line where it was cut off
            cut = data.find(b"\n", end)
        end = max(cut, stop) if cut >= 0 else len(data)
    inner = _NEXT.search(data, start, end)
    return inner.start() if inner else end, _OF_MUCH if state is _LONG else ""


def _line_end(data: bytes, start: int, stop: int) -> int:
    """Return where a line ends, or the message of so many bytes, if another is glued to it."""
    counted = _COUNTED.match(data, start, stop)
    end = counted.end() + int(counted[1]) if counted else stop
    return end if _COUNTED.match(data, end, stop) else stop


def _decodes(data: bytes, start: int, end: int, brackets: _Brackets) -> bool:
    """Return whether a document is JSON; one object on one line is a record either way."""
    is_record = data[start : start + 1] == b"{" and data.find(b"\n", start, end) < 0
    if is_record or brackets.budget < 0:
        return True
    try:
        decode_json(data[start:end].decode("utf-8", "replace"))
    except ValueError:
        brackets.budget -= end - start
        return False
    return True


_CLOSED, _BROKEN, _LONG = "closed", "broken", "long"


def _document_end(data: bytes, start: int, brackets: _Brackets, *, ended: bool) -> tuple[int, str]:
    """Return where a JSON document ends, or where it cannot go on, or is found to be too long."""
    if start >= brackets.reach:
        brackets.ends.clear()
    if start in brackets.ends:
        return brackets.ends[start], _BROKEN
    opened: list[int] = []
    at, colon, count = start, False, 0
    if start < brackets.at and start in brackets.opened:  # it was open there: go on from there
        opened = brackets.opened[brackets.opened.index(start) :]
        at, colon = brackets.at, brackets.colon
    while True:
        after = _SKIP.match(data, at).end()  # type: ignore[union-attr]
        colon = colon and not data[at:after].strip()
        at, mark = after, data[after : after + 1]
        top = data[opened[-1] : opened[-1] + 1] if opened else b""
        cut_off = mark in (b"", b'"') and not ended and data.find(b"\n", at) < 0
        count += 1
        if at - start > window.LONGEST or count > MOST_VALUES or cut_off:
            brackets.opened, brackets.at, brackets.colon = opened, at, colon
            return at, _LONG
        if mark in _PAIRS and len(opened) < DEEPEST and (colon or top != b"{"):
            opened.append(at)
        elif mark and mark == _PAIRS.get(top):
            opened.pop()
            if not opened:
                return at + 1, _CLOSED
        elif mark != b":":
            brackets.is_unsure = data.find(b"\n", at) < 0  # no token reaches over a line's end
            brackets.ends.update(dict.fromkeys(opened, at))
            brackets.reach = max(brackets.reach, at)
            return at, _BROKEN
        at, colon = at + 1, mark == b":"


def is_tiny(raw: bytes) -> bool:
    """Return whether `raw` is a run of documents of which each is too small to be an alert."""
    return _TINIES.fullmatch(raw) is not None
