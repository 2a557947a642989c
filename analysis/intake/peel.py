"""Take a common wrapper off each line of a file, so that the fast way can read what is inside.

In: a file whose lines mostly carry one JSON alert each in the same wrapper (a prefix, or Docker's
json-file object). Out: a temporary file of the payloads, one for one with the non-blank lines, and
where each of these stood. A line that is wrapped otherwise leaves a mark that is no JSON: it goes
the slow way, as a whole, from its own place.
"""

from __future__ import annotations

import re
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import orjson

from analysis.intake.wrappers import unwrap

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from analysis.intake.scan import Lines

PIECE = 2 << 30
"""Bytes of a file that are read at a time."""

_OTHERWISE = b"-"
_BLOCK = 8 << 20
# kubelet's full lines; a P marks a part, to be joined with others by the slow way
_CRI = re.compile(rb"\d{4}-\d\d-\d\dT\S{9,30} (?:stdout|stderr) F (?=\{)")
_DOCKER_KEYS = {"log", "stream", "attrs", "time"}
_PART = {
    "cri": re.compile(rb"\S+ \S+ P[ :]"),
    "docker": re.compile(rb'\{"log":"(?:[^"\\]++|\\.)*+(?<!\\n)",'),
}


@dataclass(frozen=True, slots=True)
class Peeled:
    """The payloads' file, and the origin of each of its lines."""

    path: Path
    wrapper: str
    offset: np.ndarray
    length: np.ndarray
    number: np.ndarray

    def placed(self, lines: Lines, *, first: int) -> Lines:
        """Return payloads' lines, from the `first` on, with the places of the lines they came from."""
        # blank lines are no payloads: each line is one
        rows = first + lines.number - 1
        return type(lines)(self.offset[rows], self.length[rows], self.number[rows], lines.counts)


def pieces(path: Path, size: int | None = None) -> Iterator[tuple[Path, int, int]]:
    """Yield a file in pieces that end with a line: a path, its first byte, and the lines before it.

    A file of no more than `size` bytes (PIECE) is its own piece; else each piece is a copy, gone
    when the next is asked for.
    """
    most = size or PIECE
    if path.stat().st_size <= most:
        yield path, 0, 0
        return
    offset = first = 0
    with path.open("rb") as file:
        while block := file.read(min(most, _BLOCK)):
            with tempfile.NamedTemporaryFile(prefix="falco-casebook-") as copy:
                length = lines = 0
                while block:
                    copy.write(block)
                    length += len(block)
                    lines += block.count(b"\n")
                    if length >= most:
                        break
                    block = file.read(min(most - length, _BLOCK))
                if block and not block.endswith(b"\n"):
                    rest = file.readline()
                    copy.write(rest)
                    length += len(rest)
                    lines += rest.endswith(b"\n")
                copy.flush()
                yield Path(copy.name), offset, first
            offset += length
            first += lines


@contextmanager
def peeled(path: Path, wrapper: str) -> Iterator[Peeled | None]:
    """Lend the payloads of a file; None where its lines cannot be taken one by one."""
    take = _TAKE.get(wrapper) or _prefix(wrapper)
    part = _PART.get(wrapper)
    places: list[np.ndarray] = []
    offset, number = 0, 1
    with tempfile.NamedTemporaryFile(prefix="falco-casebook-") as copy, path.open("rb") as file:
        while block := file.read(_BLOCK):
            block += file.readline()  # up to a line's end
            lines = block.split(b"\n")
            if not lines[-1]:
                lines.pop()
            blanks = _blanks(lines)
            payloads = [take(line) for line in lines]
            if part and any(
                payload is None and part.match(line)
                for line, payload in zip(lines, payloads, strict=True)
            ):
                yield None
                return
            kept = [
                _OTHERWISE if payload is None else payload
                for line, payload in zip(lines, payloads, strict=True)
                if line
            ]
            copy.write(b"\n".join([*kept, b""]))
            places.append(_places(lines, blanks, offset, number))
            offset += len(block)
            number += len(lines)
        copy.flush()
        columns = np.concatenate(places, axis=1) if places else np.empty((3, 0), dtype=np.int64)
        yield Peeled(Path(copy.name), wrapper, *columns)


def _blanks(lines: list[bytes]) -> dict[int, tuple[int, int]]:
    """Take off blanks around records; return how many stood at either side, where any did."""
    found = {}
    for n in [n for n, one in enumerate(lines) if one[-1:] != b"}" or one[:1].isspace()]:
        line = lines[n]
        lines[n] = line.strip()
        ahead = len(line) - len(line.lstrip())
        found[n] = ahead, len(line) - len(lines[n]) - ahead
    return found


def _places(
    lines: list[bytes], blanks: dict[int, tuple[int, int]], offset: int, number: int
) -> np.ndarray:
    lengths = np.fromiter(map(len, lines), np.int64, len(lines))
    ahead, behind = np.zeros((2, len(lines)), dtype=np.int64)
    for n, (before, after) in blanks.items():
        ahead[n], behind[n] = before, after
    sizes = ahead + lengths + behind + 1
    starts = offset + np.cumsum(sizes) - sizes + ahead
    return np.stack([starts, lengths, number + np.arange(len(lines))])[:, lengths > 0]


def _cri(line: bytes) -> bytes | None:
    header = _CRI.match(line)
    return line[header.end() :] if header else None


def _docker(line: bytes) -> bytes | None:
    if not line.startswith(b'{"log":"{'):
        return None
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    text = record["log"]
    if not record.keys() <= _DOCKER_KEYS or type(text) is not str or not text.endswith("}\n"):
        return None
    return text.encode()[:-1] if text.find("\n") == len(text) - 1 else None


_TAKE: dict[str, Callable[[bytes], bytes | None]] = {"cri": _cri, "docker": _docker}


def _prefix(wrapper: str) -> Callable[[bytes], bytes | None]:
    """Return what takes off a prefix that `wrappers` calls by this name.

    Prefixes that differ in their digits alone (times, process ids) are told once.
    """
    known: dict[bytes, bool] = {}

    def take(line: bytes) -> bytes | None:
        at = line.find(b'{"')
        if at <= 0:
            return None
        shape = line[:at].translate(_DIGITS)
        if shape not in known:
            known[shape] = len(known) < _MOST_SHAPES and _is_wrapper(line, wrapper)
        return line[at:] if known[shape] else None

    return take


_DIGITS = bytes.maketrans(b"0123456789", b"0" * 10)
_MOST_SHAPES = 10_000


def _is_wrapper(line: bytes, wrapper: str) -> bool:
    try:
        payloads = unwrap(line)
    except ValueError:
        return False
    return len(payloads) == 1 and payloads[0].wrapper == wrapper and payloads[0].alert is not None
