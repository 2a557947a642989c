"""Facts that follow from an alert's fields, each with the fields it rests on.

In: alerts. Out: the same rows and the columns of DERIVED (no dot: derived, not Falco's own).
Knows what a value *is* (34816 is /dev/pts/0); what it means is for findings and playbooks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from analysis.flags import EXE_FLAGS, decode_exe_flags

if TYPE_CHECKING:
    from collections.abc import Callable

DERIVED: dict[str, tuple[str, ...]] = {
    **{flag.column: ("evt.arg.flags", "evt.type", flag.field) for flag in EXE_FLAGS},
    "exe_layered": (
        "evt.arg.flags",
        "evt.type",
        "proc.is_exe_upper_layer",
        "proc.is_exe_lower_layer",
    ),
    "exec_failed": ("evt.res", "evt.type"),
    "memfd_name": ("proc.exepath",),
    "terminal": ("proc.tty",),
    "in_container": ("container.id",),
    "container_age_s": ("container.start_ts", "time", "container.id"),
    "host_uptime_s": ("container.start_ts", "time", "container.id"),
    "exe_age_at_start_s": ("proc.exe_ino.ctime_duration_proc_start",),
    "exe_after_container_s": ("proc.exe_ino.ctime", "container.start_ts", "container.id"),
}
"""Each derived column and the alert fields that a statement about it cites."""


def derive(alerts: pd.DataFrame) -> pd.DataFrame:
    """Add the columns of DERIVED.

    Parameters
    ----------
    alerts : DataFrame
        Reads the fields named in DERIVED, each where the frame has it, and `time`.

    Returns
    -------
    DataFrame
        A copy with the exe flags (boolean, see `decode_exe_flags`) and

        exe_layered : boolean
            The file lies on overlayfs: one of the layer flags is set.
        exec_failed : boolean
            An exec event whose `evt.res` is not SUCCESS: process fields describe the *caller*.
        memfd_name : str
            Name given to memfd_create(2), where `proc.exepath` is one: `memfd:x` (eBPF) or
            `/memfd:x` (kernel module). Free text; may be empty.
        terminal : str
            The controlling terminal of `proc.tty`; "none" for 0. A pts number counts per
            devpts mount, so it never joins two containers.
        in_container : boolean
            `container.id` is an id, not the word `host`.
        container_age_s, host_uptime_s : Float64 [s]
            `time` minus `container.start_ts`, which on a host is its boot.
        exe_age_at_start_s : Float64 [s]
            How old the program file's ctime was when the process was cloned; negative where
            the file changed after that. Falco prints it unsigned, wrapped at 2^64.
        exe_after_container_s : Float64 [s]
            The program file's ctime minus the container's start.

    Notes
    -----
    Sources: libs `threadinfo.cpp`, `parsers.cpp`, `sinsp_filtercheck_thread.cpp`; proc(5), tty_nr.
    """
    alerts = decode_exe_flags(alerts)
    container = _text(alerts, "container.id")
    inside = (container != "host").where(container.notna() & (container != "")).astype("boolean")
    since_start = _seconds(
        alerts["time"].astype("int64").astype("Int64") - _whole(alerts, "container.start_ts")
    )
    ctime, start = _whole(alerts, "proc.exe_ino.ctime"), _whole(alerts, "container.start_ts")
    return alerts.assign(
        exe_layered=alerts["exe_upper_layer"] | alerts["exe_lower_layer"],
        exec_failed=_exec_failed(alerts),
        memfd_name=_text(alerts, "proc.exepath").str.extract(r"^/?memfd:(.*?)(?: \(deleted\))?$")[
            0
        ],
        terminal=_each(_whole(alerts, "proc.tty"), terminal_name),
        in_container=inside,
        container_age_s=since_start.where(inside.fillna(value=False)),
        host_uptime_s=since_start.where((~inside).fillna(value=False)),
        exe_age_at_start_s=_seconds(
            _each(_whole(alerts, "proc.exe_ino.ctime_duration_proc_start"), signed).astype("Int64")
        ),
        exe_after_container_s=_seconds(ctime - start).where(inside.fillna(value=False)),
    )


def terminal_name(device: int) -> str:
    """Return the device of a tty number as the kernel packs it (proc(5), field tty_nr).

    >>> terminal_name(34816), terminal_name(1025), terminal_name(0)
    ('/dev/pts/0', '/dev/tty1', 'none')
    """
    if device == 0:
        return "none"
    major, minor = (device >> 8) & 0xFFF, (device & 0xFF) | ((device >> 12) & 0xFFF00)
    if 136 <= major <= 143:  # noqa: PLR2004 - the majors of Unix98 pseudo-terminals
        return f"/dev/pts/{(major - 136) * 256 + minor}"
    if major == 4:  # noqa: PLR2004 - consoles, then serial lines
        return f"/dev/tty{minor}" if minor < 64 else f"/dev/ttyS{minor - 64}"  # noqa: PLR2004
    return "/dev/console" if (major, minor) == (5, 1) else f"device {major}:{minor}"


def signed(value: int) -> int:
    """Read an unsigned 64-bit difference that wrapped as the negative number it is."""
    return value - 2**64 if value >= 2**63 else value


def _exec_failed(alerts: pd.DataFrame) -> pd.Series:
    result, event = _text(alerts, "evt.res"), _text(alerts, "evt.type")
    known = result.notna() & event.isin(["execve", "execveat"])
    return (result != "SUCCESS").where(known).astype("boolean")


def _text(alerts: pd.DataFrame, field: str) -> pd.Series:
    column = alerts.get(field, pd.Series(index=alerts.index, dtype="str"))
    # a value of another kind is no text that Falco writes for such a field: unknown
    text = column.where(column.map(lambda v: isinstance(v, str)).astype("bool"))
    return text.astype("str").where(text != "<NA>")


def _whole(alerts: pd.DataFrame, field: str) -> pd.Series:
    """Return an integer field as Python ints or NA (object): exact up to any size."""
    column = alerts.get(field, pd.Series(index=alerts.index, dtype="object")).astype("object")
    return column.where(
        column.map(lambda v: isinstance(v, int) and not isinstance(v, bool)).astype("bool"), pd.NA
    )


def _each(values: pd.Series, function: Callable[[int], object]) -> pd.Series:
    # few distinct values: each is worked out once
    return values.map({value: function(value) for value in values.dropna().unique()})


def _seconds(nanoseconds: pd.Series) -> pd.Series:
    return nanoseconds.astype("Float64") / 1e9
