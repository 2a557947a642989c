r"""Look over a file of JSON lines without parsing it: where lines stand, how many values of each kind.

In: a file. Out: offsets and lengths of its lines, and for each a count of strings, numbers, nulls
and other values by key. `bulk` holds these counts against what a columnar JSON reader returned: a
line for which they differ lost something (an unknown key, an odd value) and is read again, slowly.

A key is seen as the two bytes `":`. In valid JSON they stand outside of strings only after a key; a
string may hold them as `\":`, which makes a count too high and the line be read slowly: never a loss.
"""

from __future__ import annotations

from dataclasses import dataclass
from queue import SimpleQueue
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from concurrent.futures import Executor
    from pathlib import Path

    from numpy.typing import NDArray

STRING, NUMBER, NULL, OTHER = 1, 1 << 16, 1 << 32, 1 << 48
"""Weights of one value of each kind in a line's count: four counters of 16 bits in one integer."""

BLOCK = 1 << 20
_MARGIN = 32
_MOST_KEYS = 1 << 15  # of one line; beyond, a counter could run into its neighbour

_WEIGHT = np.full(256, OTHER, dtype=np.int64)
_WEIGHT[ord('"')] = STRING
_WEIGHT[ord("-")] = NUMBER
_WEIGHT[ord("0") : ord("9") + 1] = NUMBER
_WEIGHT[ord("n")] = NULL
_NONE = np.empty(0, dtype=np.int64)
_WORD = 8  # bytes, and bits of each
# a byte whose upper half is that of a digit may also be one of :;<=>?, which follow no number
_HIGH, _DIGITS = np.uint64(0xF0F0F0F0F0F0F0F0), np.uint64(0x3030303030303030)
_ONE = np.uint64(1)
_NUMBER_END = np.zeros(256, dtype=bool)
_NUMBER_END[[ord(","), ord("}")]] = True


@dataclass(frozen=True, slots=True)
class Lines:
    """The non-blank lines of a file: first byte, length without line end, number, and counts."""

    offset: NDArray[np.int64]
    length: NDArray[np.int64]
    number: NDArray[np.int64]
    counts: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.counts)

    def __getitem__(self, rows: slice) -> Lines:
        return Lines(self.offset[rows], self.length[rows], self.number[rows], self.counts[rows])


def shifted(lines: Lines, *, offset: int, first: int) -> Lines:
    """Return the lines of a piece of a file with their places in the file."""
    return Lines(lines.offset + offset, lines.length, lines.number + first, lines.counts)


def scan_lines(path: Path) -> Lines:
    """Return the non-blank lines of a file; a count of -1 marks a line that must be read slowly."""
    return _joined(list(_blocks(path)))


class Ahead:
    """The same lines, looked for in a thread of `pool`, to be taken so many at a time."""

    def __init__(self, path: Path, pool: Executor) -> None:
        self._found: SimpleQueue[Lines | None] = SimpleQueue()
        self._held = _joined([])
        self._looked = pool.submit(self._look, path)

    def _look(self, path: Path) -> None:
        try:
            for part in _blocks(path):
                self._found.put(part)
        finally:
            self._found.put(None)

    def take(self, count: int) -> Lines:
        """Return the next lines, `count` of them or what there is; wait until they are found."""
        parts = [self._held]
        missing = count - len(self._held)
        while missing > 0:
            part = self._found.get()
            if part is None:
                self._found.put(None)  # for who asks again
                self._looked.result()  # raises what stopped it, if anything did
                break
            parts.append(part)
            missing -= len(part)
        lines = _joined(parts)
        self._held = lines[count:]
        return lines[:count]


def _joined(parts: Sequence[Lines]) -> Lines:
    columns = [(part.offset, part.length, part.number, part.counts) for part in parts]
    return Lines(*map(np.concatenate, zip([_NONE] * 4, *columns, strict=True)))


def _blocks(path: Path) -> Iterator[Lines]:
    room = _Room(BLOCK)
    base = number = held = 0
    with path.open("rb", buffering=0) as file:
        while True:
            read = file.readinto(memoryview(room.buffer)[held : room.size]) or 0
            filled = held + read
            if not filled:
                break
            ends = _line_ends(room.buffer, filled)
            if read and not len(ends):
                if filled == room.size:  # one line fills the block: make room for all of it
                    room = room.doubled(filled)
                held = filled
                continue
            if not read:
                ends = np.append(ends, filled)
            used = int(ends[-1]) + bool(read)
            yield _lines(room, ends, base, number)
            number += len(ends)
            base += used
            held = filled - used
            room.buffer[:held] = room.buffer[used:filled]
            if not read:
                break


class _Room:
    """A block of a file, and room to work on it: one allocation for all blocks."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.buffer = bytearray(size + _MARGIN)
        self.block = np.frombuffer(self.buffer, np.uint8)
        self.words = np.ndarray((size,), np.uint64, self.buffer, strides=(1,))
        self.masks = np.empty((2, size), dtype=bool)

    def doubled(self, filled: int) -> _Room:
        grown = _Room(2 * self.size)
        grown.buffer[:filled] = self.buffer[:filled]
        return grown


def _line_ends(buffer: bytearray, filled: int) -> NDArray[np.int64]:
    # lines are long: a search from one to the next beats looking at each byte
    ends = []
    at = buffer.find(b"\n", 0, filled)
    while at >= 0:
        ends.append(at)
        at = buffer.find(b"\n", at + 1, filled)
    return np.array(ends, dtype=np.int64)


def _lines(room: _Room, ends: NDArray[np.int64], base: int, number: int) -> Lines:
    block = room.block
    starts = np.concatenate(([0], ends[:-1] + 1))
    lengths = ends - starts
    # a line end of Windows is no part of the line
    lengths = lengths - ((lengths > 0) & (block[np.maximum(ends - 1, 0)] == ord("\r")))
    counts = _counts(room, starts, int(ends[-1]))
    # blanks around an alert are no part of it: for the slow way to see
    last = np.maximum(starts + lengths - 1, 0)
    counts[(block[starts] != ord("{")) | (block[last] != ord("}"))] = -1
    numbers = number + 1 + np.arange(len(ends))
    kept = lengths > 0
    short = np.flatnonzero(kept & (lengths < 64) & (counts == -1))  # noqa: PLR2004 - may be blanks only
    for at in short:
        if not bytes(block[starts[at] : ends[at]]).strip():
            kept[at] = False
    return Lines(starts[kept] + base, lengths[kept], numbers[kept], counts[kept])


def _counts(room: _Room, starts: NDArray[np.int64], end: int) -> NDArray[np.int64]:
    block, (is_key, is_colon) = room.block, room.masks[:, :end]
    np.equal(block[:end], ord('"'), out=is_key)
    np.equal(block[1 : end + 1], ord(":"), out=is_colon)
    np.logical_and(is_key, is_colon, out=is_key)
    keys = np.flatnonzero(is_key)
    if not len(keys):
        return np.zeros(len(starts), dtype=np.int64)
    weights = np.take(_WEIGHT, np.take(block[2:], keys))
    first = np.searchsorted(keys, starts)
    # the zero is for lines without a key behind the last key, which would take that one from its line
    counts = np.add.reduceat(np.append(weights, 0), first)
    many = np.diff(first, append=len(keys))
    counts[many == 0] = 0
    counts[many > _MOST_KEYS] = -1
    numbers = keys[weights == NUMBER]
    numbers += 3
    odd = _odd_numbers(room, numbers[numbers < end], end)
    if len(odd):
        counts[np.searchsorted(starts, odd, side="right") - 1] = -1
    return counts


def _odd_numbers(room: _Room, at: NDArray[np.int64], end: int) -> NDArray[np.int64]:
    """Return where a number is anything but digits up to a comma or brace: 1.5, 1e3, a blank."""
    odd = [_NONE]
    while len(at):
        other = (room.words[at] & _HIGH) ^ _DIGITS  # eight bytes at once: zero where a digit stands
        # the lowest bit that differs tells the byte; where none does, all are digits
        digits = np.bitwise_count((other & (~other + _ONE)) - _ONE) // _WORD
        whole = digits == _WORD
        stops = at[~whole]
        fine = np.take(_NUMBER_END, np.take(room.block, stops + digits[~whole]))
        if not fine.all():
            odd.append(stops[~fine])
        at = at[whole] + _WORD
        at = at[at < end]
    return np.concatenate(odd)
