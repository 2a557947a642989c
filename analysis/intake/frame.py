"""records -> frame: one row per alert, typed and exact, and the rejects beside it.

Plain JSON lines take the fast way (`bulk`), all else and each line that is odd takes the slow one
(`records`); both give the same frame. A field that an alert lacks, or holds as null, is missing:
whether it was null or absent is for the record itself to tell. An integer is never a float.
"""

from __future__ import annotations

from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from analysis.intake import bulk, store
from analysis.intake import columns as kinds
from analysis.intake.progress import bar
from analysis.intake.records import NO_RULES, Origin, Own, Record, Reject, iter_records
from analysis.intake.rejects import Rejects, rejects_frame
from analysis.intake.sniff import sniff
from analysis.intake.sources import Content, Source, iter_contents, local_file
from analysis.intake.template import templates
from analysis.intake.window import LONGEST
from analysis.schema import ENVELOPE, Kept

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from analysis.intake.template import Written

_CHUNK = 50_000  # records that the slow way turns into columns at a time
_MOST_COLUMNS = 2_000  # of fields that Falco does not know, of one chunk; the rest is `unparsed`
_LIFTED = ("rule", "source", "hostname", "output", "uuid")


def read_alerts(
    source: Source | Sequence[Source],
    *,
    columns: Sequence[str] | None = None,
    since: str | pd.Timestamp | None = None,
    until: str | pd.Timestamp | None = None,
    rule: str | Sequence[str] | None = None,
    priority: str | None = None,
    progress: bool | None = None,
    rules: Mapping[str, Written] | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read Falco alerts, out of whatever wrapped them, into one typed frame.

    Parameters
    ----------
    source : path, glob, URL, bytes, "-", or a list of these
        A file, a folder (all files below it, by sorted path), any fsspec URL (`s3://`,
        `https://`), content, or standard input. Compressed content (gzip, bzip2, xz, zstd) is
        recognised by its first bytes. A folder that `convert` wrote is read as it was.
    columns : list of str, optional
        The columns wanted; one that no alert has is left out.
    since, until : time, optional
        Alerts from `since` on and before `until`; a time without a zone is UTC.
    rule : str or list of str, optional
        Alerts of these rules.
    priority : str, optional
        Alerts of this priority or worse.
    progress : bool, optional
        Whether to show a bar on standard error; if not given, on a terminal, for long loads.
    rules : mapping, optional
        Name -> own rule (`read_rules`): its `output` reads text before Falco's own formats do.

    Returns
    -------
    alerts : DataFrame
        One row per alert, in order. The columns of `schema.ENVELOPE`: `time` (datetime64[ns,
        UTC]), `priority` (ordered categorical), `rule`, `source`, `hostname`, `wrapper`
        (categorical), `output`, `uuid`, `unparsed` (str), `tags`, `recovered`, `ambiguous` (tuples
        of str, object), `origin_file`, `origin_line`, `origin_offset`, `origin_length` [bytes]. Then each
        output field under its Falco name, of its field's kind: Int64, UInt64, boolean, Float64,
        str or category, times as datetime64[ns, UTC], durations as timedelta64[ns], lists of str.
        A field that Falco does not know is str (other JSON values as JSON); one whose name has no
        dot stands under `output_fields.<name>`, an unknown top-level key under `extra.<name>`.
    rejects : DataFrame
        One row per record that is no alert: its origin, `reason`, and `excerpt` (200 bytes).

    Raises
    ------
    SourceError
        If a path does not exist or cannot be read. What is wrong *inside* is a reject.
    ValueError
        If a time or priority is none.

    Notes
    -----
    From a folder that `convert` wrote, no more is read than what is chosen.

    Memory and time have bounds, whatever the input is made for; what is beyond them is told in
    `rejects`. A record has up to 64 MiB (an array of objects may be longer, as each is a record
    then), 4,194,304 values, and brackets 200 deep. A compressed file unpacks to 64 MiB, or to 200
    times its size. Of one file, 100,000 rejects are listed, and the others counted in a last row.

    Envelope and kinds: Falco `userspace/engine/formats.cpp`, libs' field tables (`kinds.csv`),
    falcosidekick `types.FalcoPayload`. `""` and the text `<NA>` are values, and stay as they are.
    """
    chosen = store.selection(columns, since, until, rule, priority)
    own = templates(rules or {})
    tables: list[pa.Table] = []
    rejects: list[Reject] = []
    held: dict[str, bytes] = {}
    for one in [source] if isinstance(source, str | Path | bytes) else source:
        if store.is_store(one):
            tables.append(store.read_store(Path(str(one)), chosen))
            continue
        for content in iter_contents(one):
            if content.held is not None:
                held[content.name] = content.held
            parts, places = [], []
            with bar(content, progress) as shown:
                for table in content_tables(content, rejects, own):
                    if len(table):
                        shown.update(table["origin_offset"][-1].as_py() - shown.n)
                        places.append(table["origin_offset"].to_numpy())
                        parts.append(_chosen(table, chosen))
            tables += _in_order(parts, places)
    alerts = kinds.frame(_joined(tables, chosen.columns))
    alerts.attrs |= {"held": Kept(held), "own": Kept(own)}
    return alerts, rejects_frame(rejects)


def content_tables(content: Content, rejects: list[Reject], own: Own = NO_RULES) -> Iterator[Any]:
    """Yield the alerts of one content as Arrow tables, in order; what is none goes to `rejects`."""
    if content.refused:
        rejects.append(Reject(Origin(content.name, 0, 0, 0), content.refused, ""))
        return
    found = Rejects()
    with local_file(content) as local:
        yield from _tables(content, local.path, found, own)
        rejects.extend(found)
        if local.damage:
            size = local.path.stat().st_size
            rejects.append(Reject(Origin(content.name, 0, size, 0), local.damage, ""))


def _in_order(parts: list[pa.Table], places: list[Any]) -> list[pa.Table]:
    """Return tables by place in the file: a record of many lines that has no end comes last."""
    if not places or (np.diff(whole := np.concatenate(places)) >= 0).all():
        return parts
    together = pa.concat_tables(parts, promote_options="permissive")
    return [together.take(np.argsort(whole, kind="stable"))]


def _chosen(table: pa.Table, chosen: store.Selection) -> pa.Table:
    if (wanted := chosen.expression(by_date=False)) is not None:
        table = table.filter(wanted)
    if chosen.columns is None:
        return table
    here = set(table.column_names)
    return table.select([name for name in chosen.columns if name in here])


def _tables(content: Content, path: Path, rejects: Rejects, own: Own) -> Iterator[pa.Table]:
    kind = sniff(path) if path.stat().st_size >= bulk.SMALLEST else None
    if kind is None:
        with path.open("rb") as file:
            yield from _slow_tables(iter_records(content.name, file, own=own), rejects)
        return

    def slowly(spans: list[bulk.Span]) -> tuple[pa.Table, NDArray[np.int64], Rejects]:
        return _read_spans(content.name, path, spans, own)

    for table, found in bulk.read_bulk(path, kind, slowly):
        rejects.extend(found)
        names = bulk.label_of(content.name, len(table))
        at = table.column_names.index("origin_file") if "origin_file" in table.column_names else -1
        yield (
            table.set_column(at, "origin_file", names)
            if at >= 0
            else table.append_column("origin_file", names)
        )


def _slow_tables(records: Iterator[Record | Reject], rejects: Rejects) -> Iterator[pa.Table]:
    chunk: list[Record] = []
    size, origin = 0, None
    for one in records:
        if isinstance(one, Reject):
            rejects.append(one)
            continue
        chunk.append(one)
        if one.origin is not origin:  # a record may hold many alerts
            origin = one.origin
            size += origin.length
        if len(chunk) == _CHUNK or size > LONGEST:
            yield records_table(chunk)
            chunk, size = [], 0
    yield records_table(chunk)


def _read_spans(
    name: str, path: Path, spans: list[bulk.Span], own: Own
) -> tuple[pa.Table, NDArray[np.int64], Rejects]:
    rejects = Rejects()
    position: list[int] = []

    def each(file: IO[bytes]) -> Iterator[Record | Reject]:
        for number, span in enumerate(spans):
            file.seek(span.offset)
            records = iter_records(
                name, file, span.offset, span.number, own=own, length=span.length, ahead=span.ahead
            )
            for one in records:
                if isinstance(one, Record):
                    position.append(number)
                yield one

    with path.open("rb") as file:
        tables = list(_slow_tables(each(file), rejects))
    joined = pa.concat_tables(tables, promote_options="permissive")
    return joined, np.array(position, dtype=np.int64), rejects


def frame_of(records: Sequence[Record]) -> pd.DataFrame:
    """Return records as an alerts frame."""
    return kinds.frame(_joined([records_table(records)]))


def records_table(records: Sequence[Record]) -> pa.Table:
    """Return records as columns, each value as its field's kind, what is none of it unparsed."""
    alerts = [record.alert for record in records]
    envelope: dict[str, list[Any]] = {
        "time": [record.time_ns for record in records],
        "priority": [record.priority for record in records],
        "tags": [alert.get("tags") for alert in alerts],
        "wrapper": [record.wrapper or None for record in records],
        "recovered": [record.recovered or None for record in records],
        "ambiguous": [record.ambiguous or None for record in records],
    }
    for part in ("file", "line", "offset", "length"):
        envelope[f"origin_{part}"] = [getattr(record.origin, part) for record in records]
    envelope |= {name: [alert.get(name) for alert in alerts] for name in _LIFTED}
    fields, envelope["unparsed"] = _fitted(alerts)
    return pa.table(
        {name: kinds.array(name, values) for name, values in (envelope | fields).items()}
    )


def _fitted(alerts: Sequence[dict[str, Any]]) -> tuple[dict[str, list[Any]], list[str | None]]:
    found: dict[str, list[Any]] = {}
    unparsed: list[str | None] = [None] * len(alerts)
    for row, alert in enumerate(alerts):
        odd = {}
        for name, value in _named_fields(alert):
            if value is None:
                continue
            kind, column = kinds.field_kind(name), found.get(name)
            # or another key of this alert bears the column's name
            surplus = column is None and kind == "any" and len(found) >= _MOST_COLUMNS
            if surplus or (column is not None and column[row] is not None):
                odd[name] = value
                continue
            if type(value) is not str or kind not in ("string", "any"):
                try:
                    value = kinds.fit(kind, value)  # noqa: PLW2901 - the same value, as its kind
                except ValueError:
                    odd[name] = value
                    continue
            if column is None:
                column = found[name] = [None] * len(alerts)
            column[row] = value
        if odd:
            unparsed[row] = kinds.as_json(odd)
    return found, unparsed


def _named_fields(alert: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield (column, value): only Falco's own names are columns as they are."""
    for name, value in (alert.get("output_fields") or {}).items():
        yield kinds.field_column(name), value
    for key, value in alert.items():
        if key not in _KNOWN:
            yield f"extra.{key}", value


_KNOWN = frozenset({"rule", "priority", "time", "tags", "output_fields", *_LIFTED})


def _joined(tables: list[pa.Table], chosen: Sequence[str] | None = None) -> pa.Table:
    """Return one table: the envelope in its order, then the fields by name; or what was chosen."""
    empty = records_table([])
    if chosen is not None:
        empty = empty.select([name for name in chosen if name in empty.column_names])
    table = pa.concat_tables([empty, *tables], promote_options="permissive")
    names = (
        [*ENVELOPE, *sorted(set(table.column_names) - set(ENVELOPE))] if chosen is None else chosen
    )
    here = dict(zip(table.column_names, table.columns, strict=True))
    # a field that no alert has a value for is no column
    known = [n for n in names if n in here and (n in ENVELOPE or here[n].null_count < len(table))]
    return table.select(known)
