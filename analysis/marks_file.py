"""Marks that travel: the entries of chosen alerts as a JSON file, and who marked what of a set.

In: entries of `verdicts`, or files of them. Out: entries, JSON. A report holds such a file beside
its alerts, so that whoever opens its notebook elsewhere sees the same marks. Keeping marks is for
`verdicts`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from analysis import verdicts
from analysis.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Sequence

_STORE = b"SQLite format 3\x00"


def as_values(told: pd.DataFrame) -> list[dict[str, Any]]:
    """Return entries as JSON values, in their order.

    Parameters
    ----------
    told : DataFrame
        As `verdicts.history` returns it.

    Returns
    -------
    list of dict
        `alert_id`, `verdict`, `note`, `by`, `at` (UTC, nine decimals).
    """
    return [
        {str(name): value for name, value in row.items()}
        | {"at": f"{row['at']:%Y-%m-%dT%H:%M:%S}.{row['at'].value % 10**9:09d}Z"}
        for row in told[list(verdicts.COLUMNS)].to_dict("records")
    ]


def as_file(told: pd.DataFrame) -> bytes:
    """Return entries as the bytes of a file that `read_marks` reads; no entry, no bytes."""
    if told.empty:
        return b""
    # beyond ASCII escaped, as in all files for machines
    return (json.dumps(as_values(told), indent=1) + "\n").encode()


def read_marks(path: str | Path) -> pd.DataFrame:
    """Return the entries of a report's file of marks, or of a store.

    Returns
    -------
    DataFrame
        As `verdicts.history` returns it.

    Raises
    ------
    SourceError
        If there is no such file, or it is neither.
    """
    file = Path(path)
    try:
        content = file.read_bytes()
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror}") from error
    if not content or content.startswith(_STORE):
        return verdicts.history(file)
    try:
        rows = [_entry(one, file) for one in json.loads(content)]
        return verdicts.entries(rows)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise SourceError(f"{path} holds no marks: {error!r:.200}") from error


def of_sources(sources: Sequence[str], named: str | None = None) -> pd.DataFrame:
    """Return the entries of the store beside each source, or of the one file named instead.

    Parameters
    ----------
    sources : sequence of str
        As `read_alerts` takes them; a URL or `-` has no store.
    named : str, optional
        A store, or a report's file of marks.

    Raises
    ------
    SourceError
        If a file is neither, or the one named is not there.
    """
    if named:
        return read_marks(named)
    stores = [verdicts.beside(one) for one in sources if one != "-" and "://" not in one]
    told = [verdicts.history(store) for store in dict.fromkeys(stores) if store.exists()]
    if len(told) < 2:  # noqa: PLR2004 - nothing to bring into one order
        return told[0] if told else verdicts.entries([])
    both = pd.concat(told).drop_duplicates()
    numbers = both["at"].astype("int64")
    texts = [both[name].astype("str") for name in verdicts.COLUMNS[:-1]]
    return verdicts.entries(zip(*texts, numbers, strict=True))


def _entry(one: Any, file: Path) -> tuple[str, str, str, str, int]:
    at = pd.Timestamp(one["at"])
    if at.tz is None:
        raise ValueError(f"{one['at']!r:.40} is no time in UTC")
    number = int(at.as_unit("ns").value)
    return verdicts.checked((*(one[name] for name in verdicts.COLUMNS[:-1]), number), file)
