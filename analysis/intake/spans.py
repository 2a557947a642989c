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
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_DEEPEST = 1_000
_LONG = 8_192
_BLANK = re.compile(rb"\s*")
_PAIRS = {b"{": b"}", b"[": b"]"}
_GLUED = re.compile(rb"[}\]]\s*[{\[]")
_TAIL = re.compile(rb"[^\w{\[\n]*+(?=\n|\Z)")
_SKIP = re.compile(rb'(?:[\s,0-9+\-.eE]++|"(?:[^"\\\n]++|\\.)*+"|true|false|null|NaN|-?Infinity)*+')
_CRI = re.compile(rb"(\d{4}-\d\d-\d\dT\S{9,30} (stdout|stderr)) ([PF])(?::\S*)? ")
_DOCKER = re.compile(rb'\{\s*"log"\s*:\s*"((?:[^"\\]++|\\.)*+)"')
_STREAM = re.compile(rb'"stream"\s*:\s*"(\w+)"')
_SURROGATE = re.compile("[\ud800-\udfff]")
_SPACE = re.compile(r"\s*")


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
    broken: dict[int, int] = {}
    while True:
        start = _BLANK.match(data, at).end()  # type: ignore[union-attr]
        line += data.count(b"\n", at, start)
        if start == len(data):
            return
        is_glued = start < stop
        if not is_glued:
            stop = data.find(b"\n", start)
            stop = len(data) if stop < 0 else stop
        at = (
            stop
            if not is_glued and _is_whole(data[start:stop])
            else _end(data, start, stop, broken)
        )
        yield Span(line, offset + start, data[start:at].rstrip(b"\r\n"))
        line += data.count(b"\n", start, at)


def _is_whole(text: bytes) -> bool:
    """Return whether a line is surely one record: no JSON, or one document by its brackets."""
    text = text.rstrip()
    opener, closer = text[:1], _PAIRS.get(text[:1])
    if closer is None:
        return True
    even = text.endswith(closer) and text.count(opener) == text.count(closer)
    return even and not _GLUED.search(text)


def _end(data: bytes, start: int, stop: int, broken: dict[int, int]) -> int:
    """Return where the record ends that begins at `start`: with its JSON document, or its line."""
    if data[start : start + 1] not in _PAIRS:
        return stop
    end, closed = _document_end(data, start, broken)
    if closed:
        tail = _TAIL.match(data, end)
        return tail.end() if tail else end
    # a pretty-printed document that breaks off is one record; else each line may hold an alert
    if data[start:stop].rstrip() != b"{":
        return stop
    cut = data.rfind(b"\n", start, end) + 1
    if data[cut : end + 1].lstrip()[:1] in (b'"', b"}", b"]"):  # the line at which it was cut off
        cut = data.find(b"\n", end)
    return max(cut, stop) if cut >= 0 else len(data)


def _document_end(data: bytes, start: int, broken: dict[int, int]) -> tuple[int, bool]:
    """Return where a JSON document ends and True, or where it cannot go on and False.

    `broken` remembers each bracket left open there, so that no byte is looked at for each of them.
    """
    if start in broken:
        return broken[start], False
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
            opened.pop()
            if not opened:
                return at + 1, True
        elif mark != b":":
            broken.update(dict.fromkeys(opened, at))
            return at, False
        at, colon = at + 1, mark == b":"


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


def decode_json(text: str) -> list[Any]:
    """Decode the JSON documents that stand one after the other in `text`, exactly.

    Raises
    ------
    ValueError
        If the first is no JSON, or a key occurs twice, a number is NaN, or nesting is too deep.
    """
    found: list[Any] = []
    at = 0
    try:
        while at < len(text) and (not found or text[at] in "{["):
            value, at = _DECODER.raw_decode(text, at)
            found.append(value)
            at = _SPACE.match(text, at).end()  # type: ignore[union-attr]
        return _clean(found) if "\\ud" in text or "\\uD" in text else found
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
