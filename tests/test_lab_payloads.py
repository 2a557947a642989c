"""Hostile text in JupyterLab: frames, tables, figures and the desk show it, and it stays text.

A notebook over alerts whose rules, programs, users and marks are payloads (see `payloads`), an
incident per class. MathJax is at work there, which a formula of the notebook's own shows.
"""

from __future__ import annotations

import json
import re

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from analysis.quoting import visible
from analysis.views import VIEWS

from .conftest import lines
from .payloads import CLASSES, PAYLOADS, hostile, one_incident
from .test_browser import browser, pytestmark  # noqa: F401 - the same Chromium, the same marks
from .test_desk_browser import desk, run_all  # noqa: F401 - the same JupyterLab

CELLS = {
    "load": """
import pandas as pd
from IPython.display import Latex
import analysis as fa
from analysis import explorer, facets, figures, overview, tables
pd.set_option("display.max_rows", 500, "display.max_colwidth", None)
alerts, rejects = fa.read_alerts("../data/hostile.jsonl")
alerts, incidents, links = fa.correlate(alerts)
own = alerts[alerts["hostname"].isin(HOSTS)]["incident_id"].unique()
cases = [fa.investigate(alerts, incident_id=one) for one in own]
""",
    "frame": 'alerts[["rule", "proc.cmdline"]]',
    "wide frame": "alerts.head()",
    "style": 'alerts[["rule", "proc.cmdline"]].style',
    "frames": 'display(incidents, links.head(50), alerts["rule"].value_counts().to_frame(), rejects)',
    "tables": """
for case in cases:
    display(tables.event(case), tables.summary(case), tables.playbook(case), tables.findings(case))
    display(tables.mitigation(case), tables.timeline(case), tables.duplicates(case.folded))
    display(tables.statements(case, "process"), tables.fields(case, "process"), tables.raw(case))
display(tables.rejects(rejects), tables.incidents(facets.queue(alerts, incidents)))
display(tables.noise(overview.noise(alerts)), tables.chosen(alerts, ["proc.name"]))
""",
    "figures": """
display(figures.process_tree(cases[0].processes), figures.activity(cases[0].alerts))
display(figures.bars(overview.top(alerts, "rule"), alerts["rule"].iloc[0]))
""",
    "formula": 'Latex("$x^2$")',
    "desk": 'explorer.Desk(alerts, store="marks.sqlite", by=alerts["rule"].iloc[0])',
}

LOOKED_AT = ("mathematics", "markdown", "mutation")
"""The classes whose incidents are looked at one by one: what a notebook could take for its own."""
HOSTS = [f"worker-{at}" for at, name in enumerate(CLASSES) if name in LOOKED_AT]
FORMULAS = CLASSES["mathematics"]["payloads"]


@pytest.fixture
def opened(desk, browser, shell, tmp_path):  # noqa: F811 - fixtures
    """The notebook, run, and what its page did that no notebook of ours does."""
    incidents = [
        one_incident(shell, known["payloads"], at) for at, known in enumerate(CLASSES.values())
    ]
    rejects = "".join(json.dumps([one]) + "\n" for one in PAYLOADS).encode()
    alerts = [*(one for incident in incidents for one in incident), hostile(0)]
    (tmp_path / "data" / "hostile.jsonl").write_bytes(lines(*alerts) + rejects)
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    cells = [new_code_cell(one.strip().replace("HOSTS", f"{HOSTS}")) for one in CELLS.values()]
    notebook = new_notebook(cells=cells, metadata={"kernelspec": kernel})
    nbformat.write(notebook, tmp_path / "notebooks" / "hostile.ipynb")
    # every output is in the page, whether it is in sight or not
    settings = tmp_path / "CONFIG" / "lab" / "user-settings" / "@jupyterlab" / "notebook-extension"
    settings.mkdir(parents=True)
    (settings / "tracker.jupyterlab-settings").write_text('{"windowingMode": "none"}')
    page = browser.new_page(viewport={"width": 1500, "height": 1400})
    page.did = []
    page.expose_function("canary", lambda *_: page.did.append("a script ran"))
    page.on("request", lambda one: page.did.append(one.url))
    page.on("pageerror", lambda one: page.did.append(f"error: {one}"))
    page.on("popup", lambda one: page.did.append(f"opened {one.url}"))
    page.on("dialog", lambda one: (page.did.append(f"dialog: {one.message}"), one.dismiss()))
    run_all(page, desk, "hostile.ipynb", 150_000)
    yield page
    page.close()


def test_notebook_and_desk(opened, desk):  # noqa: F811 - a fixture
    """Nothing runs, nothing is typeset, nothing is asked of anybody else; all can be read."""
    outputs = {
        name: opened.locator(f".jp-CodeCell >> nth={at} >> .jp-OutputArea")
        for at, name in enumerate(CELLS)
    }
    outputs["formula"].locator("mjx-container").wait_for(state="attached")
    shown = outputs["tables"].locator("td").all_inner_texts()
    looked_at = [visible(one) for name in LOOKED_AT for one in CLASSES[name]["payloads"]]
    assert [one for one in looked_at if not any(one in text for text in shown)] == []
    plain = {" ".join(one.split()) for one in PAYLOADS if visible(one) == one}
    for name in ("frame", "style"):
        cells = outputs[name].locator("td").all_text_contents()
        assert plain <= {" ".join(one.split()) for one in cells}
    assert outputs["figures"].locator("img").count() == 3

    use(opened, outputs["desk"])

    assert opened.locator("mjx-container").count() == 1
    assert [one for one in opened.did if not one.startswith((desk, "data:", "blob:"))] == []


def use(page, desk) -> None:  # noqa: F811 - a part of the page
    """Do with the desk what an analyst does, payloads at every step."""
    facet = desk.locator("select[multiple]").first
    incidents = desk.locator("select[size]:not([multiple])").first
    assert incidents.locator("option").count() == len(CLASSES) + 1
    # ipywidgets writes a blank as one that is kept
    labels = [one.replace("\xa0", " ") for one in facet.locator("option").all_text_contents()]
    known = [f"{visible(one, longest=60)} (1)" for one in PAYLOADS]
    assert len(set(known) & set(labels)) >= 45
    query = desk.get_by_placeholder("words, proc.exepath")
    every = f"of {len(PAYLOADS) + 1} alerts"
    for words, said in (
        ("<svg onload=canary()>", "Not done: no alert here has a field 'onload'"),
        (FORMULAS[0], f"2 {every} in 2 incidents."),
    ):
        query.fill(words)
        query.press("Enter")
        desk.get_by_text(said).wait_for(timeout=90_000)
    desk.locator("button:text-is('Clear')").click()
    desk.get_by_text(f"{len(PAYLOADS) + 1} {every}").wait_for(timeout=90_000)
    listed = incidents.locator("option").all_text_contents()
    incidents.select_option(index=next(at for at, one in enumerate(listed) if FORMULAS[0] in one))
    said = desk.locator("p:visible", has_text=re.compile("^(Marked|Not done)"))
    desk.locator(".casebook:visible", has_text="Proposed disposition").wait_for(timeout=90_000)
    for name in VIEWS[:-1]:
        page.locator(f".lm-TabBar-tabLabel:text-is('{name}')").click()
        desk.locator(".casebook:visible, svg:visible").first.wait_for(timeout=90_000)
    desk.get_by_placeholder("why").fill(" ".join(FORMULAS))
    page.locator("button:text-is('escalate')").click()
    page.locator("button:text-is('Mark')").click()
    said.wait_for(timeout=90_000)
    assert said.inner_text() == f"Marked escalate: {len(FORMULAS)} alerts of the incident."
    page.locator(f".lm-TabBar-tabLabel:text-is('{VIEWS[-1]}')").click()
    desk.locator("td:visible", has_text=FORMULAS[0]).first.wait_for(timeout=90_000)
