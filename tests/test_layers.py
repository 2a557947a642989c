"""Imports point down: the line of data has one direction."""

from __future__ import annotations

import ast
import subprocess
import sys

import pytest

from .conftest import ROOT

PACKAGE = ROOT / "analysis"
# a module imports only from rows above its own, or from its own folder
LAYERS = [
    {"errors", "characters"},
    {"schema", "quoting"},
    {"intake", "flags", "lineage", "knowledge", "hidden"},
    {"features", "identity", "conversion", "verdicts", "secret"},
    {"placeholders"},
    {"redaction", "processes", "explained", "forest", "grouping", "silencing", "marks_file"},
    {"joining", "tactics", "folding", "narrowing", "tuned"},
    {"triage", "tuning", "querying", "counting"},
    {"facets"},
    {"incidents"},
    {"evidence", "overview"},
    {"findings", "gaps", "commands", "timeline", "navigator", "enrichment"},
    {"verdict"},
    {"case", "explain", "lint"},
    {"figures", "shown"},
    {"tables"},
    {"views"},
    {"report", "listing", "console", "arrangement"},
    {"tune_command", "writeup_command"},
    {"cli", "explorer"},
    {"__init__", "__main__"},
]
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}
MODULES = sorted(p.relative_to(PACKAGE) for p in PACKAGE.rglob("*.py"))


def room(path) -> str:
    """Return the layer's name of a module: its folder, or itself."""
    return path.parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_imports_point_down(path):
    """No module imports from its own layer or above, nor the facade."""
    for node in ast.walk(ast.parse((PACKAGE / path).read_text())):
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        names += [a.name for a in node.names] if isinstance(node, ast.Import) else []
        if names == ["analysis"]:
            names = [f"analysis.{alias.name}" for alias in node.names]
        for name in names:
            if name.split(".")[0] == "analysis":
                other = name.split(".")[1]
                assert other == room(path) or RANK[other] < RANK[room(path)], (
                    f"{path} imports {name}"
                )


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_modules_are_small(path):
    """One job, at most 300 lines."""
    assert len((PACKAGE / path).read_text().splitlines()) <= 300


@pytest.mark.parametrize(
    ("call", "unwanted"),
    [
        ("import analysis", {"pandas", "matplotlib", "papermill", "jinja2"}),
        (
            "import analysis; analysis.read_alerts(b'')",
            {"matplotlib", "papermill", "ipywidgets", "nbformat"},
        ),
        ("import analysis.cli", {"pandas", "papermill"}),
    ],
)
def test_heavy_libraries_wait(call, unwanted):
    """What a call does not need is not imported by it, in a fresh interpreter."""
    code = f"import sys; {call}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)

    assert not unwanted & set(done.stdout.split())
