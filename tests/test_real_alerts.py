"""Alerts of real sensors, from outside the project: each gives a case, and each claim its proof."""

from __future__ import annotations

import json

import jsonschema
import pytest

import analysis as fa
from analysis.knowledge import load_playbooks, playbook_for
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


@pytest.mark.skipif(not FILES, reason="no real alerts beside the checkout")
def test_upstream_rules_have_playbooks_of_their_own(capsys):
    """Each real alert of a rule that ships has a specific playbook; the share of all is printed."""
    shipped = {(book.rule, book.source) for book in load_playbooks().values() if book.rule}
    found = [one for path in FILES for one in read_rules_of(path)]
    own = sum(not playbook_for(*one).generic for one in found)
    upstream = sum(one in shipped for one in found)
    with capsys.disabled():
        print(f"\n{own} of {len(found)} real alerts have a playbook of their rule's own")  # noqa: T201

    assert 0 < upstream == own


def read_rules_of(path) -> list[tuple[str, str]]:
    """Return rule and event source of each alert in a file."""
    alerts, _ = fa.read_alerts(path)
    sources = alerts["source"].astype("str").replace("syscalls", "syscall").fillna("syscall")
    return list(zip(alerts["rule"].astype("str").fillna(""), sources, strict=True))
