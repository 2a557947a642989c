"""What is filed beside an incident's alerts: its marks, and what outside sources say of it.

In: the alerts of a batch, analysts' marks, and the enrichments asked for. Out: files, for one
incident after the other. Enrichments are asked here, once, in the process that runs the batch: a
report's notebook reads what they said and asks nobody.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from analysis import enrichment, marks_file, verdicts
from analysis.report.job import ENRICHMENT, MARKS

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd


class Beside:
    """The files of a batch's incidents.

    Parameters
    ----------
    alerts : DataFrame
        As `correlate` returns it.
    marks : DataFrame, optional
        As `verdicts.history` returns it.
    enrich : sequence of str
        Enrichments, each as `NAME=ARGUMENT`.

    Raises
    ------
    ValueError
        If there is no such enrichment.
    """

    def __init__(
        self, alerts: pd.DataFrame, marks: pd.DataFrame | None, enrich: Sequence[str]
    ) -> None:
        self._plugins = enrichment.plugins(enrich)
        self._alerts = alerts
        self._rows = alerts.groupby("incident_id", sort=False).indices if self._plugins else {}
        self._marks: dict[str, pd.DataFrame] = {}
        self._verdicts: dict[str, str] = {}
        if marks is None or marks.empty:
            return
        own = alerts[["alert_id", "incident_id"]].drop_duplicates()
        told = marks.merge(own, on="alert_id")
        self._marks = {str(name): some for name, some in told.groupby("incident_id", sort=False)}
        gravest = verdicts.marks_of_incidents(alerts, verdicts.latest(alerts, marks))
        self._verdicts = dict(zip(gravest["incident_id"], gravest["verdict"], strict=True))

    def verdict(self, incident_id: str) -> str:
        """Return the gravest mark that counts of an incident; empty where it has none."""
        return self._verdicts.get(incident_id, "")

    def files(self, incident_id: str) -> tuple[dict[str, bytes], dict[str, str], list[str]]:
        """Return an incident's files, the SHA-256 of what its enrichments read, and which failed."""
        said = []
        for plugin, argument in self._plugins:
            own = self._alerts.iloc[self._rows[incident_id]]
            said.append(enrichment.ask(plugin, argument, own))
        told = self._marks.get(incident_id)
        files = {
            MARKS: b"" if told is None else marks_file.as_file(told),
            ENRICHMENT: enrichment.as_file(said),
        }
        read = {
            f"enrichment {number} ({one.plugin}): {name}": sha
            for number, one in enumerate(said, 1)
            for name, sha in one.inputs.items()
        }
        failures = [f"{one.plugin}: {one.failure}" for one in said if one.failure]
        return {name: content for name, content in files.items() if content}, read, failures
