"""The same alerts give the same report, byte for byte, on whatever machine and by however many hands."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from .conftest import lines, sample, story

if TYPE_CHECKING:
    from pathlib import Path

# of a manifest, what is of the run: README says so
OF_THE_RUN = ("made_at", "seconds")
MACHINES = [
    {"workers": "1", "PYTHONHASHSEED": "1", "TZ": "UTC", "LC_ALL": "C.UTF-8"},
    {"workers": "3", "PYTHONHASHSEED": "4711", "TZ": "Asia/Kathmandu", "LC_ALL": "C"},
]


def contents(out: Path) -> dict[str, bytes | dict]:
    """Return every file of a folder of reports; manifests without what is of the run."""
    found: dict[str, bytes | dict] = {}
    for file in sorted(path for path in out.rglob("*") if path.is_file()):
        name = str(file.relative_to(out))
        content = file.read_bytes()
        if file.name != "manifest.json":
            found[name] = content
            continue
        made = {key: value for key, value in json.loads(content).items() if key not in OF_THE_RUN}
        # the folder's manifest has the digests of manifests that hold times
        made["outputs"] = {
            key: value
            for key, value in made["outputs"].items()
            if not key.endswith("/manifest.json")
        }
        found[name] = made
    return found


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    """A file of many kinds: several incidents, repetitions, an umlaut, a secret, and no alerts."""
    shell = sample("terminal_shell_in_container.jsonl")
    told = [
        story(shell, **{"container.id": f"{n:012x}", "k8s.pod.name": f"zürich-{n}"})
        for n in range(2)
    ]
    told += [story(told[0], **{"proc.cmdline": "mysql --password=hunter2"})] * 2
    told.append(sample("fileless_execution.jsonl"))
    file = tmp_path_factory.mktemp("source") / "alerts.jsonl"
    file.write_bytes(lines(*told) + b"no alert\n")
    return file


def test_same_alerts_same_bytes_anywhere(source, tmp_path):
    """Hash seed, time zone, locale, workers, folders and the order of work leave no trace."""
    made = []
    for number, machine in enumerate(MACHINES):
        settings = dict(machine)
        here = tmp_path / f"place-{number}"
        here.mkdir()
        command = [sys.executable, "-m", "analysis", "report", source, "--out", here / "reports"]
        command += ["--workers", settings.pop("workers")]
        environment = os.environ | settings
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
        subprocess.run(command, cwd=here, env=environment, check=True, capture_output=True)
        made.append(contents(here / "reports"))

    one, other = made
    assert len(one) == 2 + 5 * 3
    assert other.keys() == one.keys()
    for name in other:
        assert other[name] == one[name], name


def test_documents_for_machines_are_plain_ascii(source, tmp_path):
    """What a terminal obeys, or an eye misses, reaches neither by `cat`: it is escaped in JSON."""
    shell = json.loads(source.read_text().splitlines()[0])
    text = "bash \x1b]0;x\x07 \u202egpj.exe \u200b"
    hidden = story(shell, **{"proc.cmdline": text})
    command = [sys.executable, "-m", "analysis", "report", "-", "--out", tmp_path / "reports"]
    subprocess.run(command, input=lines(hidden), check=True, capture_output=True)

    for file in (tmp_path / "reports").rglob("*.json"):
        content = file.read_text(encoding="ascii")
        assert content.replace("\n", "").isprintable(), file
    (document,) = (tmp_path / "reports").glob("inc-*/report.json")
    assert json.loads(document.read_text())["lineage"][0]["cmdline"] == text
