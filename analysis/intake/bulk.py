"""The fast way: plain JSON lines read column by column, and each line held against what was read.

In: a local file of JSON lines. Out: Arrow tables of the alerts, and the rejects. A line with which
a columnar reader cannot be trusted (DuckDB drops unknown keys, turns an odd value into null, rounds
1.5 to 2) goes the slow way, through `records`. A law in the tests: both ways give the same frame.
What a fast line must be: each key known, each value of its kind (`batch`).
"""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analysis.intake import batch, duck, scan
from analysis.intake.peel import peeled, pieces
from analysis.intake.rejects import Rejects
from analysis.intake.spans import ReachesOverError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future
    from pathlib import Path

    from numpy.typing import NDArray

    from analysis.intake.sniff import Kind

    Read = tuple[pa.Table, Rejects]
    Slowly = Callable[[list["Span"]], tuple[pa.Table, NDArray[np.int64], Rejects]]

SMALLEST = 1 << 20
"""Bytes from which the fast way is worth its start."""

_AT_ONCE = 2  # groups that wait to be checked, at most: what is checked takes less room


@dataclass(frozen=True, slots=True)
class Span:
    """Lines to be read the slow way: first byte, length in bytes, number of the first."""

    offset: int
    length: int
    number: int
    ahead: bool = False
    """Whether what follows them is looked at, see `spans.iter_spans`."""


@dataclass(frozen=True, slots=True)
class _Reading:
    """What each batch of a file is checked with."""

    names: dict[str, str]
    place: Callable[[scan.Lines], scan.Lines]
    slowly: Slowly
    wrapper: str


def read_bulk(path: Path, kind: Kind, slowly: Slowly) -> Iterator[Read]:
    """Yield tables of the alerts of a file, and what is none, in order.

    Parameters
    ----------
    path : Path
    kind : Kind
        What `sniff` found. A line with any other field or wrapper goes the slow way.
    slowly : callable
        Reads spans: returns a table of the alerts among them, for each row of it the position of
        its span, and the rejects.

    Notes
    -----
    DuckDB parses on all cores; beside it `scan` counts, and what came of both is checked, batch by
    batch. No row can be trusted before their numbers of lines agree, which their ends tell: a file
    is read in pieces of two gigabytes at most, and memory beyond what the caller keeps is bounded by
    the columns of one.
    """
    if kind.wrapper:
        with peeled(path, kind.wrapper) as payloads:
            if payloads is None:  # records that reach over lines
                yield _all_slowly([Span(0, path.stat().st_size, 1)], slowly)
                return
            for piece, _, first in pieces(payloads.path):
                yield from _read(piece, kind, slowly, partial(payloads.placed, first=first))
    else:
        for piece, offset, first in pieces(path):
            yield from _read(piece, kind, slowly, partial(scan.shifted, offset=offset, first=first))


def _read(
    path: Path, kind: Kind, slowly: Slowly, place: Callable[[scan.Lines], scan.Lines]
) -> Iterator[Read]:
    # DuckDB's names ignore case: of two that differ in case alone, neither is read fast
    folded = Counter(name.casefold() for name in kind.fields)
    plain = [n for n in kind.fields if n and '"' not in n and folded[n.casefold()] == 1]
    # nor of two that would be one column
    plain = [n for n in plain if "." in n or f"output_fields.{n}" not in kind.fields]
    names = {f"f{number}": name for number, name in enumerate(plain)}
    reading = _Reading(names, place, slowly, kind.wrapper)
    found = _fast(path, reading)
    if found is None:
        lines = place(scan.scan_lines(path))
        found = [_all_slowly([_span(lines)], slowly)] if len(lines) else []
    while found:
        yield found.pop(0)


def _fast(path: Path, reading: _Reading) -> list[Read] | None:
    """Return what a file holds; None where DuckDB's rows are not the file's records."""
    for longest in (duck.USUAL, duck.LONGEST):
        with suppress(duck.Unreadable):
            try:
                return _beside(path, reading, longest)
            except ReachesOverError:  # a document of many lines, one of which is an alert
                return None
    return None


def _beside(path: Path, reading: _Reading, longest: int) -> list[Read] | None:
    with ThreadPoolExecutor(1) as aside, ThreadPoolExecutor() as pool:
        ahead = scan.Ahead(path, aside)
        made: list[Future[Read]] = []
        for batches in duck.grouped(path, reading.names, longest):
            count = sum(map(len, batches))
            lines = reading.place(ahead.take(count))
            if len(lines) != count:
                return None
            made.append(pool.submit(_checked, batches, lines, reading))
            if len(made) > _AT_ONCE:
                made[-_AT_ONCE].result()
        return None if len(ahead.take(1)) else [one.result() for one in made]


def _all_slowly(spans: list[Span], slowly: Slowly) -> Read:
    table, _, rejects = slowly(spans)
    return table, rejects


def _checked(batches: list[pa.RecordBatch], lines: scan.Lines, reading: _Reading) -> Read:
    ends = np.cumsum([len(one) for one in batches])
    parts = [
        batch.checked(one, reading.names, lines[end - len(one) : end])
        for one, end in zip(batches, ends, strict=True)
    ]
    good = pa.concat_tables([table for table, _ in parts])
    sound = np.concatenate([fine for _, fine in parts])
    if reading.wrapper:  # it may state what an alert lacks: for the slow way to see
        known = pc.and_(pc.is_valid(good["hostname"]), pc.is_valid(good["source"]))
        sound &= known.to_numpy()
        good = good.append_column("wrapper", label_of(reading.wrapper, len(good)))
    bad = np.flatnonzero(~sound)
    if not len(bad):
        return good, Rejects()
    # odd lines that adjoin may be one record (a pretty-printed alert, a line cut in parts)
    runs = np.split(bad, np.flatnonzero(np.diff(bad) != 1) + 1)
    slow, position, rejects = reading.slowly(
        [_span(lines[run[0] : run[-1] + 1], ahead=True) for run in runs]
    )
    wanted = np.flatnonzero(sound)
    starts = np.array([run[0] for run in runs])
    order = np.argsort(np.concatenate((wanted, starts[position])), kind="stable")
    picked = np.concatenate((wanted, len(good) + np.arange(len(slow))))[order]
    both = pa.concat_tables([good, slow], promote_options="permissive")
    return both.take(pa.array(picked)), rejects


def _span(lines: scan.Lines, *, ahead: bool = False) -> Span:
    offset = int(lines.offset[0])
    end = int(lines.offset[-1] + lines.length[-1])
    return Span(offset, end - offset, int(lines.number[0]), ahead)


def label_of(text: str, count: int) -> pa.DictionaryArray:
    """Return a column of `count` rows that all have `text`, held once."""
    return pa.DictionaryArray.from_arrays(np.zeros(count, dtype=np.int32), pa.array([text]))
