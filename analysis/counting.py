"""The facets of a set of alerts, each worked out once, so that a click is counting.

In: alerts as `correlate` returns them. Out: selections, as boolean arrays, and counts. What is asked
beside facets, and the same for whoever asks once, is for `facets`.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from analysis.grouping import Groups
from analysis.knowledge import joining, tactics
from analysis.schema import require
from analysis.tactics import tactics_of_groups

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

FACETS: dict[str, tuple[str, ...]] = {
    "rule": ("rule",),
    "priority": ("priority",),
    "host": ("hostname",),
    "container": ("container.id",),
    "image": ("container.image.repository",),
    "user": tuple(joining()["users"]["fields"]),
    "tactic": ("tags", "rule", "source"),
}
"""Each facet and the columns it rests on; a user is the first of them that the alert tells."""


class Facets:
    """The facets of a loaded set, each worked out once, so that a click is counting.

    Parameters
    ----------
    alerts : DataFrame
        As `facets.facets` takes it. Selections of it are boolean arrays, as long as it is.
    incidents : DataFrame, optional
        As `correlate` returns them, where incidents are asked for.
    """

    def __init__(self, alerts: pd.DataFrame, incidents: pd.DataFrame | None = None) -> None:
        self.alerts, self._incidents = alerts, incidents
        self._known: dict[str, tuple[Any, Any]] = {}

    def meets(self, chosen: Mapping[str, Collection[str | None]]) -> Any:
        """Return which alerts meet what is chosen, as `select` takes it."""
        held: Any = np.ones(len(self.alerts), dtype=bool)
        for name, values in chosen.items():
            if values:
                told, labels = self._facet(name)
                wanted = labels.isin([one for one in values if one is not None])
                wanted[-1] = None in values
                # of tactics an alert has several, so they are a table; code -1 is the last answer
                if told.ndim > 1:
                    held &= (told & wanted[:-1]).any(axis=1) | (wanted[-1] & ~told.any(axis=1))
                else:
                    held &= wanted[told]
        return held

    def count(
        self,
        held: Any = None,
        names: Collection[str] = tuple(FACETS),
        *,
        most: int | None = None,
        besides: Mapping[str, Collection[str | None]] | None = None,
    ) -> pd.DataFrame:
        """Return what `facets.facets` returns, of the alerts selected.

        Parameters
        ----------
        held : array of bool, optional
            Which alerts; all, if it is not given.
        names : collection of str
            Which facets.
        most : int, optional
            Values of a facet: the first so many, how many do not tell it, and those of `besides`.
        """
        rows = self._distinct(held)
        parts = []
        for name in names:
            told, labels = self._facet(name)
            own = told[rows]
            if own.ndim > 1:
                numbers = np.array([*own.sum(axis=0), (~own.any(axis=1)).sum()])
                order = np.arange(len(labels) - 1)
            else:
                numbers = np.roll(np.bincount(own + 1, minlength=len(labels)), -1)
                order = np.arange(len(labels) - 1)[::-1]
                if name != "priority":
                    order = np.argsort(-numbers[:-1], kind="stable")
            # the last of the labels is that of what is not told
            order = np.append(order[numbers[order] > 0], len(labels) - 1)
            if most is not None and len(order) > most + 1:
                kept = labels[order[most:]].isin([*(besides or {}).get(name, ())])
                order = np.concatenate([order[:most], order[most:-1][kept[:-1]], order[-1:]])
            order = order[numbers[order] > 0]
            frame = {"facet": name, "value": labels[order], "alerts": numbers[order]}
            parts.append(pd.DataFrame(frame))
        empty = pd.DataFrame({"facet": [], "value": [], "alerts": []})
        counted = pd.concat(parts or [empty], ignore_index=True)
        return counted.astype({"facet": "str", "value": "str", "alerts": "int64"})

    def choices(
        self,
        left: Any,
        chosen: Mapping[str, Collection[str | None]],
        found: Any,
        *,
        most: int | None = None,
    ) -> pd.DataFrame:
        """Return the counts as a desk shows them: what each value gives beside the other facets.

        Parameters
        ----------
        left, found : array of bool
            What is left by all conditions but `chosen`, and by these as well.
        chosen : mapping
            As `select` takes it.
        most : int, optional
            Values of a facet, see `count`; those chosen are among them.
        """
        named = [name for name, values in chosen.items() if values]
        parts = [self.count(found, [name for name in FACETS if name not in named], most=most)]
        for name in named:
            others = {key: values for key, values in chosen.items() if key != name}
            held = left & self.meets(others)
            parts.append(self.count(held, [name], most=most, besides=chosen))
        return pd.concat(parts, ignore_index=True)

    def per_incident(self, held: Any = None) -> Any:
        """Return how many alerts each incident has of those selected, the best score first."""
        _, place = self._ranked
        return np.bincount(place[self._distinct(held)], minlength=len(self._ranked[0]))

    def queue(
        self, held: Any = None, told: pd.DataFrame | None = None, *, most: int | None = None
    ) -> pd.DataFrame:
        """Return what `facets.queue` returns, of the alerts selected, or the first of it."""
        selected = self.per_incident(held)
        at = np.flatnonzero(selected)[:most]
        rows = self._ranked[0].iloc[at].assign(selected=selected[at].astype("int64"))
        none = pd.Series(index=pd.Index([], dtype="str"), dtype="object")
        verdict = none if told is None else told.set_index("incident_id")["verdict"]
        rows = rows.assign(verdict=verdict.reindex(rows["incident_id"]).array)
        return rows.reset_index(drop=True)

    def _facet(self, name: str) -> tuple[Any, Any]:
        """Return a facet's values as codes (-1: not told), or tactics as a table; and their names.

        The last of the names is missing: that of what is not told.
        """
        if name not in self._known:
            if _known(name) == "tactic":
                told, labels = tactics_held(self.alerts), pd.Index([*tactics().values()])
            else:
                values = values_of(self.alerts, name)
                told, labels = values.cat.codes.to_numpy().astype("int64"), values.cat.categories
            self._known[name] = told, pd.array([*map(str, labels), None], dtype="str")
        return self._known[name]

    def _distinct(self, held: Any) -> Any:
        """Return the row of each alert that is selected, of several deliveries the first."""
        require(self.alerts, ("alert_id",), by="facets")
        rows = np.arange(len(self.alerts)) if held is None else np.flatnonzero(held)
        codes, ids = self._ids
        if len(ids) == len(codes):
            return rows
        first = np.full(len(ids), -1)
        first[codes[rows[::-1]]] = rows[::-1]
        return first[first >= 0]

    @cached_property
    def _ids(self) -> tuple[Any, Any]:
        return pd.factorize(self.alerts["alert_id"])

    @cached_property
    def _ranked(self) -> tuple[pd.DataFrame, Any]:
        """The incidents, the best score first, and for each alert the place of its own."""
        if self._incidents is None:
            raise ValueError("incidents are asked for, and none were given")
        require(self.alerts, ("alert_id", "incident_id"), by="queue")
        by = ["score", "first_seen", "incident_id"]
        ranked = self._incidents.sort_values(by, ascending=[False, True, True], ignore_index=True)
        codes, ids = pd.factorize(self.alerts["incident_id"])
        return ranked, pd.Index(ranked["incident_id"]).get_indexer(pd.Index(ids))[codes]


def values_of(alerts: pd.DataFrame, name: str) -> pd.Series:
    """Return a facet's value of each alert (category; missing where it is not told); no tactics."""
    found: pd.Series = pd.Series(pd.Categorical([None] * len(alerts)), alerts.index)
    for field in FACETS[_known(name)]:
        if field not in alerts:
            continue
        column = alerts[field].astype("category")
        untold = column.cat.categories.intersection(["", "<NA>"])
        column = column.cat.remove_categories(untold)
        if found.isna().all():
            found = column
        elif column.notna().any():
            found = found.astype("object").where(found.notna(), column.astype("object"))
            found = found.astype("category")
    return found


def tactics_held(alerts: pd.DataFrame) -> Any:
    """Return, as alerts x tactics of the kill chain, where an alert has a tactic (bool)."""
    each_alone = np.arange(len(alerts))
    if not len(alerts):
        return np.zeros((0, len(tactics())), dtype=bool)
    return tactics_of_groups(Groups(alerts, each_alone, each_alone, len(alerts)))


def _known(name: str) -> str:
    if name not in FACETS:
        raise ValueError(f"no facet {name!r:.80}: {', '.join(FACETS)}")
    return name
