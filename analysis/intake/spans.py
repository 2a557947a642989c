"""bytes -> records: cut a file where its records end, and decode the JSON documents in one.

In: a file's bytes; a record's text. Out: `Span`, in the order in which records end; decoded values.
A record is a line, a JSON document of any number of lines, or the parts that kubelet (CRI `P`/`F`)
or Docker (16 KiB) made of one line. Linear in the file's size; each byte but blanks is in one span.
Knows nothing of alerts.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_DEEPEST = 1_000
_LONG = 8_192
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
_TINIES = re.compile(rb"(?:" + _TINY + rb"){2,}+")
_SKIP = re.compile(rb'(?:[\s,0-9+\-.eE]++|"(?:[^"\\\n]++|\\.)*+"|true|false|null|NaN|-?Infinity)*+')
_COUNTED = re.compile(rb"(\d{1,6}) (?=<\d{1,3}>)")  # RFC 6587: no line end between messages
_CRI = re.compile(rb"(\d{4}-\d\d-\d\dT\S{9,30} (stdout|stderr)) ([PF])(?::\S*)? ")
_DOCKER = re.compile(rb'\{\s*"log"\s*:\s*"((?:[^"\\]++|\\.)*+)"')
_STREAM = re.compile(rb'"stream"\s*:\s*"(\w+)"')
_SURROGATE = re.compile("[\ud800-\udfff]")
_BETWEEN = re.compile(r'[^\w{\["]*+')


@dataclass(frozen=True, slots=True)
class Span:
    """One record in a file: line from 1, first byte, and its bytes.

    `text` is what to decode instead of `raw` where a logger had cut one record into parts; `raw`
    then reaches from the first part to the last, with what stands between them.
    """

    line: int
    offset: int
    raw: bytes
    text: bytes | None = None


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of a line: whose, what, whether it is the last, and what stood around it."""

    stream: tuple[str, bytes]
    content: bytes
    last: bool
    head: bytes
    tail: bytes


@dataclass(slots=True)
class _Brackets:
    """Where the brackets before `reach` end, and whether closed: no byte is scanned for each again."""

    ends: dict[int, tuple[int, bool]] = field(default_factory=dict)
    reach: int = 0
    budget: int = 0
    """Bytes of documents that may still fail to decode before they are taken as they are."""


def iter_spans(data: bytes, offset: int = 0, line: int = 1) -> Iterator[Span]:
    """Cut a file's bytes into records; `offset` and `line` are where `data` begins in the file."""
    waiting: dict[tuple[str, bytes], list[tuple[Span, _Part]]] = {}
    for span in _cut(data, offset, line):
        part = _part(span.raw)
        if part is None or (part.last and part.stream not in waiting):
            yield span
        elif part.last:
            yield _joined([*waiting.pop(part.stream), (span, part)], data, offset)
        elif part.stream in waiting or _opens(part):
            waiting.setdefault(part.stream, []).append((span, part))
        else:
            yield span
    for parts in waiting.values():  # the file ends before the record does
        yield _joined(parts, data, offset)


def _cut(data: bytes, offset: int, line: int) -> Iterator[Span]:
    at = 3 if data.startswith(b"\xef\xbb\xbf") else 0
    stop = -1
    brackets = _Brackets(budget=8 * len(data))
    while True:
        start = _BLANK.match(data, at).end()  # type: ignore[union-attr]
        line += data.count(b"\n", at, start)
        if start == len(data):
            return
        if start >= stop:
            stop = data.find(b"\n", start)
            stop = len(data) if stop < 0 else stop
        at = _end(data, start, stop, brackets)
        yield Span(line, offset + start, data[start:at].rstrip(b"\r\n"))
        line += data.count(b"\n", start, at)


def _end(data: bytes, start: int, stop: int, brackets: _Brackets) -> int:
    """Return where the record ends that begins at `start`: with its JSON document, or its line.

    What follows a document on its line is a record of its own, but for punctuation.
    """
    if data[start : start + 1] not in _PAIRS or _WHOLE.match(data, start, stop):
        return _line_end(data, start, stop)
    if run := _TINIES.match(data, start, stop):  # too small to be alerts: one record
        return run.end()
    end, closed = _document_end(data, start, brackets)
    if closed and _decodes(data, start, end, brackets):
        return _TAIL.match(data, end).end()  # type: ignore[union-attr]
    if _ARRAY.match(data, start):  # a broken array: what it holds may be whole
        return start + 1
    if not closed:
        # a pretty-printed document that breaks off is one record; else each line may hold an alert
        if data[start:stop].rstrip() != b"{":
            return stop
        cut = data.rfind(b"\n", start, end) + 1
        if data[cut : end + 1].lstrip()[:1] in (b'"', b"}", b"]"):  # the line where it was cut off
            cut = data.find(b"\n", end)
        end = max(cut, stop) if cut >= 0 else len(data)
    inner = _NEXT.search(data, start, end)
    return inner.start() if inner else end


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


def _document_end(data: bytes, start: int, brackets: _Brackets) -> tuple[int, bool]:
    """Return where a JSON document ends and True, or where it cannot go on and False."""
    if start >= brackets.reach:
        brackets.ends.clear()
    if start in brackets.ends:
        return brackets.ends[start]
    opened: list[int] = []
    at, colon = start, False
    while True:
        after = _SKIP.match(data, at).end()  # type: ignore[union-attr]
        colon = colon and not data[at:after].strip()
        at, mark = after, data[after : after + 1]
        top = data[opened[-1] : opened[-1] + 1] if opened else b""
        if mark in _PAIRS and len(opened) < _DEEPEST and (colon or top != b"{"):
            opened.append(at)
        elif mark and mark == _PAIRS.get(top):
            brackets.ends[opened.pop()] = at + 1, True
            if not opened:
                brackets.reach = max(brackets.reach, at)
                return at + 1, True
        elif mark != b":":
            brackets.ends.update(dict.fromkeys(opened, (at, False)))
            brackets.reach = max(brackets.reach, at)
            return at, False
        at, colon = at + 1, mark == b":"


def is_tiny(raw: bytes) -> bool:
    """Return whether `raw` is a run of documents of which each is too small to be an alert."""
    return _TINIES.fullmatch(raw) is not None


def _part(raw: bytes) -> _Part | None:
    if match := _CRI.match(raw):
        content = raw[match.end() :]
        return _Part(("cri", match[2]), content, match[3] == b"F", match[1] + b" F ", b"")
    if raw[:1] == b"{" and (match := _DOCKER.match(raw)):
        stream = _STREAM.search(raw, match.end())
        content = match[1]
        # an odd run of backslashes before the n: an escaped newline, Docker's mark of a line's end
        run = len(content) - 1 - len(content[:-1].rstrip(b"\\"))
        last = content.endswith(b"n") and run % 2 == 1
        key = ("docker", stream[1] if stream else b"")
        return _Part(key, content, last, raw[: match.start(1)], raw[match.end(1) :])
    return None


def _opens(part: _Part) -> bool:
    """Return whether a part without its line's end is the first of several, not just unended."""
    if part.stream[0] == "cri" or len(part.content) >= _LONG:
        return True
    try:
        decode_json(json.loads(b'"' + part.content + b'"'))
    except ValueError:
        return part.content.startswith(b"{")
    return False


def _joined(parts: list[tuple[Span, _Part]], data: bytes, offset: int) -> Span:
    first, last = parts[0][0], parts[-1][0]
    raw = data[first.offset - offset : last.offset - offset + len(last.raw)]
    text = parts[0][1].head + b"".join(part.content for _, part in parts) + parts[0][1].tail
    return Span(first.line, first.offset, raw, text)


def decode_json(text: str) -> tuple[list[Any], str]:
    """Decode the JSON documents that stand one after the other in `text`, exactly, and what is left.

    Punctuation between and after them is dropped; what is left begins with what is no document.

    Raises
    ------
    ValueError
        If the first is no JSON, or a key occurs twice, a number is NaN, or nesting is too deep.
    """
    found: list[Any] = []
    at = 0
    try:
        while at < len(text) and (not found or text[at] in "{["):
            try:
                value, at = _DECODER.raw_decode(text, at)
            except (ValueError, RecursionError):
                if found:
                    break
                raise
            found.append(value)
            at = _BETWEEN.match(text, at).end()  # type: ignore[union-attr]
        found = _clean(found) if "\\ud" in text or "\\uD" in text else found
        return found, text[at:]
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except json.JSONDecodeError as error:
        where = f"column {error.colno}" if error.lineno == 1 else f"its line {error.lineno}"
        raise ValueError(f"no JSON: {error.msg.removesuffix(' at')} at {where}") from None
    except ValueError as error:
        if "limit" in str(error):  # Python's own words on integers of more than 4300 digits
            raise ValueError("a number has more digits than a reader can hold") from None
        raise


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"the key {name!r:.60} occurs twice: which value holds is not known")
        found[name] = value
    return found


def _no_constant(name: str) -> None:
    raise ValueError(f"no JSON: {name} is no JSON number")


def _finite(text: str) -> float:
    if math.isinf(number := float(text)):
        raise ValueError(f"the number {text:.40} is beyond what a reader can hold")
    return number


def _clean(value: Any) -> Any:
    """Replace lone surrogates, which no UTF-8 can hold, by U+FFFD."""
    if isinstance(value, str):
        return _SURROGATE.sub("\ufffd", value)
    if isinstance(value, list):
        return [_clean(one) for one in value]
    if isinstance(value, dict):
        return {_clean(key): _clean(one) for key, one in value.items()}
    return value


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite
)
