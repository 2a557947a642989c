"""Figures say what their data say: compared by their words, not by pixels."""

from __future__ import annotations

import pytest
from matplotlib.patches import FancyBboxPatch

import analysis as fa
from analysis import figures
from analysis.errors import AlertSchemaError

from .conftest import case_of, story


def words(picture: figures.Picture) -> list[str]:
    """Return the texts drawn, from top to bottom."""
    (axes,) = picture.figure.axes
    return [text.get_text() for text in axes.texts if text.get_text()]


def test_lineage_from_the_oldest_down(memfd):
    """One box a level; the process itself at the bottom; the runtime marked as the boundary."""
    picture = figures.lineage(case_of(memfd).lineage)
    shown = words(picture)

    order = [shown.index(name) for name in ("containerd-shim", "event-generator", "3")]
    assert order == sorted(order)
    assert "container runtime: container below, host above" in shown
    assert picture.alt == (
        "Process lineage, from the process up: process 3, parent event-generator, "
        "grandparent containerd-shim"
    )


def test_gap_is_drawn_as_a_gap():
    """An unknown level has a dashed, empty box and says that the alert does not tell."""
    picture = figures.lineage(fa.ancestry({"proc.name": "a", "proc.aname[2]": "c"}))
    boxes = [p for p in picture.figure.axes[0].patches if isinstance(p, FancyBboxPatch)]

    assert "not in this alert" in words(picture)
    assert [box.get_linestyle() for box in boxes].count("--") == 1


def test_timeline_in_order_with_the_time_between(memfd):
    """Moments from top to bottom, and how much later each came."""
    picture = figures.timeline(case_of(memfd).timeline)

    assert "14.6 s later" in words(picture)
    assert "container's first process started" in words(picture)
    assert picture.alt.startswith("Timeline: 2024-10-05 16:08:13 UTC container's first process")


def test_same_data_same_bytes(memfd):
    """A picture can be compared and reproduced."""
    chain = case_of(memfd).lineage

    assert figures.lineage(chain).svg() == figures.lineage(chain).svg()


def test_alert_text_is_text(memfd):
    """No mathematics, no markup, nothing hidden; scripts that the font lacks stay text."""
    hostile = story(
        memfd, **{"proc.pname": "$\\frac{1}{0}$<b>\u202e", "proc.cmdline": "日本語 $x$"}
    )
    svg = figures.lineage(case_of(hostile).lineage).svg()

    assert "$\\frac{1}{0}$&lt;b&gt;⟨U+202E⟩" in svg
    assert "日本語 $x$" in svg
    assert "<b>" not in svg


def test_nothing_to_draw():
    """An alert without process gives an empty picture that says so."""
    picture = figures.lineage(fa.ancestry({"ka.verb": "get"}))

    assert picture.alt == "No process known."
    assert picture.svg().lstrip().startswith("<svg ")


def test_wrong_frame_is_named(memfd):
    """A frame without the columns is an error that names them."""
    with pytest.raises(AlertSchemaError, match=r"figures\.lineage\(\) needs columns"):
        figures.lineage(case_of(memfd).timeline)
