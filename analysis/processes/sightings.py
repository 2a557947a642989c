"""What alerts tell of processes, as arrays: one row per alert, one level per step of ancestry.

In: an alerts frame. Out: `Sightings`, whose level 0 is the process of the alert, 1 its parent.
Says what is told and when; which sightings are one process is for `by_pid` and `by_name`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from analysis.features import text, whole
from analysis.flags import boolean
from analysis.lineage import field_level
from analysis.placeholders import without_placeholders
from analysis.processes.keys import UNKNOWN, encode, mix, texts_hash

if TYPE_CHECKING:
    from collections.abc import Iterable

_TEXT = pa.large_string()
_LARGEST_PID = 2**31 - 1
# Falco prints a count of open files for proc.ppid.duration where the parent's start is not known
_LEAST_PARENT_DURATION = 1_000_000


@dataclass(frozen=True, slots=True)
class Level:
    """One step of ancestry in every alert: pid (0 not told), start [ns], codes of texts (-1)."""

    pid: np.ndarray
    start: np.ndarray
    name: np.ndarray
    exepath: np.ndarray
    cmdline: pa.Array

    def take(self, rows: np.ndarray) -> Level:
        """Return these rows."""
        return Level(
            self.pid[rows],
            self.start[rows],
            self.name[rows],
            self.exepath[rows],
            self.cmdline.take(pa.array(rows)),
        )


@dataclass(frozen=True, slots=True)
class Sightings:
    """Arrays of one length, and the vocabularies that their codes point into.

    `clock` is when the event happened as the sensor counts it, to hold against start times;
    `seen` the alert's time. In a replayed capture the two differ.
    """

    host: np.ndarray
    container: np.ndarray
    login: np.ndarray
    clock: np.ndarray
    seen: np.ndarray
    tty: np.ndarray
    leader: np.ndarray
    levels: list[Level]
    hosts: pa.Array
    containers: pa.Array
    names: pa.Array
    exepaths: pa.Array

    def __len__(self) -> int:
        """Return the number of alerts."""
        return len(self.host)

    def take(self, rows: np.ndarray) -> Sightings:
        """Return these rows."""
        if len(rows) == len(self):
            return self
        arrays = ("host", "container", "login", "clock", "seen", "tty", "leader")
        taken = {name: getattr(self, name)[rows] for name in arrays}
        return replace(self, **taken, levels=[level.take(rows) for level in self.levels])

    def content(self, rows: np.ndarray, level: int) -> np.ndarray:
        """Return a hash of what each row tells at a level: it orders alerts of one time."""
        at = self.levels[level]
        return mix(
            texts_hash(self.names)[at.name[rows]],
            texts_hash(self.exepaths)[at.exepath[rows]],
            texts_hash(at.cmdline.take(pa.array(rows)))[:-1],
            texts_hash(self.containers)[self.container[rows]],
            self.tty[rows],
            self.leader[rows],
        )


def sightings(alerts: pd.DataFrame) -> Sightings:
    """Return what `alerts` tells of processes; a field that the frame lacks is not told."""
    alerts = without_placeholders(alerts)
    fields: dict[tuple[int, str], list[str]] = {}
    for column in alerts.columns:
        place = field_level(str(column))
        if place:
            fields.setdefault(place, []).append(column)
    depth = max((level for level, _ in fields), default=0) + 1
    levels = range(depth)
    names, vocabulary = encode([_texts(alerts, fields.get((k, "name"), ())) for k in levels])
    paths, exepaths = encode([_texts(alerts, fields.get((k, "exepath"), ())) for k in levels])
    (host,), hosts = encode([_texts(alerts, ["hostname"])])
    (container,), containers = encode([_texts(alerts, ["container.id"])])
    seen = _numbers(alerts, ["time"], UNKNOWN)
    event = _numbers(alerts, ["evt.time"], UNKNOWN)
    clock = np.where(event > UNKNOWN, event, seen)
    return Sightings(
        host=host,
        container=container,
        login=_numbers(alerts, ["user.loginuid"], -1, least=0, most=2**32 - 2),
        clock=clock,
        seen=seen,
        tty=_numbers(alerts, ["proc.tty"], -1, least=0, most=2**32 - 1),
        leader=_leader(alerts),
        levels=[
            Level(
                pid=_numbers(alerts, fields.get((k, "pid"), ()), 0, least=1, most=_LARGEST_PID),
                start=_start(alerts, k, clock),
                name=names[k],
                exepath=paths[k],
                cmdline=_plain(_texts(alerts, fields.get((k, "cmdline"), ()))),
            )
            for k in levels
        ],
        hosts=hosts,
        containers=containers,
        names=vocabulary,
        exepaths=exepaths,
    )


def _start(alerts: pd.DataFrame, level: int, clock: np.ndarray) -> np.ndarray:
    """Return when the process was cloned: told, or the event's time minus its duration."""
    if level > 1:
        return np.full(len(alerts), UNKNOWN)
    of = ("proc.pid", "proc.ppid")[level]
    told = _numbers(alerts, [f"{of}.ts"], UNKNOWN, least=1)
    duration = _numbers(
        alerts,
        [("proc.duration", "proc.ppid.duration")[level]],
        -1,
        least=(0, _LEAST_PARENT_DURATION)[level],
    )
    worked_out = (told == UNKNOWN) & (duration >= 0) & (clock > UNKNOWN)
    return np.where(worked_out, clock - duration, told)


def _leader(alerts: pd.DataFrame) -> np.ndarray:
    """Return whether the process leads its session: 1, 0, or -1 where no alert tells."""
    said = np.full(len(alerts), -1)
    if "proc.is_sid_leader" in alerts:
        told = boolean(alerts, "proc.is_sid_leader")
        said = np.where(told.isna(), -1, told.fillna(value=False)).astype(np.int64)
    # what the field is made of (libs, sinsp_filtercheck_thread.cpp)
    session = _numbers(alerts, ["proc.sid"], -1, least=0)
    own = _numbers(alerts, ["proc.vpid"], -1, least=0)
    worked_out = (said < 0) & (session >= 0) & (own >= 0)
    return np.where(worked_out, session == own, said)


def _numbers(
    alerts: pd.DataFrame,
    columns: Iterable[str],
    missing: int,
    *,
    least: int | None = None,
    most: int | None = None,
) -> np.ndarray:
    numbers = np.full(len(alerts), missing)
    for column in columns:
        if column in alerts:
            found = whole(alerts, column, least=least, most=most)
            told = found.to_numpy("int64", na_value=missing)
            numbers = np.where(numbers == missing, told, numbers)
    return numbers


def _texts(alerts: pd.DataFrame, columns: Iterable[str]) -> pa.Array:
    """Return a text field as Arrow holds it; the first of `columns` that tells, row by row."""
    found = [_arrow(alerts, column) for column in columns if column in alerts]
    if not found:
        return pa.nulls(len(alerts), _TEXT)
    if len(found) == 1:
        return found[0]
    return pc.coalesce(*map(_plain, found))


def _plain(array: pa.Array) -> pa.Array:
    coded = isinstance(array, pa.DictionaryArray)
    return array.dictionary_decode().cast(_TEXT) if coded else array


def _arrow(alerts: pd.DataFrame, column: str) -> pa.Array:
    values = alerts[column]
    if not isinstance(values.dtype, pd.CategoricalDtype):
        values = text(alerts, column)
    elif values.cat.categories.dtype != "str":
        values = values.cat.rename_categories(list(values.cat.categories.astype("str")))
    array = pa.array(values, from_pandas=True)
    array = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
    return array if isinstance(array, pa.DictionaryArray) else array.cast(_TEXT)
