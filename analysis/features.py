"""Facts that follow from an alert's fields, each with the fields it rests on.

In: alerts. Out: the same rows and the columns of DERIVED (no dot: derived, not Falco's own).
Knows what a value *is* (34816 is /dev/pts/0); what it means is for findings and playbooks.
"""

from __future__ import annotations

import re
from functools import cache, cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from analysis import hidden
from analysis.flags import EXE_FLAGS, EXEC_EVENTS, decode_exe_flags
from analysis.intake import whole_number
from analysis.intake.records import NOTICE
from analysis.knowledge import source_of
from analysis.knowledge.masks import each

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

OPEN_EVENTS = ("open", "openat", "openat2", "open_by_handle_at", "creat")

# longer than a process's own name can be (comm: 15 bytes), so Falco's alone
_NO_PROCESS = r"container:[0-9a-f]{12,64}\Z"
_MEMFD = r"(?s)^/?memfd:(.*?)(?: \(deleted\))?\Z"

DERIVED: dict[str, tuple[str, ...]] = {
    **{flag.column: ("evt.arg.flags", "evt.type", flag.field) for flag in EXE_FLAGS},
    "exe_layered": (
        "evt.arg.flags",
        "evt.type",
        "proc.is_exe_upper_layer",
        "proc.is_exe_lower_layer",
    ),
    "exec_failed": ("evt.res", "evt.type"),
    "open_failed": ("fd.num", "evt.res", "evt.type"),
    "memfd_name": ("proc.exepath",),
    "terminal": ("proc.tty",),
    "in_container": ("container.id",),
    "container_event": ("evt.type", "proc.name", "proc.cmdline"),
    "container_age_s": ("container.start_ts", "time", "container.id"),
    "host_uptime_s": ("container.start_ts", "time", "container.id"),
    "exe_age_at_start_s": (
        "proc.exe_ino.ctime_duration_proc_start",
        "proc.exe_ino.ctime",
        "proc.pid.ts",
    ),
    "exe_after_container_s": (
        "proc.exe_ino.ctime",
        "container.start_ts",
        "container.id",
        "proc.exe_ino.ctime_duration_pidns_start",
    ),
    **dict.fromkeys(hidden.COLUMNS.values(), ()),
}
"""Each derived column and the alert fields that a statement about it cites; `()`: its value tells."""


def fields_behind(name: str, value: Any) -> tuple[str, ...]:
    """Return the alert fields that a fact of this name and value follows from."""
    if name in hidden.COLUMNS.values():
        return hidden.fields_named(value or ())
    return DERIVED.get(name, (name,))


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
        open_failed : boolean
            `fd.num` is -1, or an open event whose `evt.res` is not SUCCESS: tried, not opened.
        memfd_name : str
            Name given to memfd_create(2), where `proc.exepath` is one: `memfd:x` (eBPF) or
            `/memfd:x` (kernel module). Free text; may be empty.
        terminal : str
            The controlling terminal of `proc.tty`; "none" for 0. A pts number counts per
            devpts mount, so it never joins two containers.
        in_container : boolean
            `container.id` is an id, not the word `host`.
        container_event : boolean
            True for Falco's own event about a container (`evt.type` is `container`, or the command
            `container:<id>`): its process and user fields are made up. Missing for others.
        container_age_s, host_uptime_s : Float64 [s]
            `time` minus `container.start_ts`, which on a host is its boot.
        exe_age_at_start_s : Float64 [s]
            How old the program file's ctime was when the process was cloned; negative where
            the file changed after that. As the alert tells it, else `proc.pid.ts` minus ctime.
        exe_after_container_s : Float64 [s]
            The program file's ctime minus the container's start, or as the alert tells it.
        override_characters, … : object
            Characters that an eye misses or misreads, by kind: see `hidden.find_hidden`.

    Notes
    -----
    Sources: libs `threadinfo.cpp`, `parsers.cpp`, `sinsp_filtercheck_thread.cpp`; proc(5), tty_nr.
    """
    characters = hidden.find_hidden(alerts)
    seen = _Seen(alerts)
    made = {name: make(seen) for name, make in _MAKERS.items()}
    return seen.decoded.assign(**made, **{str(name): column for name, column in characters.items()})


def derived(alerts: pd.DataFrame, name: str) -> pd.Series:
    """Return one column of DERIVED as `derive` would make it, and make no other."""
    if name in _MAKERS:
        return _MAKERS[name](_Seen(alerts))
    made = (
        hidden.find_hidden(alerts) if name in hidden.COLUMNS.values() else decode_exe_flags(alerts)
    )
    return made[name]


class _Seen:
    """The fields of a frame, each made ready once."""

    def __init__(self, alerts: pd.DataFrame) -> None:
        self._alerts, self.index = alerts, alerts.index
        self.text: Callable[..., pd.Series] = cache(partial(text, alerts))
        self.whole: Callable[..., pd.Series] = cache(partial(whole, alerts))

    def matching(self, field: str, pattern: str) -> Any:
        """Return which texts match, as a mask."""
        column = self._alerts.get(field)
        if column is not None and isinstance(column.dtype, pd.CategoricalDtype):
            return each(column, lambda value: bool(re.match(pattern, str(value))))
        return self.text(field).str.match(pattern).fillna(value=False).to_numpy(bool)

    @cached_property
    def decoded(self) -> pd.DataFrame:
        return decode_exe_flags(self._alerts)

    @cached_property
    def inside(self) -> pd.Series:
        container = self.text("container.id")
        known = container.notna() & (container != "")
        return (container != "host").where(known).astype("boolean")

    @cached_property
    def since_start(self) -> pd.Series:
        return _seconds(self.whole("time") - self.whole("container.start_ts", least=1))


def _age_at_start(seen: _Seen) -> pd.Series:
    told = seen.whole("proc.exe_ino.ctime_duration_proc_start")
    cloned = seen.whole("proc.pid.ts", least=1)
    return _seconds(told.fillna(cloned - seen.whole("proc.exe_ino.ctime", least=1)))


def _after_container(seen: _Seen) -> pd.Series:
    start = seen.whole("container.start_ts", least=1)
    after = (seen.whole("proc.exe_ino.ctime", least=1) - start).fillna(
        # told if positive only
        seen.whole("proc.exe_ino.ctime_duration_pidns_start", least=1)
    )
    return _seconds(after).where(seen.inside.fillna(value=False))


UNTOLD = ("", "syscalls")
"""How an alert is written that tells no event source; the word is falcosidekick's."""


def event_source(source: str, rule: str) -> str:
    """Return the event source of an alert by what it tells of its source and rule, `""` for nothing.

    Where it tells no source (Falco before 0.30, rendered text) it is that of the shipped rule of
    its name, `syscall` for any other rule. Falco's notices about itself are `internal`.
    """
    if rule.startswith(NOTICE):
        return "internal"
    return source_of(rule) if source in UNTOLD else source


def event_sources(alerts: pd.DataFrame) -> pd.Series:
    """Return the `event_source` of each alert (category)."""
    told, rules = (alerts[name].astype("category") for name in ("source", "rule"))
    words, names = (["", *one.cat.categories.astype("str")] for one in (told, rules))
    pairs = (told.cat.codes.to_numpy(np.int64) + 1) * len(names) + rules.cat.codes.to_numpy() + 1
    codes, distinct = pd.factorize(pairs)
    each = [event_source(words[at // len(names)], names[at % len(names)]) for at in distinct]
    kinds = list(dict.fromkeys(each))
    which = np.array([kinds.index(one) for one in each], dtype=np.int64)
    index = pd.Index(kinds, dtype="str")
    return pd.Series(pd.Categorical.from_codes(which[codes], index), alerts.index)


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


def _failed(seen: _Seen, events: Sequence[str]) -> pd.Series:
    result, event = seen.text("evt.res"), seen.text("evt.type")
    return (result != "SUCCESS").where(result.notna() & event.isin(events)).astype("boolean")


def _container_event(seen: _Seen) -> pd.Series:
    told = {"evt.type": r"container\Z", "proc.name": _NO_PROCESS, "proc.cmdline": _NO_PROCESS}
    made_up = np.logical_or.reduce([seen.matching(name, one) for name, one in told.items()])
    return pd.Series(pd.arrays.BooleanArray(made_up, ~made_up), index=seen.index)


def _open_failed(seen: _Seen) -> pd.Series:
    descriptor = seen.whole("fd.num")
    by_descriptor = (descriptor == -1).where(descriptor.notna()).astype("boolean")
    return _failed(seen, OPEN_EVENTS).fillna(by_descriptor)


def text(alerts: pd.DataFrame, field: str) -> pd.Series:
    """Return a text field as str, missing where the frame or the alert has no text."""
    column = alerts.get(field, pd.Series(index=alerts.index, dtype="str"))
    if column.dtype == object:  # a frame that read_alerts did not make
        column = column.where(column.map(lambda value: isinstance(value, str)).astype("bool"))
    told: pd.Series = column.astype("str")
    return told.where(told != "<NA>")


def whole(
    alerts: pd.DataFrame, field: str, *, least: int | None = None, most: int | None = None
) -> pd.Series:
    """Return an integer field, a time or duration in ns, as Int64: exact, or missing."""
    if field not in alerts:
        return pd.Series(pd.NA, index=alerts.index, dtype="Int64")
    numbers, missing = _numbers(alerts[field])
    if least is not None:
        missing |= numbers < least
    if most is not None:
        missing |= numbers > most
    return pd.Series(pd.arrays.IntegerArray(numbers, missing), index=alerts.index)


def _numbers(column: pd.Series) -> tuple[Any, Any]:
    """Return the whole numbers of a column (int64), and where it has none."""
    missing = column.isna().to_numpy(bool, copy=True)
    if column.dtype.kind in "mM":
        return column.dt.as_unit("ns").astype("int64").to_numpy(copy=True), missing
    if column.dtype == "UInt64":
        numbers = column.to_numpy("uint64", na_value=0)
        return numbers.astype("int64"), missing | (numbers >= 2**63)
    if column.dtype == "Int64" or column.dtype.kind == "i":
        return column.to_numpy("int64", na_value=0, copy=True), missing
    if column.dtype.kind == "f":  # of a frame that read_alerts did not make: exact up to 2^53
        column = column.where((column.abs() < 2**53) & (column % 1 == 0))
    else:  # a frame that read_alerts did not make
        column = column.map(whole_number, na_action="ignore")
    exact = column.astype("Int64")
    return exact.to_numpy("int64", na_value=0, copy=True), exact.isna().to_numpy(bool)


def _each(values: pd.Series, function: Callable[[int], object]) -> pd.Series:
    # few distinct values: each is worked out once
    return values.map({value: function(value) for value in values.dropna().unique()})


def _seconds(nanoseconds: pd.Series) -> pd.Series:
    return nanoseconds.astype("Float64") / 1e9


_MAKERS: dict[str, Callable[[_Seen], pd.Series]] = {
    "exe_layered": lambda seen: seen.decoded["exe_upper_layer"] | seen.decoded["exe_lower_layer"],
    "exec_failed": lambda seen: _failed(seen, EXEC_EVENTS),
    "open_failed": _open_failed,
    "memfd_name": lambda seen: seen.text("proc.exepath").str.extract(_MEMFD)[0],
    "terminal": lambda seen: _each(seen.whole("proc.tty", least=0, most=2**32 - 1), terminal_name),
    "in_container": lambda seen: seen.inside,
    "container_event": _container_event,
    "container_age_s": lambda seen: seen.since_start.where(seen.inside.fillna(value=False)),
    "host_uptime_s": lambda seen: seen.since_start.where(~seen.inside.fillna(value=True)),
    "exe_age_at_start_s": _age_at_start,
    "exe_after_container_s": _after_container,
}
"""How each derived column is made that is neither an exe flag nor about hidden characters."""
