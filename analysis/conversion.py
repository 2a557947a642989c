"""Convert alerts to Parquet, piece by piece, on one machine or on a cluster.

In: sources as `read_alerts` takes them. Out: a folder that `read_alerts` reads back unchanged. A
piece is one file of input: each is read and written by itself, so memory holds one, and an
executor may be given the pieces. What a folder holds is whole or not there.
"""

from __future__ import annotations

import shutil
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from analysis.errors import SourceError
from analysis.intake.frame import content_tables, rejects_frame
from analysis.intake.sources import Content, Source, iter_contents
from analysis.intake.store import finish, write_piece

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pyarrow as pa


@dataclass(frozen=True)
class Converted:
    """What came of a conversion: how many alerts, from how many files, and what was no alert."""

    alerts: int
    files: int
    rejects: pd.DataFrame


def convert(
    source: Source | Sequence[Source], to: str | Path, *, executor: Executor | None = None
) -> Converted:
    """Write the alerts of `source` to the folder `to`, replacing it when all is written.

    Parameters
    ----------
    source : as for `read_alerts`
    to : path
        Folder of Parquet files, partitioned by day.
    executor : Executor, optional
        Where pieces are converted: a process pool, or a Dask cluster's (`client.get_executor()`),
        whose workers see the same files. Else here, one after the other.

    Raises
    ------
    SourceError
        If an input cannot be read or the output not be written; `to` is then as it was.
    """
    target = Path(to)
    part = target.with_name(f".{target.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    contents = list(iter_contents(source))
    run = executor.submit if executor is not None else _at_once
    pieces = [run(_piece, content, part, number) for number, content in enumerate(contents)]
    try:
        done = [piece.result() for piece in pieces]
        finish(part, [schema for _, schema, _ in done], target)
    except OSError as error:
        shutil.rmtree(part, ignore_errors=True)
        if isinstance(error, SourceError):
            raise
        raise SourceError(f"cannot write {target}: {error.strerror or error}") from error
    rejects = pd.concat([rejects for _, _, rejects in done], ignore_index=True)
    return Converted(sum(rows for rows, _, _ in done), len(contents), rejects)


def _piece(content: Content, folder: Path, number: int) -> tuple[int, pa.Schema, pd.DataFrame]:
    rejects: list[Any] = []
    rows, schema = write_piece(content_tables(content, rejects), folder, number)
    return rows, schema, rejects_frame(rejects)


def _at_once(call: Callable[..., Any], *arguments: Any) -> Future[Any]:
    done: Future[Any] = Future()
    try:
        done.set_result(call(*arguments))
    except OSError as error:
        done.set_exception(error)
    return done
