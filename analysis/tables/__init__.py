"""Tables: what was found, as HTML for a page and as text for everything else.

Each function returns something that shows itself in a notebook. Nothing is worked out here.
"""

from analysis.tables.alerts import duplicates, event, fields, raw, rejects
from analysis.tables.case import (
    ancestry,
    causes,
    findings,
    gaps,
    marks,
    mitigation,
    outside,
    playbook,
    statements,
    summary,
    timeline,
)
from analysis.tables.shift import chosen, incidents, new, noise, points
from analysis.tables.tuning import hideouts, proposal, silenced
from analysis.tables.words import moment, or_unknown

__all__ = [
    "ancestry",
    "causes",
    "chosen",
    "duplicates",
    "event",
    "fields",
    "findings",
    "gaps",
    "hideouts",
    "incidents",
    "marks",
    "mitigation",
    "moment",
    "new",
    "noise",
    "or_unknown",
    "outside",
    "playbook",
    "points",
    "proposal",
    "raw",
    "rejects",
    "silenced",
    "statements",
    "summary",
    "timeline",
]
