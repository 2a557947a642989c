"""The desk in JupyterLab: choose a facet, open an incident, mark it, make its report, write it up."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from .benchmarks.desk import lab
from .conftest import ROOT, SAMPLES
from .test_browser import browser, pytestmark  # noqa: F401 - the same Chromium, the same marks

if TYPE_CHECKING:
    from pathlib import Path

RULE = "Terminal shell in container"


@pytest.fixture
def desk(tmp_path):
    """A JupyterLab over copies of the notebook and the samples; its address."""
    (tmp_path / "notebooks").mkdir()
    shutil.copy(ROOT / "notebooks" / "explore.ipynb", tmp_path / "notebooks")
    shutil.copytree(SAMPLES, tmp_path / "data" / "alerts")
    with lab(tmp_path) as address:
        yield address


def run_all(page, address: str, name: str = "explore.ipynb", timeout: float = 20_000) -> None:
    """Open a notebook that shows a desk and run all of it."""
    page.goto(f"{address}/lab/tree/notebooks/{name}?reset")
    page.locator(".jp-Notebook").wait_for(timeout=60_000)
    page.get_by_text("| Idle").first.wait_for(timeout=15_000)
    page.locator(".lm-MenuBar-itemLabel:text-is('Run')").click()
    page.locator(".lm-Menu-itemLabel:text-is('Run All Cells')").click()
    page.locator(".jp-OutputArea-output select").first.wait_for(timeout=timeout)


def test_a_mark_is_there_after_a_reload(desk, browser):  # noqa: F811 - a fixture
    """Facet, incident, tree, mark, report, opened; then the page anew, and the mark is in the list."""
    page = browser.new_page(viewport={"width": 1500, "height": 1400})
    run_all(page, desk)
    page.locator("select[multiple]").first.select_option(label=f"{RULE} (1)")
    page.get_by_text("1 of 3 alerts in 1 incident.").wait_for()
    page.locator(".jp-OutputArea-output select[size]:not([multiple])").first.select_option(index=0)
    page.get_by_text("Proposed disposition").first.wait_for()
    page.locator(".lm-TabBar-tabLabel:text-is('Process tree')").click()
    page.locator(".jp-OutputArea-output svg[role=img]").first.wait_for()
    page.locator("button:text-is('escalate')").click()
    page.locator("button:text-is('Mark')").click()
    page.get_by_text("Marked escalate: 1 alert of the incident.").wait_for()
    page.locator("button:text-is('Make the report')").click()
    page.get_by_role("link", name="Report of inc-").click(timeout=60_000)
    report = page.frame_locator("iframe.jp-IFrame-iframe, .jp-IFrame iframe").first
    report.get_by_role("heading", name="Falco incident report").wait_for(timeout=30_000)
    assert RULE in report.locator("main").inner_text()

    run_all(page, desk)

    page.locator("option", has_text=f"[escalate] {RULE}").first.wait_for(
        state="attached", timeout=60_000
    )
    page.close()


def test_a_write_up_opens_with_its_figures(reports: Path, tmp_path, browser):  # noqa: F811
    """`lab` makes the copy and JupyterLab shows it as trusted; the reports hold as they were."""
    shutil.copytree(reports, tmp_path / "reports")
    (name,) = [
        path.parent.name
        for path in reports.glob("inc-*/report.json")
        if RULE in json.loads(path.read_text())["rules"]
    ]
    command = ("analysis", "lab", str(tmp_path / "reports"), "--incident", name, "--")
    with lab(tmp_path, *command) as address:
        page = browser.new_page(viewport={"width": 1500, "height": 3000})
        page.goto(address)
        page.get_by_role("heading", name="Case notes").wait_for(timeout=60_000)
        cells = page.locator("table.casebook td")
        assert cells.first.evaluate("e => getComputedStyle(e).textAlign") == "left"
        page.locator(".jp-OutputArea-output[data-mime-type='image/svg+xml']").first.wait_for()
        page.close()
    for path in reports.glob("inc-*/*"):
        assert (tmp_path / "reports" / path.relative_to(reports)).read_bytes() == path.read_bytes()
