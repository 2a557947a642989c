"""An id for each alert, from what the sensor saw: the same alert has the same id wherever it is read.

In: an alerts frame. Out: the same rows with `alert_id`. What a delivery adds does not change the
id: falcosidekick's uuid, custom fields and tags, trimmed zeros of the time, `syscalls` for an empty
source, the wrapper, the place in a file. Two events with equal fields in the same nanosecond are one.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from analysis.schema import require

if TYPE_CHECKING:
    from collections.abc import Iterator

_LARGE = pa.large_string()
# ASCII's own separators
_UNIT, _RECORD = pa.scalar("\x1f", _LARGE), pa.scalar("\x1e", _LARGE)


def identify(alerts: pd.DataFrame) -> pd.DataFrame:
    """Add `alert_id` (str): `a-` and 16 hexadecimal digits of a SHA-256 over the alert's content.

    Parameters
    ----------
    alerts : DataFrame
        Reads `time`, `rule`, `hostname`, `source`, every column with a dot in its name but
        `output_fields.*` and `extra.*`, and `unparsed`; `output` where an alert has no such
        field, where fields were recovered from it, and where the date is not told.

    Raises
    ------
    AlertSchemaError
        If an envelope column is missing.
    """
    require(alerts, ("time", "rule", "hostname", "source", "output"), by="identify")
    if alerts.empty:
        return alerts.assign(alert_id=pd.Series(dtype="str"))
    content = _content(alerts)
    # hashlib has no form for whole columns; this loop is the cost of an id that cannot be forged
    ids = [f"a-{hashlib.sha256(text.encode()).hexdigest()[:16]}" for text in content]
    identified = alerts.assign(alert_id=pd.array(ids, dtype="str"))
    identified.attrs = alerts.attrs
    return identified


def _content(alerts: pd.DataFrame) -> list[str]:
    fields = [
        pc.binary_join_element_wise(pa.scalar(name, _LARGE), text, _UNIT)
        for name, text in _fields(alerts)
    ]
    start = pa.array([""] * len(alerts), _LARGE)
    joined = pc.binary_join_element_wise(start, *fields, _RECORD, null_handling="skip")
    # where fields were read from the text, or the date is not told, only the whole text tells
    rendered = pc.coalesce(_text(alerts["output"]), "")
    partial = pc.or_(pc.equal(joined, ""), pa.array(_is_partial(alerts)))
    joined = pc.binary_join_element_wise(
        joined,
        pc.if_else(partial, rendered, ""),
        pc.coalesce(_text(alerts["unparsed"]), "") if "unparsed" in alerts else start,
        _RECORD,
    )
    source = pc.coalesce(_text(alerts["source"]), "syscall")
    envelope = [
        pc.coalesce(_text(alerts["time"]), ""),
        pc.coalesce(_text(alerts["rule"]), ""),
        pc.coalesce(_text(alerts["hostname"]), ""),
        pc.if_else(pc.equal(source, "syscalls"), "syscall", source),
    ]
    whole = pc.binary_join_element_wise(*envelope, joined, _RECORD)
    return whole.to_pylist()  # type: ignore[no-any-return]


def _is_partial(alerts: pd.DataFrame) -> list[bool]:
    known = alerts.get("recovered", pd.Series(None, index=alerts.index, dtype="object"))
    # few distinct tuples among many alerts
    has_field = {names: any("." in name for name in names) for names in set(known.dropna())}
    undated = alerts["time"].isna()
    return [bool(u) or has_field.get(n, False) for n, u in zip(known, undated, strict=True)]


def _fields(alerts: pd.DataFrame) -> Iterator[tuple[str, pa.Array]]:
    for name in sorted(alerts.columns):
        if "." in name and not name.startswith(("output_fields.", "extra.")):
            yield name, _text(alerts[name])


def _text(column: pd.Series) -> pa.Array:
    """Return a column as text: integers in digits, times in ns, lists joined."""
    if isinstance(column.dtype, pd.DatetimeTZDtype) or column.dtype.kind in "mM":
        numbers = pd.Series(column.astype("int64"), dtype="Int64").where(column.notna())
        return _plain(pa.array(numbers))
    if column.dtype == object:
        values = [None if _missing(one) else str(one) for one in column]
        return pa.array(values, _LARGE)
    return _plain(pa.array(column, from_pandas=True))


def _plain(array: Any) -> pa.Array:
    whole = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
    if pa.types.is_list(whole.type):
        return pc.binary_join(whole, ",").cast(_LARGE)
    return whole.cast(_LARGE)


def _missing(value: object) -> bool:
    return value is None or value is pd.NA or (isinstance(value, float) and value != value)  # noqa: PLR0124 - NaN
