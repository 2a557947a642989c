"""What the lines of a process tree say: a frame in, texts out, drawn by `tree`.

All alert text is made visible and cut here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from analysis.figures.picture import counted, short

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_SAID = 12  # kinds of process that the words name; a listener has no use for 200


def lines(rows: pd.DataFrame, processes: pd.DataFrame) -> list[dict[str, Any]]:
    """Return what each line shows, top to bottom; before a container's first, one that names it.

    Each has `kind` (process, folded, container), `indent`, `above` (its parent's line, -1 for
    none), `inside` (the container's id, empty on a host), and its texts.
    """
    drawn = rows.loc[rows["process"] >= 0, "process"]
    known = dict(zip(drawn, processes.iloc[drawn].to_dict("records"), strict=True))
    several = len(processes["hostname"].dropna().unique()) > 1
    records = rows.to_dict("records")
    insides = _insides(records, known)
    made: list[dict[str, Any]] = []
    at = {-1: -1}  # row of the figure's data -> line of the figure
    for number, row in enumerate(records):
        process, inside = known.get(row["process"]), insides[number]
        outside = insides[row["above"]] if row["above"] >= 0 else ""
        line = {"indent": row["indent"], "above": at[row["above"]], "inside": inside or ""}
        before = made[-1]["inside"] if made else ""
        if inside and inside not in (outside, before):
            edge = "" if outside is not None else "; whether it holds those above is not told"
            made.append(
                line | {"kind": "container", "text": f"container {short(inside, 24)}{edge}"}
            )
        at[number] = len(made)
        shown = _process(process, row, several=several) if process else _count(row)
        made.append(line | shown)
    return made


def title(processes: pd.DataFrame) -> tuple[str, str]:
    """Return how many processes there are and where; how many alerts, and when."""
    alerted = int((processes["alerts"] > 0).sum())
    hosts = processes["hostname"].dropna().astype("str").unique()
    where = f"on {len(hosts):,} hosts" if len(hosts) > 1 else "on a host that is not told"
    where = f"on {short(hosts[0], 40)}" if len(hosts) == 1 else where
    where += (
        ", some on a host that is not told"
        if len(hosts) and processes["hostname"].isna().any()
        else ""
    )
    what = f"{counted(int(processes['alerts'].sum()), 'alert')} on {alerted:,} of them"
    first, last = processes["first_seen"].min(), processes["last_seen"].max()
    when = "times not told"
    if pd.notna(first):
        to = f"{last:%H:%M:%S}" if last.date() == first.date() else f"{last:%Y-%m-%d %H:%M:%S}"
        when = f"{first:%Y-%m-%d %H:%M:%S} to {to} UTC"
    count, inferred = len(processes), int(processes["inferred"].sum())
    which = f", {inferred:,} of them inferred from names," if inferred else ""
    which = " inferred from names," if inferred == count else which
    return f"{counted(count, 'process', 'processes')}{which} {where}", f"{what}, {when}"


def words(processes: pd.DataFrame, rows: pd.DataFrame) -> str:
    """Say the figure: where, how many, the processes with alerts and whose children they are."""
    drawn = rows[rows["process"] >= 0]
    said: dict[str, list[int]] = {}
    for row in drawn[processes["alerts"].to_numpy()[drawn["process"]] > 0].to_dict("records"):
        process = processes.iloc[row["process"]]
        above = rows["process"].iloc[row["above"]] if row["above"] >= 0 else -1
        below = f" below {called(processes['proc.name'].iloc[above])}" if above >= 0 else ""
        inferred = ", inferred from names" if process["inferred"] else ""
        said.setdefault(f"{called(process['proc.name'])}{below}{inferred}", []).append(
            int(process["alerts"])
        )
    told = [
        f"{f'{len(alerts)} ' if len(alerts) > 1 else ''}{name} ({counted(sum(alerts), 'alert')})"
        for name, alerts in said.items()
    ]
    told = told[:_SAID] + ([f"{len(told) - _SAID:,} others"] if len(told) > _SAID else [])
    left = int(rows["folded"].sum())
    told += [f"{counted(left, 'process', 'processes')} folded into counts"] if left else []
    boundaries = processes.loc[processes["boundary"].astype("bool"), "proc.name"]
    runtimes = sorted({called(name) for name in boundaries})
    edge = f" Container runtimes: {', '.join(runtimes)}." if runtimes else ""
    return f"Process tree: {', '.join(title(processes))}. {'; '.join(told)}.{edge}"


def called(name: object, longest: int = 24) -> str:
    """Return a process's name, visible and cut."""
    return short(_text(name), longest) or "name unknown"


def _process(
    process: Mapping[Any, Any], row: Mapping[Any, Any], *, several: bool
) -> dict[str, Any]:
    mark = "boundary" if process["boundary"] else "ancestor"
    name, command = _text(process["proc.name"]), _text(process["proc.cmdline"])
    return {
        "kind": "process",
        "mark": "alert" if process["alerts"] else mark,
        "dashed": bool(process["inferred"]),
        "time": process["first_seen"],
        "text": called(name),
        "notes": " · ".join(_notes(process, row, several=several)),
        "detail": command if command not in ("", name) else _text(process["proc.exepath"]),
    }


def _notes(process: Mapping[Any, Any], row: Mapping[Any, Any], *, several: bool) -> list[str]:
    pid, terminal = process["proc.pid"], _text(process.get("terminal"))
    alerts, hidden = int(process["alerts"]), row["between_alerts"]
    host = called(process["hostname"])
    leader = process.get("session_leader")
    notes = {
        f"pid {pid}": pd.notna(pid),
        counted(alerts, "alert"): alerts > 0,
        f"host {host}": several and row["above"] < 0,
        f"{row['between']:,} between not shown"
        + (f" ({counted(hidden, 'alert')})" if hidden else ""): row["between"] > 0,
        "container runtime": process["boundary"],
        "inferred": process["inferred"],
        "reparented": process["reparented"],
        "session leader": pd.notna(leader) and bool(leader),
        f"terminal {short(terminal, 12)}": terminal not in ("", "none"),
    }
    return [note for note, there in notes.items() if there]


def _count(row: Mapping[Any, Any]) -> dict[str, Any]:
    names, rest = row["names"][:3], row["names"][3:]
    alerts = counted(row["folded_alerts"], "alert") if row["folded_alerts"] else "no alerts"
    parts = [f"{count:,} {called(name, 16)}" for name, count in names]
    parts += [counted(sum(count for _, count in rest), "other")] if rest else []
    more = f" more: {', '.join(parts)};" if len(parts) > 1 else f" more {called(names[0][0], 16)},"
    return {"kind": "folded", "text": f"+{row['folded']:,}{more} {alerts}", "dashed": False}


def _insides(
    rows: Sequence[Mapping[Any, Any]], known: Mapping[int, Mapping[Any, Any]]
) -> list[str | None]:
    """Return the container of each row: empty on the host, None where nothing tells.

    An alert tells the container of its own process alone. An ancestor below a runtime is in the
    container that all below it are in; the runtime itself is outside.
    """
    insides: list[str | None] = []
    below: list[bool] = []
    for row in rows:
        process, above = known.get(row["process"], {}), row["above"]
        container = _text(process.get("container.id"))
        boundary = bool(process.get("boundary", False))
        outside = "" if container == "host" or (boundary and not container) else None
        insides.append(container if container not in ("", "host") else outside)
        below.append(
            above >= 0 and (below[above] or bool(known[rows[above]["process"]]["boundary"]))
        )
    found: dict[int, set[str | None]] = {}
    for number in reversed(range(len(rows))):
        if insides[number] is None and below[number] and len(found.get(number, ())) == 1:
            (insides[number],) = found[number]
        if insides[number]:
            found.setdefault(rows[number]["above"], set()).add(insides[number])
    for number, row in enumerate(rows):
        if insides[number] is None and below[number]:
            insides[number] = insides[row["above"]] or None
        elif insides[number] is None and row["folded"]:
            insides[number] = insides[row["above"]] if row["above"] >= 0 else ""
    return insides


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
