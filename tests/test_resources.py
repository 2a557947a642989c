"""Hostile sizes: memory and time are bounded, what is refused is told, all else is loaded."""

from __future__ import annotations

import base64
import bz2
import gzip
import json
import lzma
import os
import resource
import socket
import subprocess
import sys
import time

import pandas as pd
import pyarrow as pa
import pytest

import analysis as fa
from analysis.errors import SourceError
from analysis.intake import decoding, rejects, sources, window

from .conftest import ROOT, lines, story
from .test_intake import PLAIN

MIB = 1 << 20
GOOD = lines(PLAIN)
MEMORY = 640 * MIB
"""What reading all of `HOSTILE` may take, of which the libraries are a fifth."""

SECONDS = 60
"""Of computing, for all of `HOSTILE`: some ten are needed."""


def sparse(path, size: int, fill: bytes = b"") -> None:
    """Write a good alert, `size` bytes of a line, and a good alert."""
    with path.open("wb") as file:
        file.write(GOOD)
        if fill:
            for _ in range(size // len(fill)):
                file.write(fill)
        else:
            file.seek(size, os.SEEK_CUR)
        file.write(b"\n" + GOOD)


def packed(pack, size: int) -> bytes:
    """Return a bomb: a good alert, and `size` zero bytes."""
    return pack(GOOD) + pack(bytes(8 * MIB)) * (size // (8 * MIB))


def cri_parts(content: bytes) -> bytes:
    """Return a part of a line, of which the end never comes."""
    return b"2026-01-02T03:04:05.123456789Z stdout P " + content + b"\n"


LONG, BOMB = "longer than 64 MiB", "unpacks to more than 200 times its size"
# name -> how it is written, how many alerts are read beside it, and what is said of it
HOSTILE = {
    "a line without end": (lambda p: sparse(p, 512 * MIB), 2, LONG),
    "a line of text": (lambda p: sparse(p, 100 * MIB, b"x" * MIB), 2, LONG),
    "gzip": (lambda p: p.write_bytes(packed(gzip.compress, 160 * MIB)), 1, BOMB),
    "bzip2": (lambda p: p.write_bytes(packed(bz2.compress, 160 * MIB)), 1, BOMB),
    "xz": (
        lambda p: p.write_bytes(packed(lambda d: lzma.compress(d, preset=0), 160 * MIB)),
        1,
        BOMB,
    ),
    "zstd": (
        lambda p: p.write_bytes(pa.compress(GOOD + bytes(160 * MIB), "zstd", asbytes=True)),
        1,
        BOMB,
    ),
    "short lines": (
        lambda p: sparse(p, 8 * MIB, b"x\n" * (MIB // 2)),
        2,
        "too short to be an alert",
    ),
    "many values": (
        lambda p: p.write_bytes(GOOD + b"[" + b"[]," * 4 * MIB + b"1]\n" + GOOD),
        2,
        "more than 4194304 values",
    ),
    "nesting": (
        lambda p: p.write_bytes(GOOD + b'{"a":' * 10**5 + b"1" + b"}" * 10**5 + b"\n" + GOOD),
        2,
        "nested too deeply",
    ),
    "open brackets": (
        lambda p: p.write_bytes(GOOD + b"[" * 10**6 + b"\n" + GOOD),
        2,
        "nested too deeply",
    ),
    "digits": (
        lambda p: p.write_bytes(GOOD + GOOD.replace(b"0}", b"9" * 10**5 + b"}") + GOOD),
        2,
        "more digits than a reader can hold",
    ),
    "parts": (
        lambda p: p.write_bytes(GOOD + cri_parts(b"x" * 16384) * 5000 + GOOD),
        2,
        "parts of a line, together more than 64 MiB",
    ),
}

READ = """
import json, resource, sys, time
import analysis as fa
found = {}
for path in sys.argv[1:]:
    start = time.process_time()
    alerts, rejects = fa.read_alerts(path)
    found[path] = [len(alerts), rejects["reason"].tolist(), time.process_time() - start]
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(json.dumps([found, peak, time.process_time()]))
"""


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """What came of reading each hostile file, in one process of bounded memory and time."""
    folder = tmp_path_factory.mktemp("hostile")
    for name, (write, *_) in HOSTILE.items():
        write(folder / name)
    done = subprocess.run(
        [sys.executable, "-c", READ, *(str(folder / name) for name in HOSTILE)],
        capture_output=True,
        cwd=ROOT,
        text=True,
        check=False,
        # the kernel ends what computes for ever, or asks for the machine's memory
        preexec_fn=lambda: (
            resource.setrlimit(resource.RLIMIT_CPU, (4 * SECONDS, 4 * SECONDS)),
            resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30)),
        ),
    )
    for name in HOSTILE:
        (folder / name).unlink()
    assert done.returncode == 0, done.stderr
    found, peak, seconds = json.loads(done.stdout)
    return {path.rpartition("/")[2]: row for path, row in found.items()}, peak, seconds


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_too_much_is_told_and_all_else_loaded(hostile, name):
    """The alerts before and behind it are there; it is one reject, or few, with the reason."""
    _, alerts, reason = HOSTILE[name]
    read, reasons, _ = hostile[0][name]

    assert read == alerts
    assert any(reason in one for one in reasons)
    assert len(reasons) < 10


def test_memory_is_bounded(hostile):
    """None of them takes more than some windows of the longest record."""
    assert hostile[1] < MEMORY


def test_time_is_bounded(hostile):
    """None of them takes the evening."""
    assert hostile[2] < SECONDS


@pytest.fixture
def narrow(monkeypatch):
    """A kit whose longest record has 1,000 bytes."""
    monkeypatch.setattr(window, "LONGEST", 1_000)


@pytest.mark.parametrize("indent", [None, 1], ids=["one line", "pretty"])
@pytest.mark.usefixtures("narrow")
def test_an_array_may_be_longer_than_a_record(indent, tmp_path):
    """Each of its alerts is a record then: nothing is lost, and nothing is called broken."""
    (tmp_path / "a.json").write_text(json.dumps([PLAIN] * 50, indent=indent) + "\n")
    alerts, refused = fa.read_alerts(tmp_path / "a.json")

    assert len(alerts) == 50
    assert refused.empty
    assert alerts["wrapper"].isna().all()
    assert {json.loads(raw.rstrip(b",] \n"))["rule"] for raw in fa.raw_records(alerts)} == {
        "A rule"
    }


@pytest.mark.usefixtures("narrow")
def test_a_record_is_refused_by_its_length_alone():
    """Not by where the window happens to stand: the same line is refused at any place."""
    long = lines(story(PLAIN, **{"proc.cmdline": "x" * 1_000}))
    short = lines(story(PLAIN, **{"proc.cmdline": "x" * 700}))
    for before in range(0, 2_000, 130):
        lead = b"#" * before + b"\n" if before else b""
        alerts, refused = fa.read_alerts(lead + short + long + short)
        last = refused.iloc[-1]

        assert len(alerts) == 2
        assert last["origin_line"] == bool(before) + 2
        assert last["origin_offset"] == len(lead + short)
        assert last["origin_length"] == len(long) - 1
        assert "longer than" in last["reason"]


@pytest.mark.usefixtures("narrow")
def test_a_good_alert_before_much_rubbish():
    """What follows a document on its line does not take it along."""
    for rubbish in (b"\0" * 5_000, b" " * 5_000, b"]" * 5_000):
        alerts, _ = fa.read_alerts(GOOD.strip() + rubbish + b"\n" + GOOD)

        assert len(alerts) == 2


def test_a_long_array_of_many_values_is_read_by_its_elements(monkeypatch):
    """Where the values are too many for one record, each element is one."""
    monkeypatch.setattr(decoding, "MOST_VALUES", 60)
    alerts, refused = fa.read_alerts(json.dumps([PLAIN] * 50).encode())

    assert (len(alerts), len(refused)) == (50, 0)


def test_nesting_up_to_the_limit_is_read():
    """What is decoded can be written down again: the limit stands well before Python's own."""
    for depth in range(180, 220):
        value = json.loads("[" * depth + "]" * depth)
        alerts, refused = fa.read_alerts(lines(story(PLAIN, **{"x.y": value})))

        assert len(alerts) + len(refused) == 1
        assert refused["reason"].tolist() in ([], ["nested too deeply"])


def test_rejects_beyond_what_is_listed_are_counted(monkeypatch, tmp_path):
    """The first are listed, in order; the last row says how many more there are."""
    monkeypatch.setattr(rejects, "MOST", 10)
    (tmp_path / "a").write_bytes(GOOD + b"this is no alert\n" * 100 + GOOD)
    alerts, refused = fa.read_alerts(tmp_path / "a")

    assert len(alerts) == 2
    assert refused["origin_line"].tolist()[:10] == list(range(2, 12))
    assert len(refused) == 11
    assert refused["reason"].iloc[-1].startswith("90 more records that are no alerts")
    assert rejects.count(refused) == 100


def test_a_log_that_packs_well_is_no_bomb(tmp_path, monkeypatch):
    """Alerts that differ in their time and process alone pack some thirty times, and are read."""
    monkeypatch.setattr(sources, "_FREELY_UNPACKED", 0)
    many = b"".join(
        lines(story(PLAIN | {"time": f"2026-01-02T03:04:05.{n:09d}Z"}, **{"proc.pid": n}))
        for n in range(0, 30_000_000, 1_500)
    )
    for pack in (gzip.compress, bz2.compress, lzma.compress):
        (tmp_path / "a").write_bytes(pack(many))
        alerts, refused = fa.read_alerts(tmp_path / "a")

        assert len(alerts) == 20_000
        assert refused.empty


def test_a_bomb_in_a_line():
    """CloudWatch's gzip in base64 is opened, and has bounds of its own."""
    bomb = base64.b64encode(gzip.compress(bytes(8 * MIB)))
    alerts, refused = fa.read_alerts(GOOD + bomb + b"\n" + base64.b64encode(gzip.compress(GOOD)))

    assert len(alerts) == 2
    assert "taken for a bomb" in refused["reason"][0]


def test_what_in_a_folder_is_no_file(tmp_path):
    """It is refused by its kind, unopened; the files beside it are read."""
    (tmp_path / "a.jsonl").write_bytes(GOOD)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zeros").symlink_to("/dev/zero")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "up").symlink_to(tmp_path)
    listening = socket.socket(socket.AF_UNIX)
    here = os.open(tmp_path, os.O_RDONLY)
    listening.bind(f"/proc/self/fd/{here}/socket")  # a path of any length
    alerts, refused = fa.read_alerts(tmp_path)
    listening.close()
    os.close(here)
    said = dict(zip(refused["origin_file"], refused["reason"], strict=True))

    assert len(alerts) == 1
    assert said == {
        f"{tmp_path}/dangling": "a link that cannot be followed: No such file or directory",
        f"{tmp_path}/loop": "a link that cannot be followed: Too many levels of symbolic links",
        f"{tmp_path}/pipe": "a pipe, no file",
        f"{tmp_path}/socket": "a socket, no file",
        f"{tmp_path}/up": "a link to a folder, not followed",
        f"{tmp_path}/zeros": "a device, no file",
    }


def test_a_device_is_no_source():
    """Named by itself, it is a wrong call."""
    with pytest.raises(SourceError, match="/dev/zero is a device or socket"):
        fa.read_alerts("/dev/zero")


@pytest.mark.parametrize("year", ["0001", "1677", "2262", "9999"])
def test_times_that_no_frame_can_hold(year):
    """They are refused, and do not wrap around to a time that never was."""
    alerts, refused = fa.read_alerts(GOOD + lines(PLAIN | {"time": f"{year}-06-01T00:00:00Z"}))

    assert len(alerts) == 1
    assert "no date and time with a zone, from 1678 to 2261" in refused["reason"][0]


def test_many_keys_are_read_in_seconds():
    """A field that is not known is a column up to some thousands; the others are `unparsed`."""
    start = time.process_time()
    fields = {f"x.{number}": number for number in range(200_000)}
    alerts, _ = fa.read_alerts(lines(story(PLAIN, **fields)))
    kept = json.loads(alerts["unparsed"][0])

    assert time.process_time() - start < 20
    assert len(alerts.columns) < 2_100
    assert kept["x.199999"] == 199_999
    assert pd.notna(alerts["x.0"][0])
