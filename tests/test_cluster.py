"""The batch on other machines: a real Dask scheduler with workers, and a real S3 server."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from typing import TYPE_CHECKING

import pytest

import analysis as fa
from analysis.report import manifest
from analysis.report.shelf import Shelf

from .test_batch import FILES, night

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

distributed = pytest.importorskip("distributed")
pytest.importorskip("s3fs")
pytest.importorskip("moto.server")


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return asked.getsockname()[1]


@pytest.fixture
def bucket(monkeypatch) -> Iterator[str]:
    """A bucket of an S3 server that runs in a process of its own."""
    port = free_port()
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    for name, value in {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    try:
        for _ in range(200):
            try:
                urllib.request.urlopen(url, timeout=1).close()
                break
            except OSError:
                time.sleep(0.1)
        import s3fs  # noqa: PLC0415 - reads the environment

        s3fs.S3FileSystem.clear_instance_cache()
        s3fs.S3FileSystem().mkdir("night")
        yield "s3://night/reports"
        s3fs.S3FileSystem.clear_instance_cache()
    finally:
        server.terminate()
        server.wait()


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_reports_in_a_bucket(bucket):
    """Made, found whole the next time, verified; a file that was changed is found and made again."""
    alerts, _ = fa.read_alerts(night(2))
    first = list(fa.write_reports(alerts, bucket))
    assert [one.error for one in first] == [None, None]

    shelf = Shelf(bucket)
    for one in first:
        assert one.folder == f"{bucket}/{one.incident_id}"
        assert shelf.names(one.incident_id) == FILES
    assert manifest.verify(shelf)[1] == []
    assert [one.made for one in fa.write_reports(alerts, bucket)] == [False, False]

    shelf.write(f"{first[0].incident_id}/report.html", b"changed")
    assert [str(change) for change in manifest.verify(shelf)[1]] == [
        f"{first[0].incident_id}/report.html: was changed"
    ]
    again = {one.incident_id: one.made for one in fa.write_reports(alerts, bucket)}
    assert again == {first[0].incident_id: True, first[1].incident_id: False}


def start(*command: str) -> subprocess.Popen:
    """Start a part of a cluster; its words are nobody's concern."""
    return subprocess.Popen(
        [sys.executable, "-m", "distributed.cli." + command[0], *command[1:]],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def test_a_worker_killed_in_the_middle_loses_no_report(tmp_path: Path):
    """Two worker processes, one killed: every report is there at the end, once."""
    address = f"tcp://127.0.0.1:{free_port()}"
    common = ("--no-dashboard",)
    scheduler = start(
        "dask_scheduler", "--host", "127.0.0.1", "--port", address[-5:].lstrip(":"), *common
    )
    workers = [
        start("dask_worker", address, "--nthreads", "1", "--no-nanny", *common) for _ in range(2)
    ]
    try:
        with distributed.Client(address, timeout=30) as client:
            client.wait_for_workers(2, timeout=60)
            outcomes = fa.write_reports(
                fa.read_alerts(night(8))[0], tmp_path / "out",
                executor=client.get_executor(pure=False), workers=2,
            )  # fmt: skip
            done = [next(outcomes)]
            os.kill(workers[0].pid, signal.SIGKILL)
            done += outcomes
    finally:
        for process in (*workers, scheduler):
            process.kill()
            process.wait()

    assert [one.error for one in done] == [None] * 8
    assert len({one.incident_id for one in done}) == 8
    shelf = Shelf(tmp_path / "out")
    assert len([name for name in shelf.names("") if name.startswith("inc-")]) == 8
    assert manifest.verify(shelf)[1] == []
