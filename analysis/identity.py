"""An id for each alert, from what the sensor saw: the same alert has the same id wherever it is read.

In: an alerts frame. Out: the same rows with `alert_id`. What a delivery adds does not change the
id: falcosidekick's uuid, custom fields and tags, trimmed zeros of the time, `syscalls` for an empty
source, the wrapper, the place in a file. Two events with equal fields in the same nanosecond are one.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from analysis.schema import require

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    import duckdb

_LARGE = pa.large_string()
# ASCII's own separators: of a name and its value, and of two parts
_UNIT, _RECORD = "\x1f", "chr(30)"


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
    identified = alerts.assign(alert_id=_digests(alerts, "a-"))
    identified.attrs = alerts.attrs
    return identified


def liken(alerts: pd.DataFrame, without: Collection[str]) -> pd.Series:
    """Return a digest (str) of all that `identify` reads but the time and the fields `without`.

    Alerts with one digest tell the same, but for what `without` says of the single event.
    """
    return pd.Series(_digests(alerts, "", frozenset(without)), index=alerts.index, dtype="str")


def _digests(alerts: pd.DataFrame, prefix: str, without: frozenset[str] | None = None) -> Any:
    """Return a digest of each alert's content, with `prefix` before it; DuckDB uses all cores."""
    fields = dict(_fields(alerts, without or ()))
    columns = {f"f{at}": _named(name, column) for at, (name, column) in enumerate(fields.items())}
    text = "".join(
        f"{at}, " if _is_label(column) else f"? || {at}, " for at, column in columns.items()
    )
    bare = " AND ".join([f"{at} IS NULL" for at in columns] or ["true"])
    unnamed = [name for name, column in fields.items() if not _is_label(column)]
    columns |= {
        "time": _column(alerts["time"]),
        "rule": _column(alerts["rule"]),
        "host": _column(alerts["hostname"]),
        "source": _column(alerts["source"]),
        "output": _column(alerts["output"]),
        "partial": pa.array(_is_partial(alerts), pa.bool_()),
        "unparsed": _column(alerts.get("unparsed", pd.Series(None, alerts.index, dtype="str"))),
    }
    whole = without is None
    time = "coalesce(time::VARCHAR, '')" if whole else "''"
    # rendered text starts with the clock
    output = "output" if whole else r"regexp_replace(output, '^[0-9:.]+: ', '')"
    connection = _database().cursor()
    connection.register("alerts", pa.table(columns))
    # the names of fields are bound: a sensor's configuration chooses them. Where fields were read
    # from the text, or the date is not told, only the whole text tells
    query = connection.sql(
        f"""
        SELECT ? || left(sha256(concat_ws({_RECORD},
            {time}, coalesce(rule, ''), coalesce(host, ''),
            if(coalesce(source, 'syscalls') = 'syscalls', 'syscall', source),
            '', {text}if(partial OR {bare}, coalesce({output}, ''), ''), coalesce(unparsed, '')
        )), 16) AS digest FROM alerts
        """,  # noqa: S608 - made of our own names alone
        params=[prefix, *(name + _UNIT for name in unnamed)],
    )
    return pd.array(query.to_arrow_table()["digest"].cast(_LARGE), dtype="str")


@cache
def _database() -> duckdb.DuckDBPyConnection:
    """Return the database of this process, in memory and empty: to open one starts threads."""
    import duckdb  # noqa: PLC0415 - nothing else here needs it

    connection = duckdb.connect()
    # it would print over the caller's terminal
    connection.execute("SET enable_progress_bar = false")
    return connection


def _is_partial(alerts: pd.DataFrame) -> Any:
    known = alerts.get("recovered", pd.Series(None, index=alerts.index, dtype="object"))
    # few distinct tuples among many alerts
    has_field = {names: any("." in name for name in names) for names in set(known.dropna())}
    told = known.map(has_field).eq(True) if any(has_field.values()) else False
    return alerts["time"].isna() | told


def _fields(alerts: pd.DataFrame, without: Collection[str]) -> Iterator[tuple[str, pa.Array]]:
    for name in sorted(alerts.columns):
        own = "." in name and not name.startswith(("output_fields.", "extra."))
        if own and name not in without:
            yield name, _column(alerts[name])


def _column(column: pd.Series) -> pa.Array:
    """Return a column that DuckDB turns into text: integers in digits, times in ns, lists joined."""
    if isinstance(column.dtype, pd.DatetimeTZDtype) or column.dtype.kind in "mM":
        return pa.array(column.astype("int64"), mask=column.isna().to_numpy())
    if column.dtype == object:
        values = [None if _missing(one) else str(one) for one in column]
        return pa.array(values, _LARGE)
    whole = pa.array(column, from_pandas=True)
    whole = whole.combine_chunks() if isinstance(whole, pa.ChunkedArray) else whole
    if pa.types.is_list(whole.type):
        return pc.binary_join(whole, ",").cast(_LARGE)
    return whole if _is_label(whole) or pa.types.is_integer(whole.type) else whole.cast(_LARGE)


def _named(name: str, column: pa.Array) -> pa.Array:
    """Put a field's name before the few distinct values of a label; other columns as they are."""
    if not _is_label(column):
        return column
    parts = pa.scalar(name, _LARGE), column.dictionary, pa.scalar(_UNIT, _LARGE)
    values = pc.binary_join_element_wise(*parts)
    return pa.DictionaryArray.from_arrays(column.indices, values)


def _is_label(column: pa.Array) -> Any:
    return pa.types.is_dictionary(column.type) and pa.types.is_large_string(column.type.value_type)


def _missing(value: object) -> bool:
    return value is None or value is pd.NA or (isinstance(value, float) and value != value)  # noqa: PLR0124 - NaN
