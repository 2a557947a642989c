"""Parts -> records: lines that a logger cut, joined again.

In: spans, in order. Out: spans, in order; kubelet's parts (CRI `P`/`F`) and Docker's (16 KiB, no
line end) of one line as one of them. Where records end is for `spans`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from analysis.intake import window
from analysis.intake.decoding import decode_json

if TYPE_CHECKING:
    from collections.abc import Iterator

_LONG = 8_192
_OVERHEAD = 512  # bytes of memory that a part takes beside its own
_CRI = re.compile(rb"(\d{4}-\d\d-\d\dT\S{9,30} (stdout|stderr)) ([PF])(?::\S*)? ")
_DOCKER = re.compile(rb'\{\s*"log"\s*:\s*"((?:[^"\\]++|\\.)*+)"')
_STREAM = re.compile(rb'"stream"\s*:\s*"(\w+)"')


@dataclass(frozen=True, slots=True)
class Span:
    """One record in a file: line from 1, first byte, and its bytes.

    `text` is what to decode instead of `raw` where a logger had cut one record into parts; `raw`
    is the first of them then, and `length` reaches to the last, with what stands between.
    """

    line: int
    offset: int
    raw: bytes
    """Its bytes; how it begins, where it has parts, or too many to be held."""
    text: bytes | None = None
    length: int = 0
    """How many bytes it has in the file."""
    reason: str = ""
    """Why it is not to be decoded."""


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of a line: whose, what, whether it is the last, and what stood around it."""

    stream: tuple[str, bytes]
    content: bytes
    last: bool
    head: bytes
    tail: bytes


@dataclass(slots=True)
class _Line:
    """What has come of a line: its first part, all contents, where it ends as yet."""

    first: Span
    part: _Part
    contents: list[bytes]
    end: int


class Waiting:
    """The parts of lines whose last part is still to come."""

    def __init__(self) -> None:
        self._lines: dict[tuple[str, bytes], _Line] = {}
        self._size = 0

    def joined(self, span: Span) -> Iterator[Span]:
        """Take a span, and yield the records that are whole with it."""
        part = None if span.reason else _part(span.raw)
        if part is None or (part.last and part.stream not in self._lines):
            yield span
            return
        if not part.last and part.stream not in self._lines and not _opens(part):
            yield span
            return
        line = self._lines.setdefault(part.stream, _Line(span, part, [], 0))
        line.contents.append(part.content)
        line.end = span.offset + len(span.raw)
        self._size += len(part.content) + _OVERHEAD
        if self._size > window.LONGEST:
            yield from self.rest(f"parts of a line, together more than {window.LONGEST >> 20} MiB")
        elif part.last:
            self._size -= len(line.contents) * _OVERHEAD + sum(map(len, line.contents))
            yield self._record(self._lines.pop(part.stream))

    def rest(self, reason: str = "") -> Iterator[Span]:
        """Yield what has come, as it is: no more will."""
        yield from (self._record(line, reason) for line in self._lines.values())
        self._lines.clear()
        self._size = 0

    def _record(self, line: _Line, reason: str = "") -> Span:
        first = line.first
        text = line.part.head + b"".join(line.contents) + line.part.tail
        length = line.end - first.offset
        return Span(first.line, first.offset, first.raw, text, length, reason)


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
