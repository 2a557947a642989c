"""Which incident first: a score from 0 to 100 whose every summand is named and shown.

In: alerts in their groups. Out: points per incident and summand; their sum is the score. Weights
and their reasons are data (`knowledge/weights.toml`). A score orders the queue, it decides nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from analysis.explained import EXPLANATIONS, explain
from analysis.flags import decode_exe_flags
from analysis.grouping import Groups, distinct
from analysis.knowledge import tactics, weights
from analysis.schema import PRIORITIES, PRIORITY, require
from analysis.tactics import tactics_of_groups

SUMMANDS = ("priority", "rarity", "tactics", "rules", "executable", *EXPLANATIONS)
"""What a score is the sum of, in the order in which it is shown."""

_EXE_FIELDS = ("evt.type", "evt.arg.flags", "proc.is_exe_upper_layer", "proc.is_exe_from_memfd")


def score(alerts: pd.DataFrame, incidents: pd.DataFrame) -> pd.DataFrame:
    """Return what the score of each incident is the sum of.

    Parameters
    ----------
    alerts, incidents : DataFrame
        As `correlate` returns them. Rarity is measured against all of `alerts`; `incidents` may
        be some of its rows.

    Returns
    -------
    DataFrame
        One row per incident and summand that gives or takes points, in the order of `incidents`:
        `incident_id`, `summand` (one of SUMMANDS), `points` (float64), `reason` (str: a sentence
        that names the alert fields it rests on).

    Raises
    ------
    AlertSchemaError
        If `alerts` was not correlated.
    """
    require(alerts, ("alert_id", "incident_id"), by="score")
    rows, _ = distinct(alerts)
    group, ids = pd.factorize(alerts["incident_id"].iloc[rows])
    measures = measure(Groups(alerts, rows, group, len(ids)))
    given = points(measures).to_numpy()
    place = {one: at for at, one in enumerate(ids)}
    found = [
        (one, name, given[place[one], at], sentence)
        for one in incidents["incident_id"]
        for at, (name, sentence) in enumerate(_sentences(measures, place[one]))
        if given[place[one], at]
    ]
    frame = pd.DataFrame(found, columns=["incident_id", "summand", "points", "reason"])
    return frame.astype(
        {"points": "float64"} | dict.fromkeys(("incident_id", "summand", "reason"), "str")
    )


@dataclass(frozen=True)
class Measures:
    """What is measured of each group, an array each; `total` is the number of alerts loaded."""

    total: int
    priority: Any  # position in PRIORITIES; -1 is unknown
    rarest: Any  # alerts loaded that share the group's rarest combination
    tactics: Any  # groups x tactics of the kill chain: true where the group has it
    rules: Any
    executable: Any  # alerts of a program from memory or from a writable layer
    explanation: Any  # position in EXPLANATIONS; -1 is none


def measure(groups: Groups) -> Measures:
    """Measure what the score is made of."""
    priority = groups.alerts["priority"].astype(PRIORITY).cat.codes.to_numpy()[groups.rows]
    rule, values = groups.codes("rule")
    rules = groups.members(rule, len(values))[0]
    return Measures(
        total=len(groups.rows),
        priority=-groups.smallest(-priority.astype("int64")),
        rarest=_rarest(groups),
        tactics=tactics_of_groups(groups),
        rules=np.bincount(rules, minlength=groups.count),
        executable=_executable(groups),
        explanation=groups.smallest(explain(groups.alerts).cat.codes.to_numpy()[groups.rows]),
    )


def points(measures: Measures) -> pd.DataFrame:
    """Return the points of each group (float64, a row per group), a column for each of SUMMANDS."""
    table = weights()
    by_priority = np.array([*(table["priority"]["points"][name] for name in PRIORITIES), 0])
    found = {
        "priority": by_priority[measures.priority].astype("float64"),
        "rarity": _rarity(measures, table["rarity"]),
        "tactics": _beyond_the_first(measures.tactics.sum(axis=1), table["tactics"]),
        "rules": _beyond_the_first(measures.rules, table["rules"]),
        "executable": np.where(measures.executable > 0, float(table["executable"]["most"]), 0.0),
    }
    given = np.sum(list(found.values()), axis=0)
    for code, name in enumerate(EXPLANATIONS):
        taken = np.minimum(-float(table["explained"][name]), given)
        found[name] = np.where(measures.explanation == code, -taken, 0.0)
    return pd.DataFrame(found)


def _rarity(measures: Measures, table: dict[str, Any]) -> Any:
    if measures.total < table["least"]:
        return np.zeros(len(measures.rarest))
    share = 1 - np.log(measures.rarest) / np.log(measures.total)
    # a tenth is what is shown, so a tenth is what counts
    return np.round(table["most"] * share, 1)


def _beyond_the_first(number: Any, table: dict[str, Any]) -> Any:
    return np.minimum(np.maximum(number - 1, 0) * float(table["each"]), float(table["most"]))


def _rarest(groups: Groups) -> Any:
    key = np.zeros(len(groups.rows), dtype="int64")
    for field in weights()["rarity"]["fields"]:
        codes, values = groups.codes(field)
        key = pd.factorize(key * (len(values) + 1) + codes + 1)[0]
    return groups.smallest(np.bincount(key)[key]) if len(key) else key


def _executable(groups: Groups) -> Any:
    present = [field for field in _EXE_FIELDS if field in groups.alerts]
    key = np.zeros(len(groups.rows), dtype="int64")
    for field in present:
        codes, values = groups.codes(field)
        key = key * (len(values) + 1) + codes + 1
    # few distinct flags among any number of alerts: each is decoded once
    kind, kinds = pd.factorize(key)
    first = np.empty(len(kinds), dtype="int64")
    first[kind[::-1]] = groups.rows[::-1]
    flags = decode_exe_flags(groups.alerts[present].iloc[first])
    new = (flags["exe_upper_layer"] | flags["exe_from_memfd"]).fillna(value=False).to_numpy(bool)
    return np.bincount(groups.group[new[kind]], minlength=groups.count)


def _sentences(measures: Measures, at: int) -> list[tuple[str, str]]:
    names = list(tactics().values())
    tactic = [name for name, has in zip(names, measures.tactics[at], strict=True) if has]
    fields = ", ".join(weights()["rarity"]["fields"])
    every = "Every alert of it supports a check of its rule's playbook that leads to"
    said = {
        "priority": f"The highest priority is {PRIORITIES[measures.priority[at]]} (priority).",
        "rarity": f"Its rarest combination of {fields} is that of {measures.rarest[at]:,} of the "
        f"{measures.total:,} alerts loaded.",
        "tactics": f"{len(tactic)} tactics, by tags or the rules' playbooks: {', '.join(tactic)}.",
        "rules": f"{measures.rules[at]:,} rules fired (rule).",
        "executable": f"In {measures.executable[at]:,} alerts the program lay in memory or in a "
        "container's writable layer (evt.arg.flags, proc.is_exe_*).",
        **{name: f"{every} '{name}', and no check accuses it." for name in EXPLANATIONS},
    }
    return list(said.items())
