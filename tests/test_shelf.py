"""Shelves and manifests: files are whole or not there, and a change is found."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from analysis.report import manifest
from analysis.report.manifest import MANIFEST
from analysis.report.shelf import Shelf


@pytest.fixture(params=["local", "memory"])
def shelf(request, tmp_path):
    """A shelf of either kind."""
    made = Shelf(tmp_path / "out" if request.param == "local" else f"memory://{tmp_path}")
    made.open()
    return made


def place(shelf: Shelf, name: str, files: dict[str, bytes]) -> None:
    """File a report that is made of these files."""
    with shelf.making() as folder:
        for file, content in files.items():
            (folder / file).write_bytes(content)
        made = manifest.manifest(files, "completed", {"key": "k"}, {})
        (folder / MANIFEST).write_bytes(manifest.as_text(made))
        shelf.place(folder, name)


def whole(shelf: Shelf, *names: str) -> None:
    """Write the folder's own manifest, over these reports."""
    files = {f"{name}/{MANIFEST}": shelf.read(f"{name}/{MANIFEST}") for name in names}
    shelf.write(MANIFEST, manifest.as_text(manifest.manifest(files, "completed", {}, {})))


def test_a_report_is_placed_whole(shelf):
    """What was made stands under its name, with nothing left in the making."""
    place(shelf, "inc-1", {"a": b"1", "b": b"2"})

    assert shelf.names("") == ["inc-1"]
    assert shelf.names("inc-1") == ["a", "b", MANIFEST]
    assert shelf.read("inc-1/a") == b"1"
    assert shelf.read("inc-1/none") is None
    assert shelf.read("none/none") is None
    assert manifest.is_whole(shelf, "inc-1", manifest.read(shelf, "inc-1"))


def test_a_report_is_replaced_whole(shelf):
    """No file of the former one stays among those of the new."""
    place(shelf, "inc-1", {"a": b"1", "error.txt": b"e"})
    place(shelf, "inc-1", {"a": b"2"})

    assert shelf.names("inc-1") == ["a", MANIFEST]
    assert shelf.read("inc-1/a") == b"2"
    assert shelf.names("") == ["inc-1"]


def test_what_fails_in_the_making_leaves_nothing(shelf):
    """An exception while a report is made: no folder, no part of one."""

    def fail() -> None:
        with shelf.making() as folder:
            (folder / "a").write_bytes(b"1")
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        fail()

    assert shelf.names("") == []


def test_what_a_dead_run_left_is_cleared(tmp_path):
    """A killed run's parts are gone at the next run's start; a living one's stay."""
    code = (
        "import os, sys; from analysis.report.shelf import Shelf; s = Shelf(sys.argv[1]); s.open()\n"
        "with s.making() as f:\n    (f / 'a').write_bytes(b'1'); print(f, flush=True); os._exit(9)"
    )
    out = tmp_path / "out"
    done = subprocess.run(
        [sys.executable, "-c", code, str(out)], capture_output=True, text=True, check=False
    )
    assert Path(done.stdout.strip()).exists()
    shelf = Shelf(out)
    with shelf.making() as mine:
        Shelf(out).open()
        assert mine.exists()
    assert list(out.iterdir()) == []


def test_files_may_be_read_by_others(tmp_path):
    """A report is made in a private folder, and filed with the rights that the user's umask gives."""
    shelf = Shelf(tmp_path / "out")
    shelf.open()
    place(shelf, "inc-1", {"a": b"1"})
    shelf.write("index.html", b"x")

    plain = tmp_path / "plain"
    plain.write_bytes(b"")
    wanted = stat.S_IMODE(plain.stat().st_mode)
    assert stat.S_IMODE((tmp_path / "out" / "index.html").stat().st_mode) == wanted
    assert stat.S_IMODE((tmp_path / "out" / "inc-1").stat().st_mode) & 0o055 == 0o055 & ~_mask()


def _mask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_nothing_changed(shelf):
    """Every file is looked at."""
    place(shelf, "inc-1", {"a": b"1", "b": b"2"})
    place(shelf, "inc-2", {"a": b"3"})
    whole(shelf, "inc-1", "inc-2")

    assert manifest.verify(shelf) == (5, [])


@pytest.mark.parametrize(
    ("do", "said"),
    [
        (lambda s: s.write("inc-1/a", b"x"), "inc-1/a: was changed"),
        (lambda s: s.write("inc-1/new", b"x"), "inc-1/new: is in no manifest"),
        (lambda s: s.write(f"inc-1/{MANIFEST}", b"{}"), f"inc-1/{MANIFEST}: was changed"),
        (lambda s: s.write(f"inc-1/{MANIFEST}", b"{"), f"inc-1/{MANIFEST}: there is none, or"),
        (lambda s: s.write(MANIFEST, b"["), f"{MANIFEST}: there is none, or"),
        (lambda s: place(s, "inc-3", {"a": b"1"}), "inc-3: is in no manifest"),
        (lambda s: place(s, "inc-1", {"a": b"x"}), f"inc-1/{MANIFEST}: was changed"),
    ],
)
def test_a_change_is_found(shelf, do, said):
    """A file changed, added, or taken over with its own manifest."""
    place(shelf, "inc-1", {"a": b"1", "b": b"2"})
    whole(shelf, "inc-1")

    do(shelf)

    assert any(str(change).startswith(said) for change in manifest.verify(shelf)[1])


def test_a_missing_file_is_found(tmp_path):
    """A file taken away."""
    shelf = Shelf(tmp_path)
    place(shelf, "inc-1", {"a": b"1"})
    whole(shelf, "inc-1")
    (tmp_path / "inc-1" / "a").unlink()

    assert [str(c) for c in manifest.verify(shelf)[1]] == ["inc-1/a: is missing"]


def test_no_reports_here(tmp_path):
    """A folder that is none of ours is said to be none."""
    assert manifest.verify(Shelf(tmp_path / "none"))[1]


def test_key_is_of_all_that_decides():
    """Evidence, notebook, parameters: another of any gives another key."""
    base = manifest.key({"a": "1"}, "n", {"gap": "15min"})
    others = {
        manifest.key({"a": "2"}, "n", {"gap": "15min"}),
        manifest.key({"a": "1"}, "m", {"gap": "15min"}),
        manifest.key({"a": "1"}, "n", {"gap": "10min"}),
    }

    assert base == manifest.key({"a": "1"}, "n", {"gap": "15min"})
    assert len({base, *others}) == 4
