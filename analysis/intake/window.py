"""A file as a window that slides over it: memory is bounded by the longest record, not by the file.

In: an open file. Out: the stretch of it that is held, which always reaches further than the longest
record can. Where records end is for `spans`.
"""

from __future__ import annotations

from typing import IO

LONGEST = 64 << 20
"""Bytes of one record, at most: a longer one is told, and not read.

Ten thousand alerts in one answer of Elasticsearch, the most it gives, are half of it. An array of
objects may be longer: its elements are records then.
"""

_MARGIN = 64  # no token of JSON that is no string is longer
_BLOCK = 1 << 20
_AHEAD = 4_096


class Window:
    """The bytes of a file from `offset` on: `data` is held, and `ended` tells that no more come.

    No record begins at or behind `limit`, `length` bytes from `offset`. No more than these are held,
    but for a window that is `ahead`, which holds some that follow, and more when asked (`grown`).
    """

    def __init__(
        self, file: IO[bytes], offset: int = 0, length: int | None = None, *, ahead: bool = False
    ) -> None:
        self.data, self.offset, self.ended = b"", offset, False
        self.limit = None if length is None else offset + length
        self._file, self._left, self._ahead = file, length, _AHEAD if ahead else 0
        if self._left is not None:
            self._left += self._ahead
        self._fill()

    def is_over(self, at: int) -> bool:
        """Return whether the file's byte `at` is beyond the limit."""
        return self.limit is not None and at > self.limit

    def goes_on(self) -> bool:
        """Return whether more than blanks follow the limit, as far as it may be known."""
        while self._ahead and not self.data[(self.limit or 0) - self.offset :].strip():
            if not self.grown():
                return False
        return bool(self._ahead)

    def grown(self) -> bool:
        """Hold more of what follows the limit; return whether there was any."""
        if not self._ahead:
            return False
        before = len(self.data)
        self.data += self._file.read(self._ahead)
        self._ahead *= 8
        return len(self.data) > before

    def is_short(self, at: int) -> bool:
        """Return whether a record that begins at `at` may reach out of the window."""
        return not self.ended and len(self.data) - at < LONGEST + _MARGIN

    def moved(self, at: int) -> bytes:
        """Let go of what stands before `at`; return what is held then."""
        self.data = self.data[at:]
        self.offset += at
        self._fill()
        return self.data

    def past_line(self, at: int) -> int:
        """Move to the end of the line that begins at `at` and leaves the window; return its length."""
        length = len(self.data) - at
        self.offset += len(self.data)
        self.data = b""
        while block := self._read(_BLOCK):
            end = block.find(b"\n")
            length += len(block) if end < 0 else end
            self.offset += len(block) if end < 0 else end
            if end >= 0:
                self.data = block[end:]
                break
        self._fill()
        return length

    def _fill(self) -> None:
        held, wanted = [self.data], LONGEST * 3 // 2 + 2 * _MARGIN - len(self.data)
        while wanted > 0 and not self.ended:
            block = self._read(wanted)
            held.append(block)
            wanted -= len(block)
        self.data = b"".join(held) if len(held) > 1 else self.data

    def _read(self, size: int) -> bytes:
        block = self._file.read(size if self._left is None else min(size, self._left))
        if self._left is not None:
            self._left -= len(block)
        self.ended = not block
        return block
