"""Alerts that tell the same but for their time are one row with a count, and no others are."""

from __future__ import annotations

import pandas as pd
import pytest

import analysis as fa
from analysis import tables
from analysis.duplicates import SAME, fold_duplicates
from analysis.errors import AlertSchemaError

from .conftest import lines, story


def at(alert: dict, second: int, **changes: object) -> dict:
    """Return the alert as it would have come at another second."""
    return story(alert, **changes) | {"time": f"2026-03-01T10:00:{second:02}.000000001Z"}


def read(*alerts: dict) -> pd.DataFrame:
    """Return the alerts as a frame with ids."""
    return fa.identify(fa.read_alerts(lines(*alerts))[0])


def test_the_same_but_for_the_time(shell):
    """Counted once, from the first to the last; another command line is another row."""
    folded = fold_duplicates(
        read(*(at(shell, i) for i in range(5)), at(shell, 9, **{"proc.cmdline": "bash -i"}))
    )

    assert folded["alerts"].tolist() == [5, 1]
    assert folded["first_seen"].dt.second.tolist() == [0, 9]
    assert folded["last_seen"].dt.second.tolist() == [4, 9]


def test_a_second_delivery_is_no_second_alert(shell):
    """`records` counts what was received, `alerts` what happened."""
    folded = fold_duplicates(read(at(shell, 1), at(shell, 1), at(shell, 2)))

    assert folded[["alerts", "records"]].to_numpy().tolist() == [[2, 3]]


@pytest.mark.parametrize("field", [name for name in SAME if "." in name])
def test_what_differs_is_not_folded(shell, field):
    """Each field of `SAME` tells alerts apart, and so does its absence."""
    one, other = at(shell, 1, **{field: "a"}), at(shell, 2, **{field: "b"})
    without = at(shell, 3, **{field: ...})

    assert fold_duplicates(read(one, other, without))["alerts"].tolist() == [1, 1, 1]


def test_alerts_without_a_process_are_the_same_by_their_text():
    """Audit alerts of two users are two, also where no field of `SAME` tells them apart."""
    text = "10:00:0{}.000000000: Warning K8s secret read (user={} secret=db)"
    alerts = [
        {"rule": "K8s Secret Read", "priority": "Warning", "source": "k8s_audit",
         "time": f"2026-03-01T10:00:0{i}.000000000Z", "output": text.format(i, user),
         "output_fields": {"ka.user.name": user}}
        for i, user in enumerate(["alice", "alice", "bob"])
    ]  # fmt: skip
    folded = fold_duplicates(read(*alerts))

    assert folded["alerts"].tolist() == [2, 1]
    assert folded["output"].tolist() == [
        f"K8s secret read (user={u} secret=db)" for u in ("alice", "bob")
    ]


def test_order_does_not_count(shell, shadow, memfd):
    """The same rows in the same order, however the alerts came."""
    alerts = read(*(at(shell, i) for i in range(4)), shadow, memfd)

    pd.testing.assert_frame_equal(
        fold_duplicates(alerts), fold_duplicates(alerts.sample(frac=1, random_state=5))
    )


def test_table_of_duplicates(shell, memfd):
    """What came more than once, with both counts; the rest in a number; text escaped."""
    hostile = {"proc.cmdline": "<script>\u202e"}
    shown = tables.duplicates(
        read(at(shell, 1, **hostile), at(shell, 1, **hostile), at(shell, 2, **hostile), memfd)
    )

    assert "| 2 | 3 | 2026-03-01 10:00:01 | 2026-03-01 10:00:02" in shown.text
    assert "1 more came once" in shown.text
    assert "&lt;script&gt;⟨U+202E⟩" in shown.html
    assert "<script" not in shown.html


def test_nothing_repeated(memfd):
    """Says so."""
    alerts = read(memfd)

    assert tables.duplicates(alerts).text == "No alert was repeated."
    assert tables.duplicates(alerts.iloc[:0]).text == "No alert."
    with pytest.raises(AlertSchemaError, match="rule"):
        fold_duplicates(alerts.drop(columns="rule"))
