"""Sources: files, folders, globs, URLs, compressed or not; what cannot be read is named."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
from concurrent.futures import ThreadPoolExecutor

import fsspec
import pyarrow as pa
import pytest

import analysis as fa
from analysis.errors import SourceError

from .conftest import lines
from .test_intake import PLAIN

DATA = lines(PLAIN, PLAIN | {"rule": "B"})
PACKED = {
    "gzip": gzip.compress(DATA),
    "gzip of two members": gzip.compress(DATA[: len(DATA) // 2])
    + gzip.compress(DATA[len(DATA) // 2 :]),
    "bzip2": bz2.compress(DATA),
    "xz": lzma.compress(DATA),
    "zstd": pa.compress(DATA, "zstd", asbytes=True),
}


@pytest.mark.parametrize("packed", PACKED.values(), ids=PACKED)
def test_compressed_content_is_known_by_its_bytes(packed, tmp_path):
    """Whatever the name says; evidence is quoted from the uncompressed content."""
    (tmp_path / "alerts.txt").write_bytes(packed)
    alerts, rejects = fa.read_alerts(tmp_path / "alerts.txt")

    assert rejects.empty
    assert alerts["rule"].tolist() == ["A rule", "B"]
    assert fa.raw_records(alerts) == DATA.splitlines()


@pytest.mark.parametrize("kind", ["gzip", "bzip2", "xz", "zstd"])
def test_a_compressed_file_cut_short_keeps_what_it_gave(kind, tmp_path):
    """What could be read is read; the damage is a reject, at the place where it struck."""
    many = lines(*[PLAIN | {"hostname": f"{os.urandom(400).hex()}"} for _ in range(3000)])
    packed = {"gzip": gzip.compress, "bzip2": bz2.compress, "xz": lzma.compress}.get(
        kind, lambda data: pa.compress(data, "zstd", asbytes=True)
    )(many)
    (tmp_path / "a").write_bytes(packed[: len(packed) // 2])
    alerts, rejects = fa.read_alerts(tmp_path / "a")

    assert 0 < len(alerts) < 3000
    assert "cut short or damaged" in rejects["reason"].iloc[-1]


def test_globs_and_lists(tmp_path):
    """A glob by sorted path, a list in its own order."""
    for name in ("b1.jsonl", "a1.jsonl", "c.log"):
        (tmp_path / name).write_bytes(lines(PLAIN | {"rule": name}))
    by_glob, _ = fa.read_alerts(f"{tmp_path}/*.jsonl")
    by_list, _ = fa.read_alerts([tmp_path / "c.log", f"{tmp_path}/a*"])

    assert by_glob["rule"].tolist() == ["a1.jsonl", "b1.jsonl"]
    assert by_list["rule"].tolist() == ["c.log", "a1.jsonl"]


def test_any_fsspec_url():
    """A store is a source: a file, a folder, a glob in it; quoted from there as well."""
    memory = fsspec.filesystem("memory")
    memory.pipe({"/night/a.jsonl": DATA, "/night/b.jsonl.gz": gzip.compress(DATA)})
    for url, count in (
        ("memory://night/a.jsonl", 2),
        ("memory://night", 4),
        ("memory://night/*.gz", 2),
    ):
        alerts, rejects = fa.read_alerts(url)

        assert rejects.empty
        assert len(alerts) == count
        assert fa.raw_records(alerts)[:2] == DATA.splitlines()


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("nowhere.jsonl", "no such file or folder: nowhere.jsonl"),
        ("nowhere/*.jsonl", "matches no file: nowhere/"),
        ("memory://nowhere", "cannot read memory:///nowhere"),
        ("nosuchscheme://x", "cannot open nosuchscheme://x"),
    ],
)
def test_what_is_not_there_is_named(source, said):
    """One line that says which, and what is the matter."""
    with pytest.raises(SourceError) as caught:
        fa.read_alerts(source)

    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_permission_denied(tmp_path):
    """A file that may not be read is named, with the reason."""
    path = tmp_path / "secret.jsonl"
    path.write_bytes(DATA)
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read every file")

    with pytest.raises(SourceError, match="Permission denied"):
        fa.read_alerts(path)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16(encoding, tmp_path):
    """PowerShell's `>` writes UTF-16 with a mark; it is read as what it says."""
    mark = "\ufeff".encode(encoding)
    (tmp_path / "a.json").write_bytes(mark + DATA.decode().encode(encoding))
    alerts, rejects = fa.read_alerts(tmp_path / "a.json")

    assert rejects.empty
    assert alerts["rule"].tolist() == ["A rule", "B"]


def test_pipes(tmp_path):
    """A named pipe, as in `<(zcat …)`, is read to its end."""
    os.mkfifo(tmp_path / "pipe")
    with ThreadPoolExecutor(1) as writer:
        writer.submit((tmp_path / "pipe").write_bytes, gzip.compress(DATA))
        alerts, _ = fa.read_alerts(tmp_path / "pipe")

    assert alerts["rule"].tolist() == ["A rule", "B"]


def test_what_a_folder_hides_is_passed_over(tmp_path):
    """Hidden files and folders are no input; pipes and links elsewhere are refused, unopened."""
    (tmp_path / "a.jsonl").write_bytes(DATA)
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "b.jsonl").write_bytes(DATA)
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    (tmp_path / "loop").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "pipe")

    alerts, rejects = fa.read_alerts(tmp_path)

    assert len(alerts) == 2
    assert [name.rpartition("/")[2] for name in rejects["origin_file"]] == [
        "dangling",
        "loop",
        "pipe",
    ]


def test_a_file_name_that_is_no_utf_8(tmp_path):
    """It is read, under a name that can be shown."""
    path = os.fsencode(tmp_path) + b"/a\xff.jsonl"
    with open(path, "wb") as file:  # noqa: PTH123 - a Path cannot name it
        file.write(DATA)
    alerts, rejects = fa.read_alerts(tmp_path)

    assert rejects.empty
    assert alerts["origin_file"].tolist()[0].endswith("a\\xff.jsonl")
