"""Marks are kept for good, the latest counts, and two people's files make one."""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import analysis as fa
from analysis import verdicts
from analysis.errors import SourceError

from .conftest import SAMPLES, lines, story

IDS = [f"a-{number:016x}" for number in range(4)]
ENTRIES = st.lists(
    st.tuples(
        st.sampled_from(IDS),
        st.sampled_from(verdicts.VERDICTS),
        st.sampled_from(["", "known job", "ask the owner"]),
        st.sampled_from(["ana", "ben"]),
        st.integers(0, 3).map(lambda s: f"2026-03-01T10:00:0{s}Z"),
    ),
    max_size=8,
)
ALERTS = pd.DataFrame({"alert_id": IDS})


def kept(path: Path, entries) -> Path:
    """Return a store that holds the entries."""
    for alert_id, verdict, note, by, at in entries:
        verdicts.mark(path, [alert_id], verdict, note=note, by=by, at=at)
    return path


@pytest.fixture
def store(tmp_path) -> Path:
    """Where a store may be made."""
    return tmp_path / "marks.sqlite"


def test_a_mark_is_there_when_the_alerts_are_read_again(store, shell):
    """Who, when, what and why; ids come from content, so another file of the alert has it too."""
    alerts = fa.identify(fa.read_alerts(lines(shell))[0])
    verdicts.mark(
        store, alerts["alert_id"], "benign", note="a drill", by="ana", at="2026-03-01T10:00:00"
    )
    again = fa.identify(fa.read_alerts(SAMPLES)[0])

    found = verdicts.marks(again, store)

    assert found.to_dict("records") == [
        {
            "alert_id": alerts["alert_id"].iloc[0],
            "verdict": "benign",
            "note": "a drill",
            "by": "ana",
            "at": pd.Timestamp("2026-03-01T10:00:00Z"),
            "entries": 1,
        }
    ]


def test_the_latest_mark_counts_and_the_earlier_stays(store):
    """By the time of marking, whatever the order of entry."""
    verdicts.mark(store, IDS[:1], "escalate", by="ana", at="2026-03-01T11:00:00Z")
    verdicts.mark(store, IDS[:1], "benign", by="ben", at="2026-03-01T10:00:00Z")

    assert verdicts.marks(ALERTS, store)[["verdict", "entries"]].to_numpy().tolist() == [
        ["escalate", 2]
    ]
    assert verdicts.history(store)["verdict"].tolist() == ["benign", "escalate"]


def test_marking_anew_counts_although_the_clock_is_behind(store):
    """An entry from a clock that is ahead does not outlast who has seen it."""
    verdicts.mark(store, IDS[:1], "benign", by="ana", at="2100-01-01")
    verdicts.mark(store, IDS[:2], "suspicious", by="ben")

    assert verdicts.marks(ALERTS, store)["verdict"].tolist() == ["suspicious", "suspicious"]


def test_nothing_is_changed_or_taken_out(store):
    """The file itself refuses."""
    verdicts.mark(store, IDS, "benign")
    with closing(sqlite3.connect(store)) as connection:
        for change in ("DELETE FROM entry", "UPDATE entry SET verdict = 'benign'"):
            with pytest.raises(sqlite3.IntegrityError):
                connection.execute(change)


def test_no_store_is_no_marks(store):
    """Reading makes no file."""
    assert verdicts.marks(ALERTS, store).empty
    assert not store.exists()


@pytest.mark.parametrize(
    ("ids", "verdict"), [(IDS, "fine"), (["a-1"], "benign"), (["x' OR 1=1"], "benign")]
)
def test_wrong_marks_are_refused(store, ids, verdict):
    """A word that is no verdict, and what is no alert id."""
    with pytest.raises(ValueError, match="is no"):
        verdicts.mark(store, ids, verdict)


def test_another_file_is_not_taken_for_a_store(store, tmp_path):
    """Nor is it written to, and nothing of it is taken over."""
    (tmp_path / "alerts.jsonl").write_text("{}\n" * 100)
    for call in (
        lambda: verdicts.history(tmp_path / "alerts.jsonl"),
        lambda: verdicts.mark(tmp_path / "alerts.jsonl", IDS, "benign"),
        lambda: verdicts.merge(store, tmp_path / "alerts.jsonl"),
        lambda: verdicts.merge(store, tmp_path / "absent"),
    ):
        with pytest.raises(SourceError):
            call()
    assert (tmp_path / "alerts.jsonl").read_text() == "{}\n" * 100


@settings(max_examples=25)
@given(ENTRIES, ENTRIES)
def test_two_stores_merge_in_any_order_and_more_than_once(first, second):
    """Both have the same history after, which holds what either had, and no entry twice."""
    with tempfile.TemporaryDirectory() as folder:
        ana, ben = (kept(Path(folder, n), e) for n, e in (("ana", first), ("ben", second)))
        for one in (ana, ben):
            one.touch()
        for path in (ana, ben):
            verdicts.merge(path)  # an empty file becomes an empty store
        verdicts.merge(ana, ben)
        verdicts.merge(ben, ana)
        told = verdicts.history(ana)

        pd.testing.assert_frame_equal(told, verdicts.history(ben))
        assert len(told) == len({*first, *second})
        assert verdicts.merge(ana, ben, ana) == 0
        pd.testing.assert_frame_equal(verdicts.marks(ALERTS, ana), verdicts.marks(ALERTS, ben))


def test_an_incident_is_as_grave_as_its_gravest_alert(store, shell):
    """And it says how many of its alerts are marked."""
    alerts = [story(shell, **{"proc.cmdline": f"bash -c {n}"}) for n in range(3)]
    found = fa.correlate(fa.read_alerts(lines(*alerts))[0]).alerts
    ids = found["alert_id"].tolist()
    verdicts.mark(store, ids[:1], "suspicious")
    verdicts.mark(store, ids[1:2], "benign")

    told = verdicts.marks_of_incidents(found, verdicts.marks(found, store))

    assert told[["verdict", "marked", "alerts"]].to_numpy().tolist() == [["suspicious", 2, 3]]


def test_a_store_beside_a_folder_is_not_read_with_it(tmp_path, shell):
    """Marks lie beside the alerts and are no input."""
    (tmp_path / "a.jsonl").write_bytes(lines(shell))
    verdicts.mark(verdicts.beside(tmp_path / "a.jsonl"), IDS, "benign")

    alerts, rejects = fa.read_alerts(tmp_path)

    assert (len(alerts), len(rejects)) == (1, 0)
