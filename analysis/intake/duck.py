"""JSON lines through DuckDB: the columns asked for, as Arrow batches, on all cores.

In: a local file and the output fields to read. Out: one row per non-blank line, in order; a line that
is no JSON object is a row of nulls. What DuckDB loses on the way (unknown keys, odd values) it does
not say: that is for `bulk` to find.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from analysis.intake import columns

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TEXTS = ("hostname", "output", "priority", "rule", "source", "time", "uuid")
"""The envelope's keys that are read, all as text."""

BATCH = 122_880  # rows of a group, about
USUAL, LONGEST = 16 << 20, 256 << 20
"""Bytes of the longest line: DuckDB reads as many at a time on each core, and yields them as a batch."""

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


class Unreadable(ValueError):  # noqa: N818 - no error of the caller's: another way reads the file
    """DuckDB gave up on a file: a line is too long for it."""


def batches(path: Path, names: dict[str, str], longest: int) -> Iterator[pa.RecordBatch]:
    """Yield the envelope, `tags` as JSON text, and the fields `names` (short name -> field).

    Raises
    ------
    Unreadable
        If a line is longer than `longest` bytes.
    """
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
        f"maximum_object_size={longest}, compression='none')",
        params=[str(path)],
    )
    try:
        yield from query.to_arrow_reader(BATCH)
    except (duckdb.Error, pa.ArrowException, OSError) as error:
        raise Unreadable(str(error)) from error


def grouped(path: Path, names: dict[str, str], longest: int) -> Iterator[list[pa.RecordBatch]]:
    """Yield the same batches, as many at a time as have `BATCH` rows."""
    group: list[pa.RecordBatch] = []
    for batch in batches(path, names, longest):
        group.append(batch)
        if sum(map(len, group)) >= BATCH:
            yield group
            group = []
    if group:
        yield group


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
