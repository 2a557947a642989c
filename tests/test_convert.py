"""convert: Parquet that reads back as it was, in part where a part is wanted; whole or not there."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor

import pandas as pd
import pytest
from click.testing import CliRunner

import analysis as fa
from analysis.cli import main
from analysis.errors import SourceError

from .benchmarks.generate import alerts as generated
from .conftest import SAMPLES, lines, story
from .test_bulk import plain
from .test_intake import PLAIN


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """A folder of alerts of several days and kinds, out of order, with noise."""
    folder = tmp_path_factory.mktemp("inputs")
    for number in range(3):
        (folder / f"{number}.jsonl").write_bytes(b"\n".join(generated(400, seed=number)) + b"\n")
    days = [PLAIN | {"time": f"2026-01-0{day}T00:00:00Z"} for day in (3, 1, 2, 1)]
    lists = story(
        PLAIN, **{"ka.req.pod.containers.image": ["a", "b"], "proc.duration": 5, "proc.pid": "x"}
    )
    (folder / "days.jsonl").write_bytes(lines(*days, lists) + b"noise\n")
    text = b"10:00:00.000000001: Notice A shell was spawned (user=root)\n"
    (folder / "text.log").write_bytes(text)
    return folder


@pytest.fixture(scope="module")
def stored(inputs, tmp_path_factory):
    """The same, converted."""
    to = tmp_path_factory.mktemp("stored") / "alerts.parquet"
    fa.convert(inputs, to)
    return to


def test_frame_for_frame(inputs, stored):
    """Parquet gives the frame that the input gives: rows, order, columns, types, values."""
    read, rejects = fa.read_alerts(inputs)
    back, none = fa.read_alerts(stored)

    assert none.empty
    assert len(rejects) > 10
    pd.testing.assert_frame_equal(plain(back), plain(read))
    assert back.columns.tolist() == read.columns.tolist()
    assert back.dtypes.astype(str).tolist() == read.dtypes.astype(str).tolist()


@pytest.mark.parametrize(
    "chosen",
    [
        {"columns": ["time", "rule", "proc.name", "no.such"]},
        {"since": "2026-01-02"},
        {"until": "2026-01-02"},
        {"since": "2026-01-01T00:00:00+00:00", "until": "2026-01-03"},
        {"rule": "A rule"},
        {"rule": ["A rule", "Run shell untrusted"]},
        {"priority": "critical"},
        {
            "columns": ["rule"],
            "since": "2025-09-04",
            "rule": "Run shell untrusted",
            "priority": "Notice",
        },
    ],
    ids=str,
)
def test_a_part_is_the_same_part(inputs, stored, chosen):
    """What is chosen from Parquet is what is chosen from the input."""
    read, _ = fa.read_alerts(inputs, **chosen)
    back, _ = fa.read_alerts(stored, **chosen)

    pd.testing.assert_frame_equal(plain(back), plain(read))
    if set(chosen) == {"columns"}:
        assert back.columns.tolist() == ["time", "rule", "proc.name"]


@pytest.mark.parametrize("columns", [None, ["rule", "hostname"]])
def test_a_line_in_parts_stands_where_it_began(columns, tmp_path):
    """It is known when its last part has come, behind an alert that began later."""
    line, other = (lines(PLAIN | {"hostname": name}).strip().decode() for name in ("cut", "whole"))
    path = tmp_path / "a.log"
    parts = [f"stdout P {line[:70]}", f"stderr F {other}", f"stdout F {line[70:]}"]
    path.write_text("".join(f"2026-01-02T03:04:05.123456789Z {part}\n" for part in parts))
    fa.convert(path, tmp_path / "out")

    read, _ = fa.read_alerts(path, columns=columns)
    back, _ = fa.read_alerts(tmp_path / "out", columns=columns)

    assert read["hostname"].tolist() == ["cut", "whole"]
    pd.testing.assert_frame_equal(plain(back), plain(read))


def test_priority_and_time_are_checked(stored):
    """A choice that cannot be meant is an error."""
    with pytest.raises(ValueError, match="none of Falco's priorities"):
        fa.read_alerts(stored, priority="severe")
    with pytest.raises(ValueError, match="yesteryear"):
        fa.read_alerts(stored, since="yesteryear")


def test_evidence_is_still_quoted_from_its_origin(inputs, stored):
    """The raw record is where it was, and the case is the same."""
    back, _ = fa.read_alerts(stored, rule="A rule")
    read, _ = fa.read_alerts(inputs, rule="A rule")

    assert fa.raw_records(back) == fa.raw_records(read)
    assert (
        fa.correlate(back)[1]["incident_id"].tolist()
        == fa.correlate(read)[1]["incident_id"].tolist()
    )


def test_files_are_partitioned_by_day(stored):
    """One folder a day; alerts without a date apart."""
    days = {path.name for path in stored.glob("date=*")}

    assert {"date=2026-01-01", "date=2026-01-02", "date=2026-01-03", "date=unknown"} <= days


def test_an_executor_does_the_same(inputs, stored, tmp_path):
    """Two processes write what one wrote."""
    with ProcessPoolExecutor(2) as pool:
        fa.convert(inputs, tmp_path / "a.parquet", executor=pool)

    pd.testing.assert_frame_equal(
        fa.read_alerts(tmp_path / "a.parquet")[0],
        fa.read_alerts(stored)[0],
        check_categorical=False,
    )


@pytest.mark.filterwarnings("default")
def test_a_dask_cluster_does_the_same(inputs, stored, tmp_path):
    """A real scheduler and two worker processes on loopback, by the command."""
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None
    ) as cluster:
        to = tmp_path / "a.parquet"
        arguments = [
            "convert",
            str(inputs),
            "--to",
            str(to),
            "--scheduler",
            cluster.scheduler_address,
        ]
        result = CliRunner().invoke(main, arguments)

    assert result.exit_code == 0, result.output
    pd.testing.assert_frame_equal(plain(fa.read_alerts(to)[0]), plain(fa.read_alerts(stored)[0]))


def test_a_second_conversion_replaces_the_first(tmp_path):
    """The folder is what was asked for last."""
    for alert in (PLAIN, PLAIN | {"rule": "B"}):
        fa.convert(lines(alert), tmp_path / "a.parquet")

    assert fa.read_alerts(tmp_path / "a.parquet")[0]["rule"].tolist() == ["B"]


def test_disk_full(tmp_path):
    """One line, exit 2, and nothing half-written: neither the new folder nor a piece of it."""
    source = tmp_path / "in.jsonl"
    source.write_bytes(b"\n".join(generated(2000)))

    def small_files() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    command = [
        sys.executable,
        "-m",
        "analysis",
        "convert",
        str(source),
        "--to",
        str(tmp_path / "a.parquet"),
    ]
    done = subprocess.run(
        command, capture_output=True, text=True, preexec_fn=small_files, check=False
    )

    assert done.returncode == 2
    assert done.stderr.startswith(f"falco-casebook: cannot write {tmp_path}/a.parquet: ")
    assert done.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["in.jsonl"]


def test_command(tmp_path):
    """It says what it did, writes the rejects, and a report reads the folder."""
    source = tmp_path / "a.log"
    source.write_bytes(b"noise\n" + (SAMPLES / "fileless_execution.jsonl").read_bytes())
    arguments = [
        "convert",
        str(source),
        "--to",
        str(tmp_path / "a.parquet"),
        "--rejects",
        str(tmp_path / "r.csv"),
    ]
    result = CliRunner().invoke(main, arguments)

    assert result.exit_code == 0
    assert "1 alerts of 1 files" in result.output
    assert pd.read_csv(tmp_path / "r.csv")["origin_line"].tolist() == [1]
    alerts, _ = fa.read_alerts(tmp_path / "a.parquet")
    assert fa.investigate(alerts).disposition == "simulation"


@pytest.mark.parametrize("source", ["nowhere", "empty"])
def test_unusable_input(source, tmp_path):
    """Exit 2 with one line."""
    (tmp_path / "empty").mkdir()
    result = CliRunner().invoke(
        main, ["convert", str(tmp_path / source), "--to", str(tmp_path / "a")]
    )

    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1


def test_a_damaged_store_is_named(tmp_path):
    """A file that is no Parquet any more: which, and what is the matter."""
    fa.convert(lines(PLAIN), tmp_path / "a.parquet")
    next((tmp_path / "a.parquet").glob("date=*/*.parquet")).write_bytes(b"PAR1 no more")

    with pytest.raises(SourceError, match=r"cannot read .*a\.parquet"):
        fa.read_alerts(tmp_path / "a.parquet")


def test_nothing_but_an_earlier_conversion_is_replaced(tmp_path):
    """A folder of other files, a file, or one that holds the source is refused, and left as it is."""
    folder = tmp_path / "evidence"
    folder.mkdir()
    (folder / "a.jsonl").write_bytes(lines(PLAIN))
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")

    for to in (folder, tmp_path, tmp_path / "other", tmp_path / "file", folder / ".." / "evidence"):
        with pytest.raises(SourceError, match=r"convert to (a new|another) folder"):
            fa.convert(folder / "a.jsonl", to)
    assert (folder / "a.jsonl").read_bytes() == lines(PLAIN)
    assert (tmp_path / "other" / "notes.txt").read_text() == "mine"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["evidence", "file", "other"]


def test_no_alerts_replace_nothing(tmp_path):
    """Where the input holds no alert, an earlier conversion stays."""
    to = tmp_path / "a.parquet"
    fa.convert(lines(PLAIN), to)
    done = fa.convert(b"noise", to)

    assert (done.alerts, len(done.rejects)) == (0, 1)
    assert len(fa.read_alerts(to)[0]) == 1


def test_a_conversion_is_no_source(tmp_path):
    """Its files are Parquet, not alerts: to convert it again would read them as text."""
    fa.convert(lines(PLAIN), tmp_path / "a")

    with pytest.raises(SourceError, match="is converted already"):
        fa.convert(tmp_path / "a", tmp_path / "b")
