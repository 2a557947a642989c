"""The fast way: plain JSON lines read column by column, and each line held against what was read.

In: a local file of JSON lines. Out: one Arrow table for the lines that are alerts, and spans of
the lines that a columnar reader cannot be trusted with (DuckDB drops unknown keys, turns an odd
value into null, rounds 1.5 to 2): those go the slow way, through `records`. A law in the tests:
both ways give the same frame. What a fast line must be: each key known, each value of its kind.
"""

from __future__ import annotations

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analysis.intake import columns, duck, scan
from analysis.intake.peel import peeled, pieces
from analysis.intake.records import CLOCKS, NOTICE
from analysis.schema import PRIORITIES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from analysis.intake.sniff import Kind

    Slowly = Callable[[list["Span"]], tuple[pa.Table, NDArray[np.int64]]]

SMALLEST = 1 << 20
"""Bytes from which the fast way is worth its start."""

_WEIGHTS = {"string": scan.STRING, "any": scan.STRING, "bool": scan.OTHER, "list": scan.OTHER}
_FIELDS = scan.OTHER  # `output_fields` itself is one key
_COUNTED = ~np.int64(0xFFFF * scan.NULL)  # how many nulls there are tells nothing


@dataclass(frozen=True, slots=True)
class Span:
    """Lines to be read the slow way: first byte, length in bytes, number of the first."""

    offset: int
    length: int
    number: int


@dataclass(frozen=True, slots=True)
class _Reading:
    """What each batch of a file is checked with."""

    names: dict[str, str]
    lines: scan.Lines
    slowly: Slowly
    wrapper: str


def read_bulk(
    path: Path,
    kind: Kind,
    slowly: Slowly,
) -> Iterator[pa.Table]:
    """Yield tables of the alerts of a file, in order.

    Parameters
    ----------
    path : Path
    kind : Kind
        What `sniff` found. A line with any other field or wrapper goes the slow way.
    slowly : callable
        Reads spans: returns a table of the alerts among them, and for each row of it the position
        of its span. Spans without a row are no alerts; what they are is the callable's to keep.

    Notes
    -----
    DuckDB parses on all cores; `scan` counts beside it. A file is read in pieces of two gigabytes at
    most: memory beyond what the caller keeps is bounded by the columns of one.
    """
    if kind.wrapper:
        with peeled(path, kind.wrapper) as payloads:
            if payloads is None:  # records that reach over lines
                yield slowly([Span(0, path.stat().st_size, 1)])[0]
                return
            for piece, _, first in pieces(payloads.path):
                yield from _read(piece, kind, slowly, partial(payloads.placed, first=first))
    else:
        for piece, offset, first in pieces(path):
            yield from _read(piece, kind, slowly, partial(scan.shifted, offset=offset, first=first))


def _read(
    path: Path, kind: Kind, slowly: Slowly, place: Callable[[scan.Lines], scan.Lines]
) -> Iterator[pa.Table]:
    # DuckDB's names ignore case: of two that differ in case alone, neither is read fast
    folded = Counter(name.casefold() for name in kind.fields)
    plain = [n for n in kind.fields if n and '"' not in n and folded[n.casefold()] == 1]
    # nor of two that would be one column
    plain = [n for n in plain if "." in n or f"output_fields.{n}" not in kind.fields]
    names = {f"f{number}": name for number, name in enumerate(plain)}
    with ThreadPoolExecutor(1) as aside:
        scanned = aside.submit(scan.scan_lines, path)
        batches = list(duck.batches(path, names))
        lines = place(scanned.result())
    if sum(len(batch) for batch in batches) != len(lines.offset):
        if len(lines.offset):
            yield slowly([_span(lines, np.arange(len(lines.offset)))])[0]
        return
    reading = _Reading(names, lines, slowly, kind.wrapper)
    starts = np.cumsum([0] + [len(batch) for batch in batches])
    with ThreadPoolExecutor() as pool:
        # a batch is let go of as soon as it is checked
        waiting = [
            pool.submit(_checked, batches.pop(0), int(start), reading) for start in starts[:-1]
        ]
        while waiting:
            yield waiting.pop(0).result()


def _label(batch: pa.RecordBatch, names: dict[str, str]) -> pa.RecordBatch:
    """Give the columns their names, and keep text of few distinct values once."""
    arrays, found = [], []
    for short, column in zip(batch.schema.names, batch.columns, strict=True):
        name = columns.field_column(names[short]) if short in names else short
        found.append(name)
        arrays.append(
            column.dictionary_encode() if name in columns.LABELS or name == "tags" else column
        )
    return pa.RecordBatch.from_arrays(arrays, names=found)


def _checked(batch: pa.RecordBatch, start: int, reading: _Reading) -> pa.Table:
    names, lines = reading.names, reading.lines
    batch = _label(batch, names)
    rows = slice(start, start + len(batch))
    times, timely = _times(batch.column("time"))
    sound = (lines.counts[rows] & _COUNTED) == _expected(batch)
    sound &= timely & _is_alert(batch) & _has_fields(batch, names)
    good = _table(batch, times, lines, rows)
    if reading.wrapper:  # it may state what an alert lacks: for the slow way to see
        sound &= _stated(batch)
        good = good.append_column("wrapper", label_of(reading.wrapper, len(good)))
    bad = np.flatnonzero(~sound)
    if not len(bad):
        return good
    # odd lines that adjoin may be one record (a pretty-printed alert, a line cut in parts)
    runs = np.split(bad, np.flatnonzero(np.diff(lines.number[bad + start]) != 1) + 1)
    slow, position = reading.slowly([_span(lines, run + start) for run in runs])
    wanted = np.flatnonzero(sound)
    bad = np.array([run[0] for run in runs])
    both = pa.concat_tables([good, slow], promote_options="permissive")
    order = np.argsort(np.concatenate((wanted, bad[position])), kind="stable")
    picked = np.concatenate((wanted, len(good) + np.arange(len(slow))))[order]
    return both.take(pa.array(picked))


def _span(lines: scan.Lines, rows: NDArray[np.int64]) -> Span:
    first, last = int(rows[0]), int(rows[-1])
    offset = int(lines.offset[first])
    end = int(lines.offset[last] + lines.length[last])
    return Span(offset, end - offset, int(lines.number[first]))


def _expected(batch: pa.RecordBatch) -> NDArray[np.int64]:
    """Return the counts that `scan` must have found if nothing was lost on the way."""
    total = np.full(len(batch), _FIELDS, dtype=np.int64)
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        kind = (
            "list"
            if name == "tags"
            else "string"
            if name in duck.TEXTS
            else columns.field_kind(name)
        )
        weight = _WEIGHTS.get(kind, scan.NUMBER)
        if column.null_count:
            total += pc.is_valid(column).to_numpy(zero_copy_only=False) * np.int64(weight)
        else:
            total += weight
    return total


def _is_alert(batch: pa.RecordBatch) -> NDArray[np.bool_]:
    names = batch.column("rule").cast(pa.string())
    rule = pc.and_(pc.is_valid(names), pc.not_equal(names, ""))
    priority = pc.is_in(batch.column("priority").cast(pa.string()), pa.array(PRIORITIES))
    tags = batch.column("tags")
    odd = [text for text in tags.dictionary.to_pylist() if _tags(text) is None]
    fine = pc.invert(pc.is_in(tags.cast(pa.string()), pa.array(odd, pa.string())))
    sourced = pc.or_(pc.is_valid(batch.column("source")), pc.invert(pc.starts_with(names, NOTICE)))
    alert = pc.fill_null(pc.and_(pc.and_(rule, priority), pc.and_(fine, sourced)), False)
    return alert.to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]


def _times(texts: pa.Array) -> tuple[pa.Array, NDArray[np.bool_]]:
    """Return times, and whether each is one: UTC, of a year that 64 bits of ns can hold."""
    timely = pc.and_(pc.ends_with(texts, "Z"), pc.starts_with(texts, "20"))
    whole = pc.greater_equal(pc.utf8_length(texts), len("2025-09-04T15:33:20Z"))
    timely = pc.fill_null(pc.and_(timely, whole), False)
    try:
        times = pc.if_else(timely, texts, None).cast(columns.TIME)
    except pa.ArrowInvalid:
        strict = pc.match_substring_regex(texts, r"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$")
        timely = pc.and_(timely, pc.fill_null(strict, False))
        try:
            times = pc.if_else(timely, texts, None).cast(columns.TIME)
        except pa.ArrowInvalid:  # a 13th month: let the slow way say so
            timely = pa.array(np.zeros(len(texts), dtype=bool))
            times = pa.nulls(len(texts), columns.TIME)
    return times, timely.to_numpy(zero_copy_only=False)


def _has_fields(batch: pa.RecordBatch, names: dict[str, str]) -> NDArray[np.bool_]:
    """Return which rows have a field beside the clock: others are read from their text."""
    found = np.zeros(len(batch), dtype=bool)
    for name in names.values():
        if name not in CLOCKS and not found.all():
            column = batch.column(columns.field_column(name))
            found |= pc.is_valid(column).to_numpy(zero_copy_only=False)
    return found


def _stated(batch: pa.RecordBatch) -> NDArray[np.bool_]:
    known = pc.and_(pc.is_valid(batch.column("hostname")), pc.is_valid(batch.column("source")))
    return known.to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]


def label_of(text: str, count: int) -> pa.DictionaryArray:
    """Return a column of `count` rows that all have `text`, held once."""
    return pa.DictionaryArray.from_arrays(np.zeros(count, dtype=np.int32), pa.array([text]))


def _table(batch: pa.RecordBatch, times: pa.Array, lines: scan.Lines, rows: slice) -> pa.Table:
    made: dict[str, Any] = {}
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        if name == "time":
            made[name] = times
        elif name == "tags":
            texts = [
                text if _tags(text) is not None else "[]" for text in column.dictionary.to_pylist()
            ]
            made[name] = pa.DictionaryArray.from_arrays(
                column.indices, pa.array(texts, pa.string())
            )
        elif (kind := columns.arrow_type(name)) == column.type or pa.types.is_dictionary(kind):
            made[name] = column
        elif pa.types.is_duration(kind):
            made[name] = column.view(pa.int64()).view(kind)  # beyond 2^63 it wrapped
        else:
            made[name] = column.view(kind) if pa.types.is_timestamp(kind) else column.cast(kind)
    made["origin_offset"] = pa.array(lines.offset[rows])
    made["origin_length"] = pa.array(lines.length[rows])
    made["origin_line"] = pa.array(lines.number[rows])
    return pa.table(made)


def _tags(text: str) -> list[str] | None:
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, list) and all(isinstance(tag, str) for tag in found) else None
