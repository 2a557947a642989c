"""Which alerts a playbook explains as a simulation or a known benign pattern, over whole frames.

In: alerts. Out: the explanation of each, or none. The tests are the checks of the playbooks, as
`findings` applies them to one alert: the exact shape of a test tool or of runc's copy of itself,
never a name alone; and an alert that any check accuses is not explained.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from analysis.features import DERIVED, derived, event_sources
from analysis.knowledge import Check, playbook_for, readings
from analysis.knowledge.masks import each, met
from analysis.placeholders import without_placeholders

if TYPE_CHECKING:
    from collections.abc import Iterable

    from analysis.knowledge import Condition

EXPLANATIONS = ("simulation", "known benign pattern")
"""In order of precedence, as `findings.disposition` has it."""
_ACCUSING = ("suspicious", "needs review")


def explain(alerts: pd.DataFrame) -> pd.Series:
    """Return the explanation of each alert (category of EXPLANATIONS; missing: none).

    Parameters
    ----------
    alerts : DataFrame
        Reads `rule`, `source`, `unparsed`, and the fields that the checks of the rules' playbooks
        name, each where the frame has it.
    """
    codes = np.full(len(alerts), -1, dtype="int8")
    alerts = without_placeholders(alerts)
    kind, checks = _checks(alerts)
    for code, name in reversed(list(enumerate(EXPLANATIONS))):  # the first takes precedence
        for check, has_it in checks.items():
            if check.leads_to == name:
                codes[supporting(check, alerts, np.flatnonzero(has_it[kind]))] = code
    for check, has_it in checks.items():
        if check.leads_to in _ACCUSING:
            explained = np.flatnonzero(codes >= 0)
            codes[supporting(check, alerts, explained[has_it[kind[explained]]])] = -1
    if "unparsed" in alerts:  # a value that is no value of its field may be the one that accuses
        codes[alerts["unparsed"].notna().to_numpy()] = -1
    return pd.Series(pd.Categorical.from_codes(codes, pd.Index(EXPLANATIONS)), alerts.index)


def _checks(alerts: pd.DataFrame) -> tuple[Any, dict[Check, Any]]:
    """Return the kind of each alert, by rule and source, and of each check which kinds have it.

    Most checks stand in many playbooks, and are asked of all their alerts at once.
    """
    rules, sources = alerts["rule"].astype("category"), event_sources(alerts)
    width = len(sources.cat.categories)
    kind = rules.cat.codes.to_numpy().astype("int64") * width + sources.cat.codes.to_numpy()
    kinds = (len(rules.cat.categories) + 1) * width  # the last, counted from the end: no rule
    found: dict[Check, Any] = {}
    for one in np.flatnonzero(np.bincount(kind[kind >= 0])).tolist():
        rule, source = divmod(one, width)
        book = playbook_for(str(rules.cat.categories[rule]), str(sources.cat.categories[source]))
        checks = [check for check in (*readings(), *book.check) if check.leads_to]
        if any(check.leads_to in EXPLANATIONS for check in checks):
            for check in checks:
                found.setdefault(check, np.zeros(kinds, dtype=bool))[one] = True
    return kind, found


def supporting(check: Check, alerts: pd.DataFrame, rows: Any) -> Any:
    """Return of these rows those whose alerts support a check, as `judge` would decide."""
    for condition in sorted(check.all, key=_is_dear):  # the dear ones last
        rows = rows[_met(condition, alerts, rows)]
    if check.any:
        rows = rows[_any_met(check.any, alerts, rows)]
    if check.unless:
        rows = rows[~_any_met(check.unless, alerts, rows)]
    for name in check.named:
        column = _column(name, alerts, rows)
        known = each(column, lambda _: True) if column is not None else np.zeros(len(rows), bool)
        rows = rows[known]
    return rows


def _is_dear(condition: Condition) -> tuple[bool, bool]:
    return condition.field in DERIVED, condition.operator.endswith(("matches", "named"))


def _any_met(conditions: Iterable[Condition], alerts: pd.DataFrame, rows: Any) -> Any:
    return np.logical_or.reduce([_met(one, alerts, rows) for one in conditions])


def _met(condition: Condition, alerts: pd.DataFrame, rows: Any) -> Any:
    if not len(rows):
        return np.zeros(0, dtype=bool)
    return met(condition, _column(condition.field, alerts, rows), len(rows))


def _column(name: str, alerts: pd.DataFrame, rows: Any) -> Any:
    """Return a field or a derived column at these rows; None where the frame has none."""
    if name in DERIVED:
        # hidden characters may stand in any field
        needed = (
            [one for one in ("time", *DERIVED[name]) if one in alerts] if DERIVED[name] else alerts
        )
        return derived(alerts[list(needed)].iloc[rows], name)
    column = alerts.get(name)
    if column is None:
        return None
    column = column.iloc[rows]
    # an empty name of Kubernetes is none, as in `evidence`
    return column.where(column != "") if name.startswith("k8s.") else column
