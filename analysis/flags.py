"""Exe flags of exec events: what the kernel saw of the program file, as nullable booleans.

In: alerts with `evt.type`, `evt.arg.flags` or `proc.is_exe_*`. Out: the same rows and four
booleans. Facts: falcosecurity/libs `driver/ppm_events_public.h` (PPM_EXE_*),
`driver/flags_table.c` (names), `userspace/libsinsp/event.cpp` (text). Says what was seen;
findings say what it may mean.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import reduce

import pandas as pd


@dataclass(frozen=True, slots=True)
class ExeFlag:
    """One bit: its value, its name in alerts, the field and the column that hold it, its meaning."""

    bit: int
    name: str
    field: str
    column: str
    meaning: str


EXE_FLAGS = (
    ExeFlag(
        1,
        "EXE_WRITABLE",
        "proc.is_exe_writable",
        "exe_writable",
        "the user who ran the program may write its file; always so for root, hence weak alone",
    ),
    ExeFlag(
        2,
        "EXE_UPPER_LAYER",
        "proc.is_exe_upper_layer",
        "exe_upper_layer",
        "the file lies in the writable layer of a container's overlay file system: it was added or "
        "changed after the image was built; volumes and tmpfs are not seen by it",
    ),
    ExeFlag(
        4,
        "EXE_FROM_MEMFD",
        "proc.is_exe_from_memfd",
        "exe_from_memfd",
        "the file is a memfd: it exists in memory only (Falco 0.36 and later)",
    ),
    ExeFlag(
        8,
        "EXE_LOWER_LAYER",
        "proc.is_exe_lower_layer",
        "exe_lower_layer",
        "the file comes from a container image's own layers (Falco 0.39 and later)",
    ),
)
"""All four, in Falco's printing order; FROM_MEMFD since Falco 0.36, LOWER_LAYER since 0.39."""

EXEC_EVENTS = ("execve", "execveat")

_BIT = {flag.name: flag.bit for flag in EXE_FLAGS}
_ALL_BITS = sum(_BIT.values())
# the three forms Falco prints: "EXE_WRITABLE|EXE_FROM_MEMFD", "5(EXE_…)" inside evt.args, "0"
_FORM = re.compile(r"(?:(?P<number>\d{1,3})(?:\(.*\))?|(?P<names>EXE_[A-Z_]+(?:\|EXE_[A-Z_]+)*))")


def parse_exe_flags(text: str) -> int | None:
    """Return the bits of an `evt.arg.flags` value, or None if it holds no exe flags.

    >>> parse_exe_flags("EXE_WRITABLE|EXE_FROM_MEMFD"), parse_exe_flags("0")
    (5, 0)
    >>> parse_exe_flags("O_RDONLY|O_CLOEXEC") is None
    True
    """
    form = _FORM.fullmatch(text.strip())
    if form is None:
        return None
    if form["names"]:
        names = form["names"].split("|")
        return (
            reduce(int.__or__, map(_BIT.__getitem__, names)) if set(names) <= _BIT.keys() else None
        )
    bits = int(form["number"])
    return bits if bits <= _ALL_BITS else None


def decode_exe_flags(alerts: pd.DataFrame) -> pd.DataFrame:
    """Add the exe flags as four nullable booleans.

    Parameters
    ----------
    alerts : DataFrame
        Reads `evt.type`, `evt.arg.flags` and `proc.is_exe_*`, each where the frame has it.

    Returns
    -------
    DataFrame
        A copy with `exe_writable`, `exe_upper_layer`, `exe_from_memfd`, `exe_lower_layer`
        (boolean): the flag is set, not set, or `<NA>`, unknown.

    Notes
    -----
    `evt.arg.flags` holds exe flags for exec events only; the same field holds open flags on an
    open event, so it is read where `evt.type` is execve or execveat, or where `evt.type` was
    not printed and the value names exe flags. `proc.is_exe_*` answer for any event and win.
    After a failed exec all of them describe the *calling* program. "Not set" is weak for
    EXE_LOWER_LAYER (sensors before Falco 0.39 never set it) and for processes older than Falco.
    """
    bits = _bits(alerts)
    columns = {}
    for flag in EXE_FLAGS:
        # Int64 & bit keeps <NA>; comparing gives a nullable boolean
        from_flags = (bits & flag.bit) != 0
        known = _boolean(alerts, flag.field)
        columns[flag.column] = known.fillna(from_flags).astype("boolean")
    return alerts.assign(**columns)


def _bits(alerts: pd.DataFrame) -> pd.Series:
    if "evt.arg.flags" not in alerts:
        return pd.Series(pd.NA, index=alerts.index, dtype="Int64")
    text = alerts["evt.arg.flags"].astype("str")
    # few distinct values in any number of alerts: decode each once
    decoded = {value: parse_exe_flags(value) for value in text.dropna().unique()}
    bits = text.map(decoded).astype("Int64")
    if "evt.type" in alerts:
        event = alerts["evt.type"].astype("str")
        return bits.where(event.isin(EXEC_EVENTS) | (event.isna() & text.str.startswith("EXE_")))
    return bits.where(text.str.startswith("EXE_"))


def _boolean(alerts: pd.DataFrame, field: str) -> pd.Series:
    if field not in alerts:
        return pd.Series(pd.NA, index=alerts.index, dtype="boolean")
    said = (
        alerts[field].astype("object").map({True: True, False: False, "true": True, "false": False})
    )
    return said.astype("boolean")
