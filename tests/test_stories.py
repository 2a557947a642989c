"""Stories of `spec/stories`: an alert of each rule, and the disposition expected of it, written first.

A TOML file is named for its event source (`syscall-stable.toml` too). A story holds `rule`, `title`, `disposition`, the alert's `fields`,
and `deciding`: fields that the reasons given for the disposition must cite.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from analysis import knowledge
from analysis.knowledge.model import PLACEHOLDER

from .conftest import case_of

FOLDER = Path(__file__).parent / "spec" / "stories"
STORIES = [
    (file.stem.split("-")[0], story)
    for file in sorted(FOLDER.glob("*.toml"))
    for story in tomllib.loads(file.read_text(encoding="utf-8"))["story"]
]


def alert_of(source: str, story: dict) -> dict:
    """Return the alert that a story tells."""
    return {
        "hostname": "node-7",
        "output": f"{story['rule']} happened",
        "output_fields": story["fields"],
        "priority": story.get("priority", "Warning"),
        "rule": story["rule"],
        "source": source,
        "tags": story.get("tags", []),
        "time": story.get("time", "2025-09-04T15:33:20.123456789Z"),
    }


def name(value: object) -> str:
    """Return what a story is called among the tests."""
    return f"{value['rule']}: {value['title']}" if isinstance(value, dict) else str(value)


def spoken(claim: str) -> re.Pattern:
    """Return what a claim looks like once an alert's values are in it."""
    return re.compile(".*".join(map(re.escape, PLACEHOLDER.split(claim)[::2])))


@pytest.mark.parametrize(("source", "story"), STORIES, ids=name)
def test_story(source, story):
    """The disposition is the expected one, for the expected reasons, by the rule's own playbook."""
    case = case_of(alert_of(source, story))

    assert [book.rule for book in case.playbooks] == [story["rule"]]
    assert case.disposition == story["disposition"], [finding.claim for finding in case.reasons]
    cited = {one.field for finding in case.reasons for one in finding.evidence}
    assert set(story["deciding"]) <= cited, [finding.claim for finding in case.reasons]


@pytest.mark.parametrize(
    "book", [b for b in knowledge.load_playbooks().values() if not b.generic], ids=lambda b: b.rule
)
def test_playbook_speaks_about_a_story(book):
    """A playbook of whose checks no story makes use has not been tried."""
    told = [(source, one) for source, one in STORIES if one["rule"] == book.rule]
    own = [spoken(check.claim) for check in book.check]
    claims = [f.claim for source, one in told for f in case_of(alert_of(source, one)).findings]

    assert told
    assert any(one.fullmatch(claim) for one in own for claim in claims)
