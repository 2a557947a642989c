"""Committed notebooks are thin, parameterised, and keep just the outputs that are compared."""

from __future__ import annotations

import ast

import nbformat
import pytest

from .conftest import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SHOWN = {
    "findings",
    "causes",
    "ancestry",
    "statements",
    "fields",
    "mitigation",
    "timeline",
    "gaps",
    "summary",
    "raw",
    "event",
    "duplicates",
    "proposal",
    "silenced",
    "hideouts",
    "incidents",
    "new",
    "noise",
    "rejects",
    "marks",
    "outside",
}
SECTIONS = [
    "Event Details",
    "Summary",
    "Analyst marks",
    "Event Details Breakdown",
    "Findings with evidence",
    "Timeline",
    "Mitigation Strategies",
    "Evidence and gaps",
]


def code_cells(path):
    """Return the code cells of a notebook."""
    return [c for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_cells_are_thin(path):
    """No definitions, no loops, at most 8 lines (parameters apart): more belongs in the package."""
    for cell in code_cells(path):
        tree = ast.parse(cell.source)

        is_parameters = "parameters" in cell.metadata.get("tags", [])
        assert is_parameters or len(cell.source.splitlines()) <= 8
        assert not [
            n
            for n in ast.walk(tree)
            if isinstance(n, ast.FunctionDef | ast.ClassDef | ast.For | ast.While)
        ]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_parameters_document_themselves(path):
    """The first code cell is tagged, and each line reads `name: type = default  # help`."""
    first = code_cells(path)[0]

    assert first.metadata["tags"] == ["parameters"]
    for line in first.source.splitlines():
        assert isinstance(ast.parse(line).body[0], ast.AnnAssign)
        assert "  # " in line


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_outputs_are_kept_where_they_are_compared(path):
    """Git holds the outputs that nbval compares, and no other."""
    for cell in code_cells(path):
        compared = "nbval-check-output" in cell.metadata.get("tags", [])

        assert bool(cell.outputs) == compared
        assert ("keep_output" in cell.metadata.get("tags", [])) == compared
        assert compared == any(f"tables.{name}(" in cell.source for name in SHOWN)


def test_report_has_its_sections():
    """The headings are those of the report that this kit replaces, and more."""
    notebook = nbformat.read(ROOT / "notebooks" / "incident_report.ipynb", as_version=4)
    headings = [
        line.removeprefix("## ")
        for cell in notebook.cells
        if cell.cell_type == "markdown"
        for line in cell.source.splitlines()
        if line.startswith("## ")
    ]

    assert headings == SECTIONS
