"""What analysts decided: marks and notes on alerts, kept in one SQLite file beside the alerts.

In: alert ids (see `identity`) with a verdict and a note. Out: frames. Nothing is ever changed or
taken out: a new mark is a new entry, and the latest counts. As ids come from content, the file
holds for the same alerts wherever they are read, and two people's files merge into one: entries
are a set, so the order of merging and merging twice change nothing. What a report says of a mark
is for others.
"""

from __future__ import annotations

import getpass
import re
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from analysis.errors import SourceError
from analysis.schema import TIME, require

if TYPE_CHECKING:
    from collections.abc import Iterable

VERDICTS = ("benign", "suspicious", "escalate")
"""The marks an analyst may set, least to gravest."""
VERDICT = pd.CategoricalDtype(list(VERDICTS), ordered=True)
COLUMNS = ("alert_id", "verdict", "note", "by", "at")
"""What an entry holds: which alert, what was decided, why, by whom and when."""

_ID = re.compile(r"a-[0-9a-f]{16}")
_SCHEMA = """
CREATE TABLE IF NOT EXISTS entry (
    alert_id TEXT NOT NULL,
    verdict TEXT NOT NULL CHECK (verdict IN ('benign', 'suspicious', 'escalate')),
    note TEXT NOT NULL,
    by TEXT NOT NULL,
    at INTEGER NOT NULL CHECK (typeof(at) = 'integer'), -- ns since 1970, UTC
    PRIMARY KEY (alert_id, at, by, verdict, note)
) WITHOUT ROWID;
CREATE TRIGGER IF NOT EXISTS no_change BEFORE UPDATE ON entry
BEGIN SELECT RAISE(ABORT, 'entries are not changed'); END;
CREATE TRIGGER IF NOT EXISTS no_loss BEFORE DELETE ON entry
BEGIN SELECT RAISE(ABORT, 'entries are not taken out'); END;
"""


def beside(alerts: str | Path) -> Path:
    """Return where the marks of a file or folder of alerts are kept.

    >>> beside("shift/alerts.jsonl").name, beside("shift/").name
    ('.alerts.jsonl.verdicts.sqlite', '.shift.verdicts.sqlite')
    """
    path = Path(alerts)
    path = path if path.name not in ("", "..") else path.resolve()
    # hidden: a folder of alerts is read without it
    return path.with_name(f".{path.name}.verdicts.sqlite")


def mark(
    store: str | Path,
    alert_ids: Iterable[str],
    verdict: str,
    *,
    note: str = "",
    by: str | None = None,
    at: pd.Timestamp | str | None = None,
) -> int:
    """Add one entry for each alert; return how many were added.

    Parameters
    ----------
    store : path
        The file; made if it is not there.
    alert_ids : iterable of str
        As `identify` gives them.
    verdict : str
        One of VERDICTS.
    note : str
        Why, in the analyst's words.
    by : str, optional
        Who; the login name if not given.
    at : time, optional
        When; a time without a zone is UTC. If not given, now, or just after the latest entry of
        these alerts where that is ahead of this machine's clock: who marks anew has seen it.

    Raises
    ------
    ValueError
        If `verdict` is none, or an id or the time is none.
    SourceError
        If the file is no store, or cannot be written.
    """
    ids = list(dict.fromkeys(alert_ids))
    if verdict not in VERDICTS:
        raise ValueError(f"{verdict!r:.80} is no verdict: {', '.join(VERDICTS)}")
    _check(ids)
    who = getpass.getuser() if by is None else by
    with closing(_opened(Path(store))) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
            moment = _now(connection, ids) if at is None else _nanoseconds(at)
            added = _add(connection, [(one, verdict, note, who, moment) for one in ids])
            connection.commit()
        except sqlite3.Error as error:
            raise SourceError(f"cannot write {store}: {error}") from error
    return added


def history(store: str | Path) -> pd.DataFrame:
    """Return every entry, in order of time; none where there is no store yet.

    Returns
    -------
    DataFrame
        `alert_id`, `verdict` (ordered category of VERDICTS), `note`, `by` (str), `at`
        (datetime64[ns, UTC]).

    Raises
    ------
    SourceError
        If the file is no store.
    """
    return entries(_rows(Path(store)) if Path(store).exists() else [])


def entries(rows: Iterable[tuple[str, str, str, str, int]]) -> pd.DataFrame:
    """Return entries in order of time, each once, as `history` does.

    Parameters
    ----------
    rows : iterable of tuple
        The COLUMNS of an entry, `at` in ns since 1970.
    """
    ordered = sorted(set(rows), key=lambda row: (row[4], row[3], row[1], row[2], row[0]))
    frame = pd.DataFrame(ordered, columns=list(COLUMNS))
    frame["at"] = pd.to_datetime(frame["at"].astype("int64"), unit="ns", utc=True).astype(TIME)
    text = dict.fromkeys(("alert_id", "note", "by"), "str")
    return frame.astype({**text, "verdict": VERDICT})


def marks(alerts: pd.DataFrame, store: str | Path) -> pd.DataFrame:
    """Return the mark that counts of each alert that has one: its latest.

    Entries of one moment are ordered by who, verdict and note, so that all readers agree.

    Parameters
    ----------
    alerts : DataFrame
        Reads `alert_id`.

    Returns
    -------
    DataFrame
        One row per marked alert of `alerts`, as they come there: the columns of `history`, and
        `entries` (int64), the number of entries of the alert.

    Raises
    ------
    AlertSchemaError
        If the alerts have no ids.
    SourceError
        If the file is no store.
    """
    return latest(alerts, history(store))


def latest(alerts: pd.DataFrame, told: pd.DataFrame) -> pd.DataFrame:
    """Return what `marks` does, of entries that `history` has read."""
    require(alerts, ("alert_id",), by="marks")
    own = alerts["alert_id"]
    ids = pd.Index(own[own.isin(told["alert_id"])].drop_duplicates(), name="alert_id")
    told = told[told["alert_id"].isin(ids)]
    last = told.drop_duplicates("alert_id", keep="last").set_index("alert_id")
    last["entries"] = told.groupby("alert_id").size()
    return last.reindex(ids).astype({"entries": "int64"}).reset_index()


def marks_of_incidents(alerts: pd.DataFrame, found: pd.DataFrame) -> pd.DataFrame:
    """Return what the marks of its alerts say of each incident.

    Parameters
    ----------
    alerts : DataFrame
        As `correlate` returns it.
    found : DataFrame
        As `marks` returns it.

    Returns
    -------
    DataFrame
        One row per incident with a mark: `incident_id` (str), `verdict` (the gravest that
        counts), `marked`, `alerts` (int64: alerts marked, and alerts in all).
    """
    require(alerts, ("alert_id", "incident_id"), by="marks_of_incidents")
    marked = alerts["incident_id"][alerts["alert_id"].isin(found["alert_id"])]
    own = alerts["incident_id"].isin(marked)
    one = alerts.loc[own, ["alert_id", "incident_id"]].drop_duplicates("alert_id")
    sizes = one.groupby("incident_id", observed=True).size()
    told = one.merge(found[["alert_id", "verdict"]], on="alert_id")
    groups = told.groupby("incident_id", sort=False, observed=True)["verdict"]
    # categories have no maximum by group; their codes do
    worst = told["verdict"].cat.codes.groupby(told["incident_id"], sort=False, observed=True).max()
    frame = pd.DataFrame({"verdict": pd.Categorical.from_codes(worst, dtype=VERDICT)}, worst.index)
    frame["marked"] = groups.size()
    frame["alerts"] = sizes.reindex(frame.index)
    return frame.rename_axis("incident_id").reset_index()


def merge(store: str | Path, *others: str | Path) -> int:
    """Take over the entries of other stores; return how many were new.

    Raises
    ------
    SourceError
        If one of the files is not there or no store; then nothing is taken over.
    """
    rows = [row for other in others for row in _rows(Path(other))]
    with closing(_opened(Path(store))) as connection:
        try:
            added = _add(connection, rows)
            connection.commit()
        except sqlite3.Error as error:
            raise SourceError(f"cannot merge into {store}: {error}") from error
    return added


def _opened(path: Path) -> sqlite3.Connection:
    try:
        connection = sqlite3.connect(path, timeout=10)
    except sqlite3.Error as error:
        raise SourceError(f"cannot open {path}: {error}") from error
    try:
        connection.executescript(_SCHEMA)
    except sqlite3.Error as error:
        connection.close()
        raise SourceError(f"{path} is no store of marks: {error}") from error
    return connection


def _rows(path: Path) -> list[tuple[str, str, str, str, int]]:
    """Return the entries of a file that may be anybody's, in order of time."""
    if not path.is_file():
        raise SourceError(f"no such file: {path}")
    query = "SELECT alert_id, verdict, note, by, at FROM entry ORDER BY at, by, verdict, note"
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            rows = connection.execute(query).fetchall()
    except sqlite3.Error as error:
        raise SourceError(f"{path} is no store of marks: {error}") from error
    return [checked(row, path) for row in rows]


def checked(row: tuple[Any, ...], path: Path) -> tuple[str, str, str, str, int]:
    """Return an entry of a file that may be anybody's; raise SourceError where it is none."""
    one, verdict, note, by, at = row
    sound = isinstance(one, str) and _ID.fullmatch(one) and verdict in VERDICTS
    if not (sound and isinstance(note, str) and isinstance(by, str) and isinstance(at, int)):
        raise SourceError(f"{path} is no store of marks: {one!r:.40} {verdict!r:.40}")
    return one, verdict, note, by, at


def _add(connection: sqlite3.Connection, rows: list[tuple[str, str, str, str, int]]) -> int:
    before = connection.total_changes
    connection.executemany(
        "INSERT OR IGNORE INTO entry (alert_id, verdict, note, by, at) VALUES (?, ?, ?, ?, ?)", rows
    )
    return connection.total_changes - before


def _now(connection: sqlite3.Connection, ids: list[str]) -> int:
    query = "SELECT max(at) FROM entry WHERE alert_id = ?"
    found = [connection.execute(query, (one,)).fetchone()[0] for one in ids]
    return max([time.time_ns(), *(int(at) + 1 for at in found if at is not None)])


def _nanoseconds(at: pd.Timestamp | str) -> int:
    read = pd.Timestamp(at)
    if pd.isna(read):
        raise ValueError(f"{at!r} is no time")
    zoned = read.tz_localize("UTC") if read.tz is None else read.tz_convert("UTC")
    return int(zoned.as_unit("ns").value)


def _check(ids: list[str]) -> None:
    for one in ids:
        if not _ID.fullmatch(one):
            raise ValueError(f"{one!r:.40} is no alert id; see identify()")
