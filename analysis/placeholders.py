"""Process fields that Falco makes up: its own event about a container has no process.

In: alerts, or the facts of one. Out: the same without what an alert of such an event seems to say
of a process or a user. Falco fires it when it learns of a container, for one that ran before it as
well, and hands the rules a process that never was: `container:<id>`, pid -1, user and login id 0.
Facts: libs `container_info.cpp`, `sinsp_container_info::get_tinfo`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from analysis.features import DERIVED, derived

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

OF_A_PROCESS = ("proc.", "thread.", "user.", "group.")
"""How the fields begin that tell of a process and whose it is."""


def without_placeholders(alerts: pd.DataFrame) -> pd.DataFrame:
    """Return alerts whose process and user fields are missing where no process was."""
    made_up = derived(alerts, "container_event").fillna(value=False).astype("bool")
    if not made_up.any():
        return alerts
    names = [name for name in alerts.columns if str(name).startswith(OF_A_PROCESS)]
    return alerts.assign(**{name: alerts[name].mask(made_up) for name in names})


def true_facts(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts of one alert, without those that rest on a process that never was."""
    if not facts.get("container_event"):
        return dict(facts)
    return {
        name: value
        for name, value in facts.items()
        if name == "container_event"
        or not any(one.startswith(OF_A_PROCESS) for one in DERIVED.get(name, (name,)))
    }
