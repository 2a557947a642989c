"""Falco Casebook: from a Falco alert to a report whose every statement cites an alert field.

The line of data, one module a step, each importing only from those before it:

    bytes -> records -> frame     intake
    frame -> features             flags, lineage, features, processes
    features -> incidents         joining, forest; explained, tactics, triage; incidents; folding
    incidents -> findings         evidence, findings, gaps, commands, timeline, verdict; case
    people, outside sources       verdicts, marks_file; enrichment
    findings -> notebook          tables, figures
    notebook -> report            report; listing
    alerts -> Falco exceptions    silencing, narrowing, tuned, tuning

>>> import analysis as fa
>>> alerts, rejects = fa.read_alerts("data/alerts/fileless_execution.jsonl")
>>> case = fa.investigate(alerts)
>>> case.disposition
'simulation'
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from analysis.case import Case, investigate
    from analysis.conversion import convert
    from analysis.features import derive
    from analysis.flags import decode_exe_flags
    from analysis.identity import identify
    from analysis.incidents import correlate
    from analysis.intake import raw_records, read_alerts
    from analysis.knowledge import load_playbooks
    from analysis.knowledge.rules import read_rules
    from analysis.knowledge.rules.once import own_rules
    from analysis.lineage import ancestry
    from analysis.processes import ProcessTree, process_tree
    from analysis.report import write_reports

__version__ = "0.1.0"

_HOMES = {
    "Case": "analysis.case",
    "ProcessTree": "analysis.processes",
    "ancestry": "analysis.lineage",
    "convert": "analysis.conversion",
    "correlate": "analysis.incidents",
    "decode_exe_flags": "analysis.flags",
    "derive": "analysis.features",
    "identify": "analysis.identity",
    "investigate": "analysis.case",
    "load_playbooks": "analysis.knowledge",
    "own_rules": "analysis.knowledge.rules.once",
    "process_tree": "analysis.processes",
    "raw_records": "analysis.intake",
    "read_alerts": "analysis.intake",
    "read_rules": "analysis.knowledge.rules",
    "write_reports": "analysis.report",
}

__all__ = [
    "Case",
    "ProcessTree",
    "ancestry",
    "convert",
    "correlate",
    "decode_exe_flags",
    "derive",
    "identify",
    "investigate",
    "load_playbooks",
    "own_rules",
    "process_tree",
    "raw_records",
    "read_alerts",
    "read_rules",
    "write_reports",
]


def __getattr__(name: str) -> Any:
    # loaded when used: importing the kit costs what importing pandas costs, or less
    if name not in _HOMES:
        raise AttributeError(f"module 'analysis' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
