"""Ancestry inside one alert: levels, facets, gaps."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.lineage import ancestry, field_level


def names(fields: dict) -> list[object]:
    """Return the chain as names, `None` for a gap."""
    chain = ancestry(fields)
    return [None if gap else name for name, gap in zip(chain["name"], chain["gap"], strict=True)]


def test_chain_of_the_sample(memfd):
    """3 is the process, event-generator its parent, containerd-shim its grandparent."""
    chain = ancestry(memfd["output_fields"])

    assert chain["name"].tolist() == ["3", "event-generator", "containerd-shim"]
    assert chain["relation"].tolist() == ["process", "parent", "grandparent"]
    assert chain["cmdline"][0] == "3 run helper.DoNothing"
    assert chain["pid"].isna().all()
    assert chain["fields"][2] == ("proc.aname[2]",)


def test_gap_is_a_gap():
    """A level that the alert says nothing of is shown, not skipped."""
    assert names({"proc.name": "a", "proc.aname[3]": "d"}) == ["a", None, None, "d"]


@pytest.mark.parametrize("nothing", [None, "<NA>", ""])
def test_no_value_is_no_ancestor(nothing):
    """null, `<NA>` and empty end the chain alike."""
    assert names({"proc.name": "a", "proc.pname": "b", "proc.aname[2]": nothing}) == ["a", "b"]


def test_all_facets():
    """Path, argv[0], command line and pid of a level come together in its row."""
    chain = ancestry(
        {
            "proc.pname": "sh",
            "proc.pexepath": "/bin/dash",
            "proc.pexe": "sh",
            "proc.pcmdline": "sh -c x",
            "proc.ppid": 41,
            "proc.aexepath[2]": "/usr/sbin/nginx",
            "proc.apid[2]": 7,
        }
    )

    assert chain["exepath"].tolist()[1:] == ["/bin/dash", "/usr/sbin/nginx"]
    assert chain["pid"].tolist()[1:] == [41, 7]
    assert chain["cmdline"][1] == "sh -c x"


def test_forged_kinds_are_no_values():
    """A pid of -1 marks a faked entry; a number is no name."""
    chain = ancestry({"proc.name": 5, "proc.pid": -1, "proc.ppid": "12", "proc.pname": "b"})

    assert chain["gap"].tolist() == [True, False]
    assert chain["pid"].isna().all()


def test_no_process_at_all():
    """An alert of another source gives an empty chain."""
    assert ancestry({"ka.verb": "create"}).empty


@pytest.mark.parametrize(
    ("field", "level"),
    [
        ("proc.aname[2]", (2, "name")),
        ("proc.aname_2", (2, "name")),
        ("proc_aname[2]", (2, "name")),
        ("proc.acmdline[10]", (10, "cmdline")),
        ("proc.aname", None),
        ("proc.aenv[HOME]", None),
        ("proc.sname", None),
        ("fd.name", None),
    ],
)
def test_field_names(field, level):
    """Falco's spelling and falcosidekick's; the joined form is not split."""
    assert field_level(field) == level


@given(st.dictionaries(st.integers(0, 12), st.text(min_size=1), max_size=6))
def test_levels_are_whole(chain):
    """Every level up to the highest is there once, and is a gap unless it was given."""
    rows = ancestry(
        {f"proc.aname[{level}]": name for level, name in chain.items() if name != "<NA>"}
    )
    given_levels = [level for level, name in chain.items() if name != "<NA>"]

    assert rows["level"].tolist() == list(range(max(given_levels, default=-1) + 1))
    assert rows[~rows["gap"]]["level"].tolist() == sorted(given_levels)
