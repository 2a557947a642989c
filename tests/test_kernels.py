"""Warm kernels: the notebook that an ordinary kernel would leave, in a process of its own."""

from __future__ import annotations

import json
import os
import re
import time
import warnings
from contextlib import suppress
from pathlib import Path
from tempfile import mkdtemp

import nbformat
import papermill
import pytest
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from papermill.engines import papermill_engines
from papermill.exceptions import PapermillExecutionError

from analysis.report import engine, kernels

from .conftest import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def notebook(*cells: str, tags: dict[int, list[str]] | None = None) -> nbformat.NotebookNode:
    """Return a notebook of code cells."""
    made = nbformat.v4.new_notebook()
    made.metadata["kernelspec"] = {"name": "python3", "language": "python", "display_name": "P"}
    made.cells = [nbformat.v4.new_code_cell(source) for source in cells]
    for index, names in (tags or {}).items():
        made.cells[index].metadata["tags"] = names
    return made


def execute(made, tmp_path: Path, engine: str = kernels.ENGINE, **options) -> nbformat.NotebookNode:
    """Return the notebook as papermill leaves it."""
    source, target = tmp_path / "in.ipynb", tmp_path / "out.ipynb"
    if not isinstance(made, Path):
        nbformat.write(made, source)
        made = source
    with suppress(PapermillExecutionError):
        papermill.execute_notebook(
            made, target, engine_name=engine, cwd=made.parent, progress_bar=False, **options
        )
    return nbformat.read(target, as_version=4)


def bare(executed: nbformat.NotebookNode) -> dict:
    """Return a notebook without what differs from run to run: times, and ids that papermill draws."""
    made = json.loads(json.dumps(executed))
    made["metadata"].pop("papermill")
    for cell in made["cells"]:
        cell.pop("id")
        for key in ("papermill", "execution"):
            cell["metadata"].pop(key, None)
    text = json.dumps(made)
    # addresses and the folder of compiled cells
    return json.loads(re.sub(r"0x[0-9a-f]{6,}|ipykernel_\d+/\d+\.py", "?", text))


def without_ids(made: dict) -> dict:
    """Return a notebook without the ids that widgets draw for their models."""
    made["metadata"].pop("widgets", None)
    return json.loads(re.sub(r"[0-9a-f]{32}", "id", json.dumps(made)))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_committed_notebooks_come_out_the_same(path, tmp_path):
    """Law: outputs, counts, metadata are those of papermill's own engine, byte for byte."""
    warm = execute(path, tmp_path)
    cold = execute(path, tmp_path, engine="nbclient", config=engine.link(mkdtemp()))

    assert without_ids(bare(warm)) == without_ids(bare(cold))


EVERYDAY = (
    *("1 + 1", "print('a')\n2", "x = 3", "", "x"),
    "import sys\nprint('out')\nprint('err', file=sys.stderr)\nprint('more')",
    "from IPython.display import HTML, clear_output, display\nh = display(HTML('a'), display_id='i')",
    *("h.update(HTML('b'))", "print(1)\nclear_output()\nprint(2)"),
    *(
        "import asyncio\nawait asyncio.sleep(0)\n'awaited'",
        "%%capture said\nprint('x')",
        "said.stdout",
    ),
    "class A:\n    def _repr_html_(self):\n        return '<i>a</i>'\nA()",
    *("_", "In[1], Out[1]", "__name__", "!echo out of a shell"),
    "import ipywidgets\nipywidgets.IntSlider(value=3)",
)


@pytest.mark.parametrize(
    "made",
    [
        notebook(*EVERYDAY),
        notebook("1 / 0", "print('never')"),
        notebook("print('before')\nraise ValueError('$x$ <b>')"),
        notebook("def f():\n    return g()\ndef g():\n    return {}['k']", "f()"),
        notebook("x = (", "1"),
        notebook(
            "1 / 0", "'after'", "2", "3", tags={0: ["raises-exception"], 2: ["skip-execution"]}
        ),
        notebook("import sys\nsys.exit(0)"),
        notebook("input('who? ')"),
    ],
    ids=lambda made: made.cells[0].source[:30],
)
def test_any_notebook_comes_out_the_same(made, tmp_path):
    """Law: results, streams, errors, widgets, tags: as an ordinary kernel leaves them."""
    warm = bare(execute(made, tmp_path))
    cold = bare(execute(made, tmp_path, engine="nbclient", config=engine.link(mkdtemp())))

    assert without_ids(warm) == without_ids(cold)


def test_widget_state_is_kept(tmp_path):
    """A widget's state is in the notebook, so that a page can show it."""
    made = execute(notebook("import ipywidgets\nipywidgets.IntSlider(value=3)"), tmp_path)

    states = made.metadata.widgets["application/vnd.jupyter.widget-state+json"]["state"].values()
    assert any(one["state"].get("value") == 3 for one in states)


def test_nothing_reaches_the_next_notebook(tmp_path):
    """A name, a module's state, an environment variable, a folder: gone with the notebook."""
    spoil = """
import os, sys, builtins, pandas, analysis
builtins.left = pandas.left = analysis.left = os.environ["LEFT"] = "behind"
sys.path.insert(0, "/left"); os.chdir("/")
"""
    look = """
import os, sys, builtins, pandas, analysis
[hasattr(m, "left") for m in (builtins, pandas, analysis)], os.environ.get("LEFT"), "/left" in sys.path, os.getcwd() == "/"
"""
    execute(notebook(spoil), tmp_path)
    made = execute(notebook(look), tmp_path)

    assert (
        made.cells[0].outputs[0].data["text/plain"] == "([False, False, False], None, False, False)"
    )


def test_each_notebook_has_a_process(tmp_path):
    """Two notebooks never share one, and neither runs in this one."""
    pids = [
        int(
            execute(notebook("import os\nos.getpid()"), tmp_path)
            .cells[0]
            .outputs[0]
            .data["text/plain"]
        )
        for _ in range(2)
    ]

    assert len({*pids, os.getpid()}) == 3


def alive(pid: int) -> bool:
    """Return whether a process runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


SLEEPER = """
import subprocess
child = subprocess.Popen(["sleep", "600"])
print(child.pid, flush=True)
open("pid", "w").write(str(child.pid))
import time; time.sleep(600)
"""


@pytest.mark.parametrize("option", ["report_timeout", "execution_timeout"])
def test_a_notebook_out_of_time_is_killed_with_what_it_started(option, tmp_path):
    """The whole report has a time, not each cell alone; its processes go with it."""
    start = time.monotonic()

    with pytest.raises(CellTimeoutError):
        execute(notebook("1", SLEEPER), tmp_path, **{option: 3})

    assert time.monotonic() - start < 30
    time.sleep(0.2)
    assert not alive(int((tmp_path / "pid").read_text()))


def test_a_whole_report_s_time_counts_all_cells(tmp_path):
    """Many short cells are as long as one."""
    cells = ["import time", *["time.sleep(1)"] * 8]

    with pytest.raises(CellTimeoutError):
        execute(notebook(*cells), tmp_path, report_timeout=3)


def test_a_process_left_behind_ends_with_its_notebook(tmp_path):
    """What a cell starts in the background is no part of the report's result."""
    execute(notebook(SLEEPER.replace("import time; time.sleep(600)", "")), tmp_path)

    time.sleep(0.2)
    assert not alive(int((tmp_path / "pid").read_text()))


def test_a_killed_child_is_said(tmp_path):
    """Out of memory, say: an error, not a hang; the next notebook runs."""
    with pytest.raises(DeadKernelError):
        execute(notebook("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)"), tmp_path)

    assert execute(notebook("1"), tmp_path).cells[0].outputs


def test_a_killed_server_is_started_again(tmp_path):
    """The fork server can die, too."""
    first = execute(notebook("import os\nos.getppid()"), tmp_path)
    os.kill(int(first.cells[0].outputs[0].data["text/plain"]), 9)
    time.sleep(0.3)

    assert execute(notebook("1 + 1"), tmp_path).cells[0].outputs


def test_without_fork_ordinary_kernels_do_it(tmp_path, monkeypatch):
    """It says so, and the notebook is the same."""
    monkeypatch.setattr(kernels, "forks", lambda: False)

    with pytest.warns(UserWarning, match="no fork on this system"):
        made = execute(notebook("1 + 1"), tmp_path)

    assert made.cells[0].outputs[0].data["text/plain"] == "2"


def test_papermill_s_own_command_has_the_engine():
    """`papermill --engine falco-casebook` works for whoever installs the kit."""
    assert papermill_engines.get_engine(kernels.ENGINE) is engine.WarmEngine


def names_of(namespace: dict) -> list[str]:
    """Return what a notebook has bound: used by the test below, inside the notebook's process."""
    return sorted(name for name in namespace if name in ("first", "second"))


def test_what_is_wanted_of_a_notebook_s_names(tmp_path):
    """Values come back without a file; none if a cell fails."""
    wanted = kernels.Harvest("tests.test_kernels:names_of")
    execute(notebook("first = 1", "second = first"), tmp_path, harvest=wanted)
    assert wanted.value == ["first", "second"]

    wanted = kernels.Harvest("tests.test_kernels:names_of")
    execute(notebook("first = 1", "1 / 0"), tmp_path, harvest=wanted)
    assert wanted.value is None


@pytest.mark.parametrize("forks", [True, False])
def test_a_notebook_s_folder_is_its_own(tmp_path, monkeypatch, forks):
    """Many run at a time: the folder of one is not the process's."""
    monkeypatch.setattr(kernels, "forks", lambda: forks)
    (tmp_path / "there").mkdir()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = execute(
            notebook("import os\nprint(os.getcwd())"), tmp_path, folder=str(tmp_path / "there")
        )

    assert made.cells[0].outputs[0].text.strip() == str(tmp_path / "there")
