"""JSON lines through DuckDB: the columns asked for, as Arrow batches, on all cores.

In: a local file and the output fields to read. Out: one row per non-blank line, in order; a line that
is no JSON object is a row of nulls. What DuckDB loses on the way (unknown keys, odd values) it does
not say: that is for `bulk` to find.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from analysis.intake import columns

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pyarrow as pa

TEXTS = ("hostname", "output", "priority", "rule", "source", "time", "uuid")
"""The envelope's keys that are read, all as text."""

BATCH = 122_880  # rows, as DuckDB groups them
_LONGEST = 256 << 20  # bytes of one object
_SQL_TYPES = {
    "int": "BIGINT",
    "abstime": "BIGINT",
    "uint": "UBIGINT",
    "reltime": "UBIGINT",
    "bool": "BOOLEAN",
    "float": "DOUBLE",
    "list": "VARCHAR[]",
    "string": "VARCHAR",
    "any": "VARCHAR",
}


def batches(path: Path, names: dict[str, str]) -> Iterator[pa.RecordBatch]:
    """Yield the envelope, `tags` as JSON text, and the fields `names` (short name -> field)."""
    import duckdb  # noqa: PLC0415 - heavy, and needed for large files alone

    members = ",".join(
        f'"{name}" {_SQL_TYPES[columns.field_kind(name)]}' for name in names.values()
    )
    shape = dict.fromkeys(TEXTS, "VARCHAR") | {"tags": "VARCHAR"}
    shape |= {"output_fields": f"STRUCT({members})"} if members else {}
    keys = ",".join(f"{_quoted(key)}: {_quoted(kind)}" for key, kind in shape.items())
    unpacked = ", ".join(f'output_fields."{name}" AS {short}' for short, name in names.items())
    # the path is bound; names are quoted and hold no quote of their own
    connection = duckdb.connect()
    connection.execute(
        "SET enable_progress_bar = false"
    )  # it would print over the caller's terminal
    query = connection.sql(
        f"SELECT {', '.join(TEXTS)}, tags, {unpacked} FROM read_json(?, "  # noqa: S608
        f"format='newline_delimited', columns={{{keys}}}, ignore_errors=true, "
        f"maximum_object_size={_LONGEST}, compression='none')",
        params=[str(path)],
    )
    yield from query.to_arrow_reader(BATCH)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
