"""The fast way and the slow way give the same frame: the law that lets the fast one be trusted."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import analysis as fa
from analysis.intake import bulk, duck, peel, scan

from .benchmarks.generate import AT, WRAPPED
from .benchmarks.generate import alerts as generated
from .conftest import story
from .test_intake import JSON, PLAIN


def lines(*alerts: object) -> bytes:
    """Return alerts as Falco writes them, which alone the fast way trusts: no blanks."""
    return b"".join(json.dumps(one, separators=(",", ":")).encode() + b"\n" for one in alerts)


def both_ways(path, monkeypatch) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read a file fast and slowly, hold the frames against each other, return the fast one."""
    with monkeypatch.context() as patch:
        patch.setattr(bulk, "SMALLEST", 0)
        fast, fast_rejects = fa.read_alerts(path)
        patch.setattr(bulk, "SMALLEST", 1 << 60)
        slow, slow_rejects = fa.read_alerts(path)
    pd.testing.assert_frame_equal(plain(fast), plain(slow))
    pd.testing.assert_frame_equal(fast_rejects, slow_rejects)
    return fast, fast_rejects


def plain(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame whose categories do not depend on the order in which they were met."""
    known = frame.dropna(axis="columns", how="all")
    labels = known.select_dtypes("category").columns.difference(["priority"])
    return known.astype(dict.fromkeys(labels, "str"))


def test_a_file_of_every_kind_of_line(tmp_path, monkeypatch):
    """24 rules, fields that change their kind, uint64, nulls, unicode, one line in a hundred broken."""
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\n".join(generated(3000)) + b"\n")
    fast, rejects = both_ways(path, monkeypatch)

    assert (len(fast), len(rejects)) == (2970, 30)
    assert fast["origin_line"].is_monotonic_increasing
    assert [json.loads(raw)["rule"] for raw in fa.raw_records(fast.head(50))] == fast["rule"].head(
        50
    ).tolist()


ODD = [
    b"",
    b"   ",
    b"noise",
    b"{}",
    b"[]",
    b'{"rule":"x"',
    lines(PLAIN).strip() + b"\r",
    b"  " + lines(PLAIN).strip() + b"  ",
    lines(PLAIN).strip() + lines(PLAIN).strip(),
    lines(PLAIN | {"time": "2026-01-02T05:04:05+02:00"}).strip(),
    lines(PLAIN | {"time": "2026-13-02T05:04:05Z"}).strip(),
    lines(PLAIN | {"time": "1999-01-02T05:04:05Z"}).strip(),
    lines(PLAIN | {"priority": "INFO"}).strip(),
    lines(PLAIN | {"rule": ""}).strip(),
    lines(PLAIN | {"tags": ["a", "b"]}).strip(),
    lines(PLAIN | {"tags": []}).strip(),
    lines(PLAIN | {"tags": [1]}).strip(),
    lines(PLAIN | {"tags": "a"}).strip(),
    lines(PLAIN | {"output_fields": {}}).strip(),
    lines(PLAIN | {"output_fields": None}).strip(),
    lines(PLAIN | {"rule": "Falco internal: x"}).strip(),
    lines(PLAIN | {"output": "x (user=root process=cat)", "output_fields": {}}).strip(),
    lines(
        PLAIN | {"output": "x (user=root)", "output_fields": {"evt.time": 1757000000123456789}}
    ).strip(),
    lines({k: v for k, v in PLAIN.items() if k != "output_fields"} | {"foo": {}}).strip(),
    lines(PLAIN | {"output_fields": None, "foo": True}).strip(),
    lines(PLAIN | {"time": "2026-01-02T03:04Z"}).strip(),
    lines(PLAIN | {"time": "2026-01-02T03Z"}).strip(),
    lines(PLAIN | {"hostname": "", "source": "", "uuid": "", "output": ""}).strip(),
    lines(PLAIN | {"recovered": 1, "ambiguous": ["x"], "clock": "y"}).strip(),
    lines(PLAIN | {"output_fields": 5}).strip(),
    lines(PLAIN | {"output_fields": [{"a": 1}]}).strip(),
    lines(story(PLAIN, **{"proc.fdusage": 10**400})).strip(),
    lines(story(PLAIN, x="a", **{"output_fields.x": "b"})).strip(),
    lines(story(PLAIN, **{"extra.foo": "a"}) | {"foo": "b"}).strip(),
    json.dumps(PLAIN, indent=1).encode(),
    json.dumps(PLAIN, indent=1).encode() + b"\n" + json.dumps(PLAIN, indent=2).encode(),
    lines(PLAIN | {"message": "m", "uuid": "u", "hostname": "h", "source": "syscall"}).strip(),
    lines(story(PLAIN, **{"proc.tty": 1.5})).strip(),
    lines(story(PLAIN, **{"proc.tty": "7"})).strip(),
    lines(story(PLAIN, **{"proc.tty": True})).strip(),
    lines(story(PLAIN, **{"proc.tty": 2**64 - 1})).strip(),
    lines(story(PLAIN, **{"proc.tty": 2**70})).strip(),
    lines(story(PLAIN, **{"proc.tty": None})).strip(),
    lines(story(PLAIN, **{"proc.name": 5})).strip(),
    lines(story(PLAIN, **{"proc.name": False})).strip(),
    lines(story(PLAIN, **{"proc.name": {"a": 1}})).strip(),
    lines(story(PLAIN, **{"proc.name": 'say ":"'})).strip(),
    lines(story(PLAIN, **{"proc.name": "\ud800"})).strip(),
    lines(story(PLAIN, **{"proc.name": "nul\0"})).strip(),
    lines(story(PLAIN, **{"proc.name": "größe 日本"})).strip(),
    lines(story(PLAIN, **{"Proc.Name": "x"})).strip(),
    lines(story(PLAIN, **{"new.field": "x"})).strip(),
    lines(story(PLAIN, **{"evt.time": 1757000000123456789})).strip(),
    lines(story(PLAIN, **{"proc.exe_ino.ctime_duration_proc_start": 2**64 - 5})).strip(),
    lines(story(PLAIN, **{"ka.req.pod.containers.image": ["a", "b"]})).strip(),
    lines(story(PLAIN, **{"ka.req.pod.containers.image": "a"})).strip(),
    lines(PLAIN).strip().replace(b"cat", b"c\xff"),
    lines(PLAIN).strip().replace(b'"proc.tty":0', b'"proc.tty":1e3'),
    lines(PLAIN).strip().replace(b'"proc.tty":0', b'"proc.tty":-0'),
    lines(PLAIN).strip().replace(b'"proc.tty":0', b'"proc.tty":0,"proc.tty":1'),
    lines(PLAIN).strip().replace(b'"proc.tty":0', b'"proc.tty":NaN'),
    json.dumps(PLAIN).encode(),
    json.dumps(PLAIN, separators=(" , ", " : ")).encode(),
]


@pytest.mark.parametrize("line", ODD, ids=lambda line: line[-40:].decode("ascii", "replace"))
def test_each_odd_line(line, tmp_path, monkeypatch):
    """Among good lines, each odd one is read, or refused, alike."""
    path = tmp_path / "a.jsonl"
    good = lines(PLAIN | {"hostname": "h"})
    path.write_bytes(good * 3 + line + b"\n" + good * 3)
    fast, rejects = both_ways(path, monkeypatch)

    assert len(fast) + len(rejects) >= 6


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.lists(st.sampled_from(ODD) | st.dictionaries(st.text(), JSON, max_size=4), max_size=12))
def test_any_mixture(tmp_path, monkeypatch, mixture):
    """Whatever stands beside whatever."""
    made = [
        one if isinstance(one, bytes) else lines(PLAIN | {"output_fields": one}).strip()
        for one in mixture
    ]
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\n".join([lines(PLAIN).strip(), *made, lines(PLAIN).strip()]))

    both_ways(path, monkeypatch)


ALERT = lines(PLAIN | {"hostname": "h"}).strip()
FRAGMENTS = (
    *(b"", b"{", b"}", b"[", b"]", b",", b'"', b"[]", b"{}", b"-", b'{"a":', b'{"a":[', b"]}"),
    *(ALERT, ALERT, ALERT + b",", b"," + ALERT, ALERT[:-1], ALERT[:40], ALERT[40:], b" " + ALERT),
    *(b"[" + ALERT + b",", ALERT + b"]", b'{"_source":', ALERT + b"}", ALERT + b" }"),
    *(f"{AT} {stream} {part} x".encode() for stream in ("stdout", "stderr") for part in "PF"),
    f"{AT} stdout P ".encode() + ALERT[:70],
    f"{AT} stdout F ".encode() + ALERT[70:],
    b'{"log":' + json.dumps(ALERT[:70].decode()).encode() + b',"stream":"stdout"}',
    b'{"log":' + json.dumps(ALERT[70:].decode() + "\n").encode() + b',"stream":"stdout"}',
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(
    st.lists(st.sampled_from(FRAGMENTS), max_size=9), st.sampled_from((b"\n", b"\r\n", b" \n\n"))
)
def test_documents_around_alerts(tmp_path, monkeypatch, fragments, end):
    """A document of many lines may begin in odd ones and go on through lines that are alerts."""
    path = tmp_path / "a.jsonl"
    path.write_bytes(end.join([*[ALERT] * 10, *fragments, ALERT]))

    both_ways(path, monkeypatch)


def test_a_document_around_an_alert(tmp_path, monkeypatch):
    """An array over lines holds the alert that has a line for itself."""
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\n".join([*[ALERT] * 7, b"[", ALERT, b",", ALERT, b"]", ALERT]))

    fast, rejects = both_ways(path, monkeypatch)

    assert fast["origin_line"].tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 8, 13]
    assert rejects.empty


def test_lines_longer_than_a_block(tmp_path, monkeypatch):
    """A line of megabytes is one line."""
    path = tmp_path / "a.jsonl"
    long = story(PLAIN, **{"proc.cmdline": "x" * (3 * scan.BLOCK)})
    path.write_bytes(lines(PLAIN, long, PLAIN))
    fast, _ = both_ways(path, monkeypatch)

    assert fast["proc.cmdline"].str.len()[1] == 3 * scan.BLOCK


@pytest.mark.parametrize("longest", [1 << 20, 1 << 28], ids=["too long", "long"])
def test_lines_longer_than_usual(longest, tmp_path, monkeypatch):
    """A line for which DuckDB has no room is read with more of it, or the slow way: the frame is one."""
    monkeypatch.setattr(duck, "USUAL", 1 << 20)
    monkeypatch.setattr(duck, "LONGEST", longest)
    path = tmp_path / "a.jsonl"
    long = story(PLAIN, **{"proc.cmdline": "x" * (3 << 20)})
    path.write_bytes(lines(*[PLAIN] * 9000, long, PLAIN))
    fast, _ = both_ways(path, monkeypatch)

    assert fast["proc.cmdline"].str.len()[9000] == 3 << 20


@given(
    st.lists(st.binary(max_size=80).filter(lambda b: b"\n" not in b), max_size=20),
    st.integers(1, 200),
)
def test_scan_finds_each_line(tmp_path_factory, parts, block):
    """Offsets, lengths and numbers are those of the lines, whatever the size of a block."""
    path = tmp_path_factory.mktemp("scan") / "a"
    data = b"\n".join(parts)
    path.write_bytes(data)
    wanted = [(n, p.removesuffix(b"\r")) for n, p in enumerate(parts, 1)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scan, "BLOCK", block)
        found = scan.scan_lines(path)
    got = {
        n: data[o : o + size]
        for n, o, size in zip(found.number, found.offset, found.length, strict=True)
    }

    assert {n: line for n, line in wanted if line.strip()} == {
        n: g for n, g in got.items() if g.strip()
    }


WRAP = WRAPPED | {
    "syslog 3164": lambda line: b"Jan  2 03:04:05 node-1 falco[17]: " + line,
    "kubectl": lambda line: b"[pod/falco-abcde/falco] " + line,
    "stern": lambda line: b"falco-abcde falco " + line,
}


@pytest.mark.parametrize("wrap", WRAP.values(), ids=WRAP)
def test_wrapped_lines(wrap, tmp_path, monkeypatch):
    """A wrapped file is read alike both ways, and its records are quoted with their wrapper."""
    wrapped = [wrap(line) if n % 7 else line for n, line in enumerate(generated(1500))]
    wrapped[100:100] = [
        wrap(lines(PLAIN).strip()),
        b"",
        b"  noise",
        wrap(b"Thu Sep  4 15:33:20 2025: Falco"),
    ]
    path = tmp_path / "a.log"
    path.write_bytes(b"\n".join(wrapped))
    fast, _ = both_ways(path, monkeypatch)

    assert len(fast) == 1486
    assert (fast["wrapper"].notna()).sum() > 1200
    assert fa.raw_records(fast.tail(3)) == wrapped[-4:-1] or fa.raw_records(fast.head(1)) == [
        wrapped[0]
    ]


@pytest.mark.parametrize("kind", ["cri", "docker"])
def test_wrapped_lines_in_parts(kind, tmp_path, monkeypatch):
    """Where lines were cut, they are joined again, whichever way the file is read."""
    made = [WRAP[kind](line) for line in generated(400)]
    line = lines(PLAIN | {"hostname": "cut"}).strip()
    if kind == "cri":
        made[50:50] = [AT + b" stdout P " + line[:60], AT + b" stdout F " + line[60:]]
    else:
        part = {"stream": "stdout", "time": AT.decode()}
        made[50:50] = [
            json.dumps({"log": line[:60].decode()} | part, separators=(",", ":")).encode(),
            json.dumps({"log": line[60:].decode() + "\n"} | part, separators=(",", ":")).encode(),
        ]
    path = tmp_path / "a.log"
    path.write_bytes(b"\n".join(made))
    fast, _ = both_ways(path, monkeypatch)

    assert (fast["hostname"] == "cut").sum() == 1


def test_rejects_are_in_order_of_the_file(tmp_path, monkeypatch):
    """Batches are checked side by side; what is no alert is listed from first to last."""
    monkeypatch.setattr(duck, "BATCH", 2048)
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\n".join(generated(12_000)) + b"\n")
    _, rejects = both_ways(path, monkeypatch)

    assert rejects["origin_offset"].is_monotonic_increasing


@pytest.mark.parametrize("wrap", [lambda line: line, WRAP["cri"]], ids=["plain", "cri"])
@pytest.mark.parametrize("size", [1, 1000, 70_000])
def test_files_in_pieces(wrap, size, tmp_path, monkeypatch):
    """A file beyond memory is read in pieces; places, numbers and order are the file's."""
    monkeypatch.setattr(peel, "PIECE", size)
    path = tmp_path / "a.log"
    path.write_bytes(b"\n\n".join(map(wrap, generated(100 if size == 1 else 400))))
    fast, _ = both_ways(path, monkeypatch)

    assert fa.raw_records(fast) == [
        path.read_bytes().split(b"\n")[n - 1] for n in fast["origin_line"]
    ]
