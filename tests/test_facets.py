"""The desk's questions: counts, selections, pivots; unknown is a value of its own."""

from __future__ import annotations

import pandas as pd
import pytest

import analysis as fa
from analysis import facets, overview
from analysis.verdicts import VERDICT

from .conftest import SAMPLES, lines, story


def at(alert: dict, hour: int, **changes: object) -> dict:
    """Return the alert as it would have come at another hour."""
    return story(alert, **changes) | {"time": f"2026-03-01T{hour:02}:00:00.000000001Z"}


@pytest.fixture(scope="module")
def loaded(shell) -> fa.Correlation:
    """Two alerts of a shell, one delivered twice; one of another user; one without a user."""
    root = at(shell, 1, **{"user.name": "root", "proc.cmdline": "bash -c 'id'"})
    alerts = [
        root,
        root,
        at(shell, 2, **{"user.name": "root", "proc.cmdline": "bash -i"}),
        at(shell, 10, **{"user.name": "=deploy x", "proc.cmdline": "bash -l"}),
        at(shell, 11, **{"user.name": ..., "proc.cmdline": "bash"}) | {"priority": "Critical"},
    ]
    return fa.correlate(fa.read_alerts(lines(*alerts))[0])


def counts(frame: pd.DataFrame) -> dict:
    """Return value to alerts."""
    values = frame["value"].astype("object").where(frame["value"].notna(), None)
    return dict(zip(values, frame["alerts"], strict=True))


def test_a_facet_counts_alerts_not_deliveries(loaded):
    """And what is not told is counted, as not told."""
    found = facets.facets(loaded.alerts, names=["user"])

    assert counts(found) == {"root": 2, "=deploy x": 1, None: 1}


def test_priorities_come_worst_first(loaded):
    """As one would look for them."""
    found = facets.facets(loaded.alerts, names=["priority"])

    assert found["value"].tolist() == ["Critical", "Notice"]


def test_every_alert_is_in_each_facet(loaded):
    """No value is lost: a facet of one value per alert sums up to all alerts."""
    found = facets.facets(loaded.alerts)
    sums = found.groupby("facet")["alerts"].sum()

    assert set(sums.index) == set(facets.FACETS)
    assert set(sums.drop("tactic")) == {4}


@pytest.mark.parametrize("name", facets.FACETS)
def test_choosing_a_value_gives_what_was_counted(name):
    """For each facet and value of the samples, not told too."""
    alerts = fa.correlate(fa.read_alerts(SAMPLES)[0]).alerts
    for value, number in counts(facets.facets(alerts, names=[name])).items():
        assert len(facets.select(alerts, chosen={name: [value]})) == number


@pytest.mark.parametrize(
    ("query", "hours"),
    [
        ("", [1, 1, 2, 10, 11]),
        ("user.name=root", [1, 1, 2]),
        ("user.name!=root", [10]),
        ("user.name=", [11]),
        ("'user.name==deploy x'", [10]),
        ('user.name="=deploy x"', [10]),
        ("proc.cmdline~BASH proc.cmdline~-i", [2]),
        ("priority>=error", [11]),
        ("priority<Critical user.name=root", [1, 1, 2]),
        ("time>=2026-03-01T10:00", [10, 11]),
        ("'-C ''ID'", []),
        ("DEPLOY", [10]),
        ("nothing-like-this", []),
        (".*", []),
    ],
)
def test_query(loaded, query, hours):
    """All terms hold; words and ~ ignore case, nothing is a pattern, unknown is not unequal."""
    found = facets.select(loaded.alerts, query=query)

    assert found["time"].dt.hour.tolist() == hours


@pytest.mark.parametrize(
    "query",
    ["proc.exepth=/bin/sh", "priority>=grave", "proc.name>3", "proc.pid>x", "'open", "time>x"],
)
def test_a_wrong_query_says_so(loaded, query):
    """Rather than that there is no such alert."""
    with pytest.raises(ValueError, match=r"did you mean|none of|compared|numbers|quote|no time"):
        facets.select(loaded.alerts, query=query)


def test_time_range_is_half_open(loaded):
    """From since on, and before until."""
    moment = "2026-03-01T10:00:00.000000001Z"

    assert len(facets.select(loaded.alerts, since=moment)) == 2
    assert len(facets.select(loaded.alerts, until=moment)) == 3


def test_pivot_takes_every_value_as_written(loaded):
    """Each value that a field has finds its alerts; None finds those that do not tell it."""
    alerts = loaded.alerts
    for field in ("user.name", "proc.cmdline", "container.id", "time", "proc.tty"):
        parts = [len(facets.pivot(alerts, field, v)) for v in facets.written(alerts, field)]
        assert sum(parts) + len(facets.pivot(alerts, field, None)) == len(alerts)
        assert 0 not in parts
    with pytest.raises(ValueError, match="did you mean"):
        facets.pivot(alerts, "user.nam", "root")


def test_choices_show_what_else_could_be_chosen(loaded):
    """A facet's own choice does not hide its other values; the choice of another facet does."""
    chosen = {"user": ("root",)}
    index = facets.Facets(loaded.alerts)
    told = index.choices(facets.asked(loaded.alerts), chosen, index.meets(chosen))

    assert counts(told[told["facet"] == "user"]) == {"root": 2, "=deploy x": 1, None: 1}
    assert counts(told[told["facet"] == "priority"]) == {"Notice": 2}


def test_the_queue_holds_the_incidents_of_the_selection(loaded):
    """By score, with how many alerts were selected, and what was decided."""
    found = facets.select(loaded.alerts, query="user.name=root")
    first = found["incident_id"].iloc[0]
    told = pd.DataFrame(
        {"incident_id": [first], "verdict": pd.Categorical(["benign"], dtype=VERDICT)}
    )

    queued = facets.queue(found, loaded.incidents, told)

    assert queued["score"].is_monotonic_decreasing
    assert queued["selected"].tolist() == [1, 1]
    assert queued.set_index("incident_id")["verdict"].get(first) == "benign"
    assert queued["verdict"].isna().sum() == 1


def test_volume_counts_each_alert_once(loaded):
    """Silent hours are rows, too."""
    found = overview.volume(loaded.alerts, every="1h")

    assert found["alerts"].tolist() == [1, 1, *[0] * 7, 1, 1]


def test_new_values_are_those_not_told_before(loaded):
    """Of what the alerts tell; nothing is new without something old."""
    found = overview.new_values(loaded.alerts, "2026-03-01T05:00Z")

    assert found[["facet", "value", "alerts"]].to_numpy().tolist() == [["user", "=deploy x", 1]]
    assert overview.new_values(loaded.alerts, "2026-02-01").empty


def test_noise_is_what_repeats(shell):
    """Alerts of an incident that tell the same but for when, beyond the first."""
    alerts = [at(shell, 1) | {"time": f"2026-03-01T10:00:0{n}Z"} for n in range(4)]
    found = overview.noise(fa.correlate(fa.read_alerts(lines(*alerts, at(shell, 1)))[0]).alerts)

    assert found[["alerts", "repeated"]].to_numpy().tolist() == [[5, 3]]


def test_coverage_has_every_tactic(loaded):
    """Those that no alert has, too, and alerts of no known tactic."""
    found = overview.coverage(loaded.alerts)

    assert len(found) == 15
    assert counts(found)["Execution"] == 4
    assert counts(found)["Impact"] == 0


@pytest.mark.parametrize("frame", ["facets", "volume", "coverage", "noise", "new", "select"])
def test_no_alert_is_no_error(loaded, frame):
    """An empty selection answers everything with nothing."""
    none = loaded.alerts.iloc[:0]
    calls = {
        "facets": lambda: facets.facets(none),
        "volume": lambda: overview.volume(none),
        "coverage": lambda: overview.coverage(none).query("alerts > 0"),
        "noise": lambda: overview.noise(none),
        "new": lambda: overview.new_values(none, "2026-03-01"),
        "select": lambda: facets.select(none, query="x", chosen={"tactic": ["Impact"]}),
    }

    assert calls[frame]().empty
