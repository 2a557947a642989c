"""A batch that DuckDB read, held against its lines: its columns, and which rows are surely right.

In: a batch of `duck`, and the lines that `scan` found for it. Out: a table as `records` would make
it, and for each row whether nothing was lost or bent. The other rows are for `bulk` to read again.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analysis.intake import columns, duck, scan
from analysis.intake.records import CLOCKS, NOTICE
from analysis.schema import PRIORITIES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

_WEIGHTS = {"string": scan.STRING, "any": scan.STRING, "bool": scan.OTHER, "list": scan.OTHER}
_EACH = (scan.STRING, scan.NUMBER, scan.OTHER)
_FIELDS = scan.OTHER  # `output_fields` itself is one key
_COUNTED = ~np.int64(0xFFFF * scan.NULL)  # how many nulls there are tells nothing


def checked(
    batch: pa.RecordBatch, names: dict[str, str], lines: scan.Lines
) -> tuple[pa.Table, NDArray[np.bool_]]:
    """Return a batch as alerts, and which of them are surely what their lines say.

    `names` are those of the output fields: short name -> field, as `duck.batches` was given them.
    """
    batch = _labelled(batch, names)
    times, sound = _times(batch.column("time"))
    sound &= (lines.counts & _COUNTED) == _expected(batch)
    sound &= _is_alert(batch) & _is_finite(batch)
    sound &= _has_fields(batch, names.values(), sound)
    return _table(batch, times, lines), sound


def _labelled(batch: pa.RecordBatch, names: dict[str, str]) -> pa.RecordBatch:
    """Give the columns their names, and keep text of few distinct values once."""
    arrays, found = [], []
    for short, column in zip(batch.schema.names, batch.columns, strict=True):
        name = columns.field_column(names[short]) if short in names else short
        found.append(name)
        arrays.append(
            column.dictionary_encode() if name in columns.LABELS or name == "tags" else column
        )
    return pa.RecordBatch.from_arrays(arrays, names=found)


def _expected(batch: pa.RecordBatch) -> NDArray[np.int64]:
    """Return the counts that `scan` must have found if nothing was lost on the way."""
    found = {weight: np.zeros(len(batch), dtype=np.uint16) for weight in _EACH}
    always = _FIELDS
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
            found[weight] += pc.is_valid(column).to_numpy(zero_copy_only=False)
        else:
            always += weight
    total = np.full(len(batch), always, dtype=np.int64)
    for weight, count in found.items():
        total += count.astype(np.int64) * weight
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


def _is_finite(batch: pa.RecordBatch) -> NDArray[np.bool_]:
    """Return which rows have no number beyond all floats: DuckDB makes it infinite."""
    finite = np.ones(len(batch), dtype=bool)
    for column in batch.columns:
        if pa.types.is_floating(column.type) and column.null_count < len(column):
            finite &= pc.fill_null(pc.is_finite(column), True).to_numpy(zero_copy_only=False)
    return finite


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


def _has_fields(
    batch: pa.RecordBatch, names: Iterable[str], wanted: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Return which of the rows wanted have a field beside the clock: others are read from their text."""
    found = ~wanted
    for name in names:
        if found.all():
            break
        if name not in CLOCKS:
            column = batch.column(columns.field_column(name))
            found |= pc.is_valid(column).to_numpy(zero_copy_only=False)
    return found & wanted


def _table(batch: pa.RecordBatch, times: pa.Array, lines: scan.Lines) -> pa.Table:
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
    made["origin_offset"] = pa.array(lines.offset)
    made["origin_length"] = pa.array(lines.length)
    made["origin_line"] = pa.array(lines.number)
    return pa.table(made)


def _tags(text: str) -> list[str] | None:
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, list) and all(isinstance(tag, str) for tag in found) else None
