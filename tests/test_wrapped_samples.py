"""The sample alert in every wrapper: the same alert, whatever carried it, and quoted from there."""

from __future__ import annotations

import pandas as pd
import pytest

import analysis as fa

from .conftest import ROOT

WRAPPED = sorted((ROOT / "data" / "wrapped").iterdir())
TEXT_ONLY = {"alertmanager.json", "journalctl_short.log", "loki_push.json", "text.log"}
NO_DATE = TEXT_ONLY - {"loki_push.json"}


@pytest.mark.parametrize("path", WRAPPED, ids=lambda p: p.name)
def test_the_same_alert_whatever_carried_it(path):
    """Fields, time, rule and id are those of the bare alert; text alone says what it lacks."""
    alerts, rejects = fa.read_alerts(path)
    bare, _ = fa.read_alerts(ROOT / "data" / "alerts" / "terminal_shell_in_container.jsonl")

    assert rejects.empty
    assert set(alerts["rule"]) == {"Terminal shell in container"}
    fields = [name for name in bare.columns if "." in name and name != "evt.time"]
    for row in range(len(alerts)):
        for name in fields:
            assert alerts[name][row] == bare[name][0], name
    if path.name in TEXT_ONLY:
        assert set(fields) <= set(alerts["recovered"][0])
        assert alerts["time"].isna().all() == (path.name in NO_DATE)
        assert ("time" in (alerts["ambiguous"][0] or ())) == (path.name in NO_DATE)
    else:
        ids = {fa.identify(frame)["alert_id"][0] for frame in (alerts, bare)}
        assert len(ids) == 1


@pytest.mark.parametrize("path", WRAPPED, ids=lambda p: p.name)
def test_a_case_from_any_wrapper(path):
    """Each gives the case of the bare alert, with the record as received for its evidence."""
    alerts, *_ = fa.correlate(fa.read_alerts(path)[0])
    case = fa.investigate(alerts)

    assert case.disposition == "needs review"
    assert any("the shape of an exec session" in finding.claim for finding in case.findings)
    content = path.read_bytes()
    assert all(receipt.raw in content for receipt in case.exhibits[0].receipts)
    if path.name in NO_DATE:
        assert pd.isna(case.exhibits[0].time)
        assert case.timeline.empty or "time" not in set(case.timeline["field"])
