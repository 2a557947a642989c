"""What an incident is, by its alerts' findings: a proposal with its reasons; a person decides.

In: exhibits with their findings. Out: the proposed disposition and the findings that lead to it.
The least explained alert decides; several tactics, each shown by an alert of its own, confirm.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from analysis.findings import disposition, gravest
from analysis.knowledge import tactic_of, weights

if TYPE_CHECKING:
    from collections.abc import Sequence

    from analysis.evidence import Exhibit
    from analysis.findings import Finding

CONFIRMED = "confirmed"

Found = tuple["Exhibit", "list[Finding]"]


def verdict(found: Sequence[Found], *, unexamined: int = 0) -> tuple[str, list[Finding]]:
    """Return the proposed disposition of an incident, and its reasons.

    Parameters
    ----------
    found : sequence of (Exhibit, list of Finding)
        What was examined.
    unexamined : int
        How many distinct alerts were not; while there are any, nothing explains the incident.
    """
    verdicts = [disposition(findings) for _, findings in found]
    overall = gravest(name for name, _ in verdicts)
    if overall == "suspicious" and (leads := confirming(found)):
        return CONFIRMED, leads
    reasons = [finding for name, leads in verdicts if name == overall for finding in leads]
    if unexamined and overall not in ("suspicious", "needs review"):
        return "needs review", []
    return overall, reasons


def confirming(found: Sequence[Found]) -> list[Finding]:
    """Return a suspicious finding per tactic, each of another alert; none where they are too few."""
    candidates: dict[str, dict[str, Finding]] = {}
    for exhibit, findings in found:
        for finding in findings:
            if finding.leads_to == "suspicious":
                for tactic in filter(None, map(tactic_of, finding.techniques)):
                    candidates.setdefault(tactic, {}).setdefault(exhibit.alert_id, finding)
    taken: dict[str, str] = {}  # alert -> tactic

    def place(tactic: str, tried: set[str]) -> bool:
        """Find an alert for a tactic, moving another tactic to another alert if need be."""
        for alert_id in candidates[tactic]:
            if alert_id not in tried:
                tried.add(alert_id)
                if alert_id not in taken or place(taken[alert_id], tried):
                    taken[alert_id] = tactic
                    return True
        return False

    placed = sum(place(tactic, set()) for tactic in candidates)
    if placed < weights()["confirmed"]["tactics"]:
        return []
    return [candidates[tactic][alert_id] for alert_id, tactic in taken.items()]
