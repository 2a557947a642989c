"""Alerts as Parquet: written once from whatever they came in, read back unchanged, and in part.

In: contents, or a folder written here. Out: one file a day and piece of input, hive-partitioned by
`date` (UTC day of `time`; `unknown` where an alert tells none). `_row` keeps the order of input.
Rejects are the caller's to keep. The raw records stay where they are: their origins are columns.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from analysis.errors import SourceError
from analysis.schema import PRIORITIES, parse_priority

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pandas as pd

ROW, DATE = "_row", "date"
_PLACE = "origin_offset"
_SCHEMA = "_common_metadata"
_GROUP = 1 << 17  # rows: each group holds its labels' texts anew
_BATCH = 1 << 20  # rows read at a time, at most: a group is not to be cut in two
_PIECE = 1 << 40  # rows, and bytes, of one piece of input, at most


@dataclass(frozen=True, slots=True)
class Selection:
    """Which alerts, and what of them: None is everything."""

    columns: tuple[str, ...] | None = None
    since: pd.Timestamp | None = None
    until: pd.Timestamp | None = None
    rules: tuple[str, ...] | None = None
    priority: str | None = None

    def expression(self, *, by_date: bool) -> Any:
        """Return the selection of rows as a dataset expression, or None for all rows."""
        wanted = []
        for moment, holds in ((self.since, ">="), (self.until, "<")):
            if moment is not None:
                time = pa.scalar(moment.value, pa.timestamp("ns", "UTC"))
                wanted.append(
                    ds.field("time") >= time if holds == ">=" else ds.field("time") < time
                )
                if by_date:  # a partition whose day lies outside is not opened
                    day = f"{moment:%Y-%m-%d}"
                    wanted.append(ds.field(DATE) >= day if holds == ">=" else ds.field(DATE) <= day)
        if self.rules is not None:
            wanted.append(
                pc.field("rule").cast(pa.string()).isin(pa.array(self.rules, pa.string()))
            )
        if self.priority is not None:
            worst = PRIORITIES[PRIORITIES.index(self.priority) :]
            wanted.append(pc.field("priority").cast(pa.string()).isin(pa.array(worst, pa.string())))
        whole = None
        for one in wanted:
            whole = one if whole is None else whole & one
        return whole


def selection(
    columns: Sequence[str] | None,
    since: str | pd.Timestamp | None,
    until: str | pd.Timestamp | None,
    rule: str | Sequence[str] | None,
    priority: str | None,
) -> Selection:
    """Return a selection from what a caller wrote; times without a zone are UTC.

    Raises
    ------
    ValueError
        If a time or priority is none.
    """
    import pandas as pd  # noqa: PLC0415 - for a caller's times alone

    def moment(time: str | pd.Timestamp | None) -> pd.Timestamp | None:
        if time is None:
            return None
        read = pd.Timestamp(time)
        return read.tz_localize("UTC") if read.tz is None else read.tz_convert("UTC")

    known = None if priority is None else parse_priority(priority)
    if priority is not None and known is None:
        raise ValueError(f"{priority!r} is none of Falco's priorities: {', '.join(PRIORITIES)}")
    rules = (rule,) if isinstance(rule, str) else None if rule is None else tuple(rule)
    chosen = None if columns is None else tuple(columns)
    return Selection(chosen, moment(since), moment(until), rules, known)


def write_piece(tables: Iterable[pa.Table], folder: Path, piece: int) -> tuple[int, pa.Schema]:
    """Write the alerts of one piece of input below `folder`; return how many, and their schema."""
    rows, schemas = 0, []
    for number, table in enumerate(tables):
        if not len(table):
            continue
        order = pa.array(
            range(piece * _PIECE + rows, piece * _PIECE + rows + len(table)), pa.int64()
        )
        day = pc.coalesce(pc.strftime(table["time"], format="%Y-%m-%d"), "unknown")
        schemas.append(table.schema)
        ds.write_dataset(
            table.append_column(ROW, order).append_column(DATE, day),
            folder,
            format="parquet",
            partitioning=ds.partitioning(pa.schema([(DATE, pa.string())]), flavor="hive"),
            basename_template=f"{piece:05d}-{number:05d}-{{i}}.parquet",
            existing_data_behavior="overwrite_or_ignore",
            file_options=ds.ParquetFileFormat().make_write_options(
                compression="lz4", use_compliant_nested_type=False
            ),
            max_partitions=10_000,
            use_threads=False,  # in order of input: what is not has to be sorted at each reading
            min_rows_per_group=_GROUP,
        )
        rows += len(table)
    return rows, pa.unify_schemas(schemas, promote_options="permissive") if schemas else pa.schema(
        []
    )


def finish(folder: Path, schemas: Iterable[pa.Schema], target: Path) -> None:
    """Put the schema of all pieces beside them, and the folder in its place, whole."""
    union = pa.unify_schemas(
        [*schemas, pa.schema([(ROW, pa.int64())])], promote_options="permissive"
    )
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_metadata(union, folder / _SCHEMA, use_compliant_nested_type=False)
    folder.chmod(0o755)
    if not target.exists():
        folder.rename(target)
        return
    # the old one goes when the new one is there
    aside = folder.with_name(f"{folder.name}.old")
    target.rename(aside)
    folder.rename(target)
    shutil.rmtree(aside)


def is_store(source: object) -> bool:
    """Return whether `source` is a folder that `convert` wrote."""
    return isinstance(source, str | Path) and (Path(source) / _SCHEMA).is_file()


def read_store(folder: Path, chosen: Selection) -> pa.Table:
    """Return the alerts of a store: the columns and rows chosen, in the order of input.

    Raises
    ------
    SourceError
        If a file of the store is damaged.
    """
    try:
        schema = pq.read_schema(folder / _SCHEMA)
        whole = ds.dataset(
            folder,
            format="parquet",
            schema=schema.append(pa.field(DATE, pa.string())),
            partitioning=ds.partitioning(pa.schema([(DATE, pa.string())]), flavor="hive"),
        )
        asked = schema.names if chosen.columns is None else chosen.columns
        names = [n for n in schema.names if n in (*asked, ROW, _PLACE)]
        table = whole.to_table(
            columns=names, filter=chosen.expression(by_date=True), batch_size=_BATCH
        )
    except (pa.ArrowInvalid, OSError) as error:
        raise SourceError(f"cannot read {folder}: {error}") from error
    order, place = (table[name].to_numpy() for name in (ROW, _PLACE))
    table = table.select([n for n in names if n in asked and n != ROW])
    # by place in the input, as from JSON: a record of many lines is known when its last has come
    place = order // _PIECE * _PIECE + place
    if (np.diff(order) > 0).all() and (np.diff(place) >= 0).all():
        return table
    return table.take(np.lexsort((order, place)))
