"""The ATT&CK tactics of alerts: by the rule's tags, or else by the rule's playbook.

In: groups of alerts. Out: per group the tactics' names, in the order of the kill chain. A tag that
names a tactic decides; a tag that names a technique stands in; where the rule has no tag of the two
kinds, as in Kubernetes' and the clouds' rules, the playbook's techniques do.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from analysis.features import event_sources
from analysis.knowledge import playbook_for, tactic_of, tactics

if TYPE_CHECKING:
    from collections.abc import Iterable

    from analysis.grouping import Groups


@cache
def tactics_of(rule: str, source: str, tags: tuple[str, ...]) -> tuple[str, ...]:
    """Return the tactics of an alert, in the order of the kill chain.

    >>> tactics_of("Our own rule", "syscall", ("T1059", "mitre_execution", "mitre_persistence"))
    ('Execution', 'Persistence')
    """
    named = [tag for tag in tags if tag.startswith(("mitre_", "TA")) and tactic_of(tag)]
    chosen = named or [tag for tag in tags if tactic_of(tag)]
    return in_order(map(tactic_of, chosen or playbook_for(rule, source).techniques))


def in_order(found: Iterable[str | None]) -> tuple[str, ...]:
    """Return the distinct tactics in the order of the kill chain."""
    distinct = set(found)
    return tuple(name for name in tactics().values() if name in distinct)


def tactics_of_groups(groups: Groups) -> Any:
    """Return, as groups x tactics of the kill chain, where a group has a tactic (bool)."""
    alerts = groups.alerts
    rules = alerts["rule"].astype("category")
    sources = event_sources(alerts)
    tags = alerts["tags"] if "tags" in alerts else pd.Series(None, alerts.index, dtype="object")
    labels, sets = pd.factorize(tags.iloc[groups.rows])
    width, depth = len(rules.cat.categories) + 1, len(sources.cat.categories)
    kind = (labels + 1) * width + rules.cat.codes.to_numpy()[groups.rows] + 1
    kind = kind * depth + sources.cat.codes.to_numpy()[groups.rows]
    codes, kinds = pd.factorize(kind)
    order = {name: at for at, name in enumerate(tactics().values())}
    holds = np.zeros((len(kinds), len(order)), dtype=bool)
    for at, one in enumerate(kinds.tolist()):
        pair, source = divmod(one, depth)
        label, rule = divmod(pair, width)
        names = tactics_of(
            str(rules.cat.categories[rule - 1]) if rule else "",
            str(sources.cat.categories[source]),
            tuple(sets[label - 1]) if label else (),
        )
        holds[at, [order[name] for name in names]] = True
    group, code = groups.members(codes, len(kinds))
    found = np.zeros((groups.count, len(order)), dtype=bool)
    pair, tactic = np.nonzero(holds[code])
    found[group[pair], tactic] = True
    return found
