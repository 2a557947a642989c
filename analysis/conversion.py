"""Convert alerts to Parquet, piece by piece, on one machine or on a cluster.

In: sources as `read_alerts` takes them. Out: a folder that `read_alerts` reads back unchanged. A
piece is one file of input: each is read and written by itself, so memory holds one, and an
executor may be given the pieces. What a folder holds is whole or not there.
"""

from __future__ import annotations

import shutil
import tempfile
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from analysis.errors import SourceError
from analysis.intake.frame import content_tables
from analysis.intake.rejects import rejects_frame
from analysis.intake.sources import Content, Source, iter_contents
from analysis.intake.store import finish, is_store, write_piece

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
    """Write the alerts of `source` to the folder `to`, replacing an earlier conversion when done.

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
        If an input cannot be read, or the output not be written, or `to` holds anything but an
        earlier conversion; `to` is then as it was, as it is where no alert was found.
    """
    target = Path(to).resolve()
    sources = [source] if isinstance(source, str | Path | bytes) else list(source)
    _check_target(target, sources)
    contents = list(iter_contents(sources))
    try:
        part = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    except OSError as error:
        raise SourceError(f"cannot write {target}: {error.strerror or error}") from error
    run = executor.submit if executor is not None else _at_once
    pieces = [run(_piece, content, part, number) for number, content in enumerate(contents)]
    try:
        done = [piece.result() for piece in pieces]
        if any(rows for rows, _, _ in done):
            finish(part, [schema for _, schema, _ in done], target)
    except OSError as error:
        if isinstance(error, SourceError):
            raise
        raise SourceError(f"cannot write {target}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    rejects = pd.concat([rejects for _, _, rejects in done], ignore_index=True)
    return Converted(sum(rows for rows, _, _ in done), len(contents), rejects)


def _check_target(target: Path, sources: Sequence[Source]) -> None:
    """Raise SourceError where writing to `target` would destroy what is no conversion's."""
    for one in sources:
        if is_store(one):
            raise SourceError(f"{one!s} is converted already: copy the folder instead")
        if isinstance(one, str | Path) and "://" not in str(one) and str(one) != "-":
            inside = Path(one).resolve()
            if inside == target or target in inside.parents:
                raise SourceError(f"{target} holds the source {one}: convert to another folder")
    if target.is_dir() and any(target.iterdir()) and not is_store(target):
        raise SourceError(f"{target} holds other files: convert to a new folder")
    if target.exists() and not target.is_dir():
        raise SourceError(f"{target} is a file: convert to a new folder")


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
