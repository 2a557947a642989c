"""Kinds become columns: one Arrow type per kind of field, and one way to read a JSON value as it.

In: names and JSON values. Out: Arrow arrays, then pandas columns. The same name has the same type
in every load. A value that is none of its field's kind is not bent to it: it goes to `unparsed`.
"""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from analysis.intake.kinds import kind_of
from analysis.schema import ENVELOPE, PRIORITY

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

TIME = pa.timestamp("ns", "UTC")
TEXT = pa.large_string()  # what pandas keeps: no copy on the way
TEXTS = pa.list_(pa.string())
_DIGITS = re.compile(r"-?[0-9]{1,20}")
_LABEL = pa.dictionary(pa.int32(), pa.string())
_FEW = 10_000  # rows that are not worth a second core

_TYPES = {
    "int": pa.int64(),
    "uint": pa.uint64(),
    "bool": pa.bool_(),
    "float": pa.float64(),
    "abstime": TIME,
    "reltime": pa.duration("ns"),
    "list": TEXTS,
}

# few distinct values among many alerts: kept once each (pandas: category)
LABELS = frozenset(
    {
        *(
            "rule",
            "priority",
            "source",
            "hostname",
            "wrapper",
            "origin_file",
            "evt.type",
            "evt.res",
        ),
        *("evt.arg.flags", "container.id", "container.name", "container.image.repository"),
        *(
            "container.image.tag",
            "container.image.digest",
            "container.type",
            "k8s.ns.name",
            "k8s.pod.name",
        ),
        *("proc.name", "proc.pname", "proc.exepath", "proc.pexepath", "proc.sname", "proc.cwd"),
        *("user.name", "user.loginname", "group.name", "fd.type", "fd.l4proto", "fd.sip", "fd.rip"),
        *(
            "ka.verb",
            "ka.user.name",
            "ka.target.resource",
            "ka.target.namespace",
            "ct.name",
            "ct.user",
        ),
        *(f"proc.aname[{level}]" for level in range(2, 8)),
    }
)

_COMPACT = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

# lists with few distinct values: JSON text, read once per distinct text (pandas: tuples)
TUPLES = frozenset({"tags", "recovered", "ambiguous"})

ENVELOPE_TYPES = {
    "time": TIME,
    **dict.fromkeys(TUPLES, _LABEL),
    "origin_line": pa.int64(),
    "origin_offset": pa.int64(),
    "origin_length": pa.int64(),
}


@lru_cache(maxsize=8192)
def field_kind(name: str) -> str:
    """Return the kind of an output field; `any` for one that Falco does not know."""
    return kind_of(name) or "any"


def field_column(name: str) -> str:
    """Return the column of an output field: a name without a dot is none of Falco's."""
    return name if "." in name else f"output_fields.{name}"


@lru_cache(maxsize=8192)
def arrow_type(name: str) -> pa.DataType:
    """Return the Arrow type of a column: of the envelope, of a Falco field, else text."""
    if name in LABELS:
        return _LABEL
    if name in ENVELOPE_TYPES:
        return ENVELOPE_TYPES[name]
    return TEXT if name in ENVELOPE else _TYPES.get(field_kind(name), TEXT)


def whole_number(value: object) -> int | None:
    """Return an integer given as such or as digits (named extra fields are strings), or None."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    return int(value) if isinstance(value, str) and _DIGITS.fullmatch(value) else None


def fit(kind: str, value: Any) -> Any:
    """Return a JSON value as its field's kind; raise ValueError where it is none of that kind."""
    return _FIT[kind](value)


def _fit_text(value: Any) -> str:
    # a number as text is what Falco renders; anything else is no text of Falco's
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError
    return value if isinstance(value, str) else as_json(value)


def _fit_integer(value: Any, least: int, most: int) -> int:
    number = whole_number(value)
    if number is None or not least <= number <= most:
        raise ValueError
    return number


def _fit_duration(value: Any) -> int:
    number = _fit_integer(value, -(2**63) + 1, 2**64 - 1)
    # a difference of two times, printed without sign: beyond 2^63 it wrapped
    return number - 2**64 if number >= 2**63 else number


def _fit_bool(value: Any) -> bool:
    if value in ("true", "false"):
        return bool(value == "true")
    if not isinstance(value, bool):
        raise ValueError
    return value


def _fit_float(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError
    try:
        return float(value)
    except OverflowError:
        raise ValueError from None


def _fit_list(value: Any) -> list[str]:
    if not isinstance(value, list | str):
        raise ValueError
    items = [value] if isinstance(value, str) else value
    return [one if isinstance(one, str) else as_json(one) for one in items]


_FIT: dict[str, Callable[[Any], Any]] = {
    "string": _fit_text,
    "any": lambda value: value if isinstance(value, str) else as_json(value),
    "int": lambda value: _fit_integer(value, -(2**63), 2**63 - 1),
    "uint": lambda value: _fit_integer(value, 0, 2**64 - 1),
    "abstime": lambda value: _fit_integer(value, -(2**63) + 1, 2**63 - 1),
    "reltime": _fit_duration,
    "bool": _fit_bool,
    "float": _fit_float,
    "list": _fit_list,
}


def as_json(value: Any) -> str:
    """Return a value as compact JSON."""
    return _COMPACT(value)


def array(name: str, values: Sequence[Any]) -> pa.Array:
    """Return values that fit (or None) as an Arrow array of the column's type."""
    wanted = arrow_type(name)
    if name in TUPLES:
        values = [None if value is None else as_json(value) for value in values]
    if pa.types.is_dictionary(wanted):
        return pa.array(values, pa.string()).dictionary_encode()
    return pa.array(values, wanted)


def frame(table: pa.Table) -> pd.DataFrame:
    """Return an Arrow table as a frame: nullable integers, Arrow strings, categories, UTC times."""
    names = table.column_names
    with ThreadPoolExecutor() as pool:
        each = pool.map if len(table) > _FEW else map
        made = dict(zip(names, each(_column, names, table.columns), strict=True))
    # the columns are this frame's alone: pandas need not copy them
    return pd.DataFrame(made, copy=False)


def _column(name: str, column: pa.ChunkedArray) -> Any:  # noqa: PLR0911 - one per kind of column
    kind = column.type
    if name == "priority":
        return _priorities(column)
    if name in TUPLES:
        return _tuples(column)
    if name.startswith("origin_") and name != "origin_file":
        return column.to_numpy()
    if pa.types.is_dictionary(kind):
        return _categories(column)
    if pa.types.is_timestamp(kind):
        return column.to_pandas().astype("datetime64[ns, UTC]").array
    if pa.types.is_duration(kind):
        return column.to_pandas().astype("timedelta64[ns]").array
    if kind in _NULLABLE:
        return _NULLABLE[kind].__from_arrow__(column)
    return (
        pd.arrays.ArrowExtensionArray(column)
        if pa.types.is_list(kind)
        else pd.array(column, dtype="str")
    )


_NULLABLE: dict[pa.DataType, Any] = {
    pa.int64(): pd.Int64Dtype(),
    pa.uint64(): pd.UInt64Dtype(),
    pa.bool_(): pd.BooleanDtype(),
    pa.float64(): pd.Float64Dtype(),
}


def _categories(column: pa.ChunkedArray) -> pd.Categorical:
    one = column.unify_dictionaries().combine_chunks()
    one = one.chunk(0) if isinstance(one, pa.ChunkedArray) else one
    codes = pc.fill_null(one.indices, -1).to_numpy(zero_copy_only=False)
    return pd.Categorical.from_codes(codes, pd.Index(one.dictionary.to_pandas(), dtype="str"))


def _tuples(column: pa.ChunkedArray) -> Any:
    chunks = [pd.array([], dtype="object").to_numpy()]
    for chunk in column.chunks:
        known = np.empty(len(chunk.dictionary) + 1, dtype=object)
        for at, text in enumerate(chunk.dictionary.to_pylist()):
            known[at] = tuple(json.loads(text))
        chunks.append(
            known[pc.fill_null(chunk.indices, len(known) - 1).to_numpy(zero_copy_only=False)]
        )
    return np.concatenate(chunks)


def _priorities(column: pa.ChunkedArray) -> pd.Categorical:
    return _categories(column).set_categories(PRIORITY.categories, ordered=True)
