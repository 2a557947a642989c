"""Alerts of real sensors, from outside the project: each gives a case, and each claim its proof."""

from __future__ import annotations

import json

import jsonschema
import pytest

import analysis as fa
from analysis.report.document import document, schema

from .conftest import SHARED

FILES = sorted((SHARED / "alerts").glob("*.json*")) if SHARED.is_dir() else []


def test_seed_sibling(shared):
    """The full JSON of another alert of the same lab tells the same story."""
    case = fa.investigate(fa.read_alerts(shared / "seeds" / "sibling_alert.json")[0])

    assert case.disposition == "simulation"
    assert case.lineage["name"].tolist() == ["3", "event-generator", "containerd-shim"]


@pytest.mark.skipif(not FILES, reason="no real alerts beside the checkout")
@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name[:50])
def test_each_alert_gives_a_case(path):
    """Whatever version and rule: a valid document, evidence verbatim, nothing lost."""
    alerts, rejects = fa.read_alerts(path)
    validator = jsonschema.Draft202012Validator(schema())
    assert len(alerts) + len(rejects) > 0

    alerts, incidents, _ = fa.correlate(alerts)
    for incident_id in incidents["incident_id"]:
        case = fa.investigate(alerts, incident_id=incident_id)
        validator.validate(json.loads(json.dumps(document(case))))
        records = {exhibit.alert_id: exhibit.record for exhibit in case.exhibits}
        for finding in case.findings:
            for one in finding.evidence:
                record = records[one.alert_id]
                assert one.value == ((record.get("output_fields") or {}) | record)[one.field]
