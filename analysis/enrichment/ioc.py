"""The enrichment that ships: a list of indicators of compromise, held against an incident's alerts.

In: alerts, and the path of a list (`lists`). Out: a statement for each indicator whose value an
alert has, and what was looked for where. Nothing is asked of anybody: the list is a local file.
What a value on a list means is the list's word; that it is there is all that is claimed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from analysis.enrichment import Answer, Statement
from analysis.enrichment.kinds import READINGS, WHOLE, Kind, kinds
from analysis.enrichment.lists import Indicator, IndicatorList, read_list
from analysis.knowledge import SEVERITIES
from analysis.knowledge.masks import coded
from analysis.quoting import visible
from analysis.schema import is_missing

_CITED = 3  # alerts that a statement cites for each field

_LONGEST = 300  # characters of the list's own words in a statement

# by value and field: which alerts have it
_Hits = dict[str, dict[str, Any]]


def ioc(alerts: pd.DataFrame, argument: str) -> Answer:
    """Return which indicators of a list an incident's alerts have.

    Parameters
    ----------
    alerts : DataFrame
        As `correlate` returns it; reads `alert_id`, `time` and the fields of `indicators.toml`.
    argument : str
        Path of a CSV file with the columns type, value and (optional) description, or of a STIX
        2.1 bundle.

    Raises
    ------
    SourceError
        If the list cannot be read.
    """
    listed = read_list(argument)
    alerts = alerts.drop_duplicates("alert_id")
    statements, limits = [], []
    for name, wanted in listed.indicators.items():
        kind = kinds()[name]
        hits, told = _look(alerts, kind, wanted)
        limits.append(_looked(listed, kind, len(wanted), told, len(alerts)))
        statements += [
            _statement(alerts, listed, kind, indicator, where)
            for value, where in hits.items()
            for indicator in wanted[value]
        ]
    # the gravest first: a report keeps so many
    statements.sort(key=lambda one: SEVERITIES.index(one.severity), reverse=True)
    return Answer(statements, [*limits, *listed.limits], {listed.name: listed.sha256})


def _look(
    alerts: pd.DataFrame, kind: Kind, wanted: dict[str, list[Indicator]]
) -> tuple[_Hits, dict[str, int]]:
    """Return where the values are, and by how many alerts each field is told."""
    hits: _Hits = {}
    told: dict[str, int] = {}
    for field, reading in kind.fields.items():
        if field not in alerts:
            continue
        codes, values = coded(alerts[field])
        # each distinct value once; a category may have values of other incidents
        own = [code for code in pd.unique(codes) if code >= 0 and not is_missing(values[code])]
        parts = {code: list(READINGS[reading][1](str(values[code]))) for code in own}
        readable = [code for code, some in parts.items() if any(some)]
        number = int(np.isin(codes, readable).sum())
        if number:
            told[field] = number
        found: dict[str, list[int]] = {}
        for code, some in parts.items():
            for value in filter(None, map(kind.shape, some)):
                if value in wanted:
                    found.setdefault(value, []).append(code)
        for value, having in found.items():
            hits.setdefault(value, {})[field] = np.isin(codes, having)
    return hits, told


def _looked(
    listed: IndicatorList, kind: Kind, number: int, told: dict[str, int], alerts: int
) -> str:
    what = f"{listed.name}: {number:,} {kind.kind} value{'s' * (number != 1)}"
    if not told:
        return (
            f"{what} can be neither found nor excluded: no alert here tells any of "
            f"{', '.join(kind.fields)}"
        )
    where = ", ".join(f"{field} ({count:,} of {alerts:,} alerts)" for field, count in told.items())
    return f"{what} looked for, as told in {where}; in no other field"


def _statement(
    alerts: pd.DataFrame,
    listed: IndicatorList,
    kind: Kind,
    indicator: Indicator,
    where: dict[str, Any],
) -> Statement:
    held = np.logical_or.reduce(list(where.values()))
    ids, number = alerts["alert_id"], int(held.sum())
    places = [f"{READINGS[kind.fields[field]][0]} {field}" for field in where]
    words = indicator.description.strip()
    means = f" as '{visible(words, longest=_LONGEST)}'" if words else ""
    claim = (
        f"{listed.name} lists the {kind.kind} {visible(indicator.value, longest=_LONGEST)}{means}. It is "
        f"{' and '.join(places)}, in {number:,} alert{'s' * (number != 1)} of this incident."
    )
    valid, covered = _validity(indicator, alerts["time"][held])
    sensed = any(kind.fields[field] in WHOLE for field in where)
    return Statement(
        claim + valid,
        [(one, field) for field, rows in where.items() for one in ids[rows].head(_CITED)],
        listed.name,
        indicator.place,
        kind.severity,
        "medium" if sensed and covered else "low",
    )


def _validity(indicator: Indicator, times: pd.Series) -> tuple[str, bool]:
    """Return what the list says of when it holds, and whether an alert is known to be from then."""
    if indicator.since is None and indicator.until is None:
        return "", True
    held = times.notna()
    said = []
    if indicator.since is not None:
        held &= times >= indicator.since
        said.append(f"from {indicator.since:%Y-%m-%d %H:%M:%S}")
    if indicator.until is not None:
        held &= times < indicator.until
        said.append(f"until {indicator.until:%Y-%m-%d %H:%M:%S}")
    covered = bool(held.any())
    outside = "" if covered else "; no alert that has it is known to be from then"
    return f" The list calls it valid {' '.join(said)} (UTC){outside}.", covered
