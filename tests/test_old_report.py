"""The report that this kit replaces was wrong in six ways; each is a test on ours.

It took an alert of Falco's own test tool and told a story. Here the same alert, rebuilt in
data/, goes through the command that a user runs, and what the page says is read back.
"""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

RULE = "Fileless execution via memfd_create"


class Text(HTMLParser):
    """Collect what a reader sees of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def handle_data(self, data: str) -> None:
        """Keep each text."""
        self.seen.append(data)


@pytest.fixture(scope="module")
def page(folders: dict[str, Path]) -> str:
    """The sample's report.html as text, on one line."""
    parser = Text()
    parser.feed((folders[RULE] / "report.html").read_text())
    return re.sub(r"\s+", " ", " ".join(parser.seen))


@pytest.fixture(scope="module")
def document(folders: dict[str, Path]) -> dict:
    """The sample's report.json."""
    return json.loads((folders[RULE] / "report.json").read_text())


def test_a_name_is_no_process_id(page, document):
    """`3` is proc.name: the program was executed through file descriptor 3. There is no pid."""
    assert "'3' is the program's name, not a process id" in page
    assert "process ID is 3" not in page
    assert document["lineage"][0] | {"name": "3", "pid": None} == document["lineage"][0]
    (gap,) = [gap for gap in document["gaps"] if gap["field"] == "proc.pid"]
    assert "extra_fields:\n      - proc.pid" in gap["how_to_get_it"]


def test_containerd_shim_is_the_grandparent(page, document):
    """proc.aname[2] is the grandparent; the parent is event-generator."""
    named = {row["relation"]: row["name"] for row in document["lineage"]}

    assert named == {"process": "3", "parent": "event-generator", "grandparent": "containerd-shim"}
    assert "parent event-generator, grandparent containerd-shim" in page
    assert "same ID" not in page


def test_flags_are_of_the_executable(page):
    """Writable by the user who ran it, image in a memfd; no privilege, no file access."""
    assert "The program's image lay in a memfd" in page
    assert "the user running the program could have changed its file" in page
    assert "It grants no privilege" in page
    assert "elevated" not in page
    assert "File System Access" not in page


def test_no_container_was_created(page):
    """The alert says no such thing; container.start_ts says how long the container had been up."""
    assert "The container's first process had started 14.6 s before this happened" in page
    assert "It does not say that a container was created" in page


def test_it_is_the_test_tool(page, document):
    """The point: consistent with a simulation, with evidence, to be confirmed; steps all the same."""
    assert document["disposition"] == "simulation"
    assert "Consistent with a Falco event-generator simulation" in page
    assert "confirm with whoever ran it" in page
    (lead,) = [f for f in document["findings"] if f["leads_to"] == "simulation"]
    assert {e["field"] for e in lead["evidence"]} >= {"proc.pname", "proc.cmdline", "proc.exepath"}
    phases = [command["phase"] for command in document["commands"]]
    assert {"preserve", "investigate", "contain", "eradicate"} <= set(phases)
    assert phases == sorted(
        phases,
        key=["preserve", "investigate", "contain", "eradicate", "recover", "harden", "tune"].index,
    )


def test_commands_are_real(page, document):
    """None of the old report's inventions; each command is filled in for this alert."""
    for invented in ("auditctl enable", "auditlog", "openvas"):
        assert invented not in page
    texts = [command["text"] for command in document["commands"]]
    assert "docker pause dca990c78804" in texts
    assert not [text for text in texts if re.search(r"\{[a-z]+\.[a-z.]+\}|<[a-z_ ]+>", text)]
