"""A Case as `report.json`: the report for machines, with the same claims and evidence.

Its contract is `report.schema.json` beside this file; what it says of an alert is found, value
for value, in the incident's `alerts.jsonl`, but for secrets, which stand here as marks.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from importlib.resources import files
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import pandas as pd

from analysis.marks_file import as_values

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from analysis.case import Case
    from analysis.evidence import Evidence
    from analysis.knowledge.rules import Place


def schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of `report.json`."""
    text = (files(__package__) / "report.schema.json").read_text(encoding="utf-8")
    return json.loads(text)  # type: ignore[no-any-return]


def document(case: Case, received_from: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return the report of `case` as JSON values.

    Parameters
    ----------
    case : Case
    received_from : mapping, optional
        For each origin (`alerts.jsonl:1`), where the alert was read before it was filed there.
    """
    from_where = received_from or {}
    return {
        "incident_id": case.incident_id,
        "disposition": case.disposition,
        "summary": case.summary,
        "rules": case.rules,
        "redaction": {
            "applied": case.redact,
            "values": sum(len(one.secrets) for one in case.redactions),
            "where": [asdict(one) for one in case.redactions],
        },
        "counts": {
            "alerts": int(case.folded["alerts"].sum()),
            "records": int(case.folded["records"].sum()),
            "distinct": len(case.folded),
            "examined": len(case.exhibits),
        },
        "repetitions": [
            {
                "alert_id": row["alert_id"],
                "rule": row["rule"] if isinstance(row["rule"], str) else None,
                "what": row["what"],
                "alerts": row["alerts"],
                "records": row["records"],
                "first_seen": _moment(row["first_seen"]),
                "last_seen": _moment(row["last_seen"]),
                "examined": row["examined"],
                "members": list(row["members"]),
            }
            for row in case.folded.to_dict("records")
            if row["records"] > 1 or not row["examined"]
        ],
        "own_rules": [
            {
                "name": rule.name,
                "source": rule.source,
                "description": rule.description,
                "condition": rule.condition,
                "priority": rule.priority,
                "tags": list(rule.tags),
                "enabled": rule.enabled,
                "defined": _place(rule.defined),
                "changed": [_place(place) for place in rule.changed],
            }
            for rule in case.own_rules
        ],
        "findings": [
            {
                "claim": finding.claim,
                "topic": finding.topic,
                "severity": finding.severity,
                "confidence": finding.confidence,
                "techniques": list(finding.techniques),
                "leads_to": finding.leads_to or None,
                "evidence": _evidence(finding.evidence),
            }
            for finding in case.findings
        ],
        "benign_causes": [
            {
                "cause": cause.cause,
                "status": cause.status,
                "needs": list(cause.needs),
                "confirm": cause.confirm,
                "evidence": _evidence(cause.evidence),
            }
            for cause in case.causes
        ],
        "marks": _marks(case),
        "outside": {
            "findings": [asdict(finding) for finding in case.outside],
            "asked": [
                {
                    "plugin": one.plugin,
                    "inputs": dict(one.inputs),
                    "failure": one.failure or None,
                }
                for one in case.said
            ],
            "limits": [{"plugin": plugin, "limit": limit} for plugin, limit in case.limits],
        },
        "lineage": [_ancestor(row) for row in case.lineage.to_dict("records")],
        "timeline": [
            {
                "time": _moment(row["time"]),
                "moment": row["moment"],
                "alert_id": row["alert_id"],
                "field": row["field"],
                "value": row["value"],
            }
            for row in case.timeline.to_dict("records")
        ],
        "commands": [asdict(command) for command in case.commands],
        "withheld_commands": [asdict(command) for command in case.withheld],
        "gaps": [
            {
                "alert_id": gap.alert_id,
                "field": gap.field,
                "why": gap.why,
                "asked": gap.asked,
                "how_to_get_it": gap.how_to_get_it,
            }
            for gap in case.gaps
        ],
        "alerts": [
            {
                "alert_id": exhibit.alert_id,
                "rule": exhibit.rule,
                "priority": exhibit.facts["priority"],
                "time": exhibit.record.get("time"),
                "origin": receipt.origin,
                "received_from": from_where.get(receipt.origin),
                "bytes": len(receipt.raw),
                "sha256": receipt.sha256,
            }
            for exhibit in case.exhibits
            for receipt in exhibit.receipts
        ],
    }


def _marks(case: Case) -> list[dict[str, Any]]:
    """Return the entries of analysts, in order of time, each with whether it is its alert's last."""
    if case.marks is None:
        return []
    last = ~case.marks["alert_id"].duplicated(keep="last")
    values = zip(as_values(case.marks), last, strict=True)
    return [value | {"counts": bool(counts)} for value, counts in values]


def _place(place: Place) -> dict[str, Any]:
    return {"file": PurePath(place.file).name, "line": place.line}


def _moment(time: Any) -> str | None:
    if pd.isna(time):
        return None
    return f"{time:%Y-%m-%dT%H:%M:%S}.{time.value % 10**9:09d}Z"


def _evidence(evidence: Sequence[Evidence]) -> list[dict[str, Any]]:
    return [asdict(one) for one in evidence]


def _ancestor(row: dict[Any, Any]) -> dict[str, Any]:
    # what the alert does not tell is null, never a guess
    known = {key: value for key, value in row.items() if isinstance(value, str | int | tuple)}
    return {
        "level": int(row["level"]),
        "relation": row["relation"],
        "name": known.get("name"),
        "exepath": known.get("exepath"),
        "exe": known.get("exe"),
        "cmdline": known.get("cmdline"),
        "pid": known.get("pid"),
        "fields": list(row["fields"]),
        "gap": bool(row["gap"]),
    }


def harvest(names: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document of the case that a notebook has worked out, from the notebook's names."""
    return document(names["case"])
