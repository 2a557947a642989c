"""The desk in JupyterLab: choose a facet, open an incident, mark it, come back, and it is marked."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request

import pytest

from .conftest import ROOT, SAMPLES
from .test_browser import browser, pytestmark  # noqa: F401 - the same Chromium, the same marks

RULE = "Terminal shell in container"


@pytest.fixture
def lab(tmp_path):
    """A JupyterLab over copies of the notebook and the samples; its address."""
    (tmp_path / "work" / "notebooks").mkdir(parents=True)
    shutil.copy(ROOT / "notebooks" / "explore.ipynb", tmp_path / "work" / "notebooks")
    shutil.copytree(SAMPLES, tmp_path / "work" / "data" / "alerts")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    own = {
        f"JUPYTER_{kind}_DIR": str(tmp_path / kind) for kind in ("CONFIG", "DATA", "RUNTIME")
    } | {"IPYTHONDIR": str(tmp_path / "ipython"), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1",
               f"--port={port}", f"--notebook-dir={tmp_path / 'work'}",
               "--IdentityProvider.token="]  # fmt: skip
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen(command, env=os.environ | own, stdout=log, stderr=log)
        address = f"http://127.0.0.1:{port}"
        for _ in range(120):
            try:
                urllib.request.urlopen(f"{address}/api", timeout=5).close()
                break
            except OSError:
                time.sleep(0.5)
        yield address
        server.terminate()
        server.wait(30)


def run_all(page, address: str, name: str = "explore.ipynb", timeout: float = 20_000) -> None:
    """Open a notebook that shows a desk and run all of it."""
    page.goto(f"{address}/lab/tree/notebooks/{name}?reset")
    page.locator(".jp-Notebook").wait_for(timeout=60_000)
    page.get_by_text("| Idle").first.wait_for(timeout=15_000)
    page.locator(".lm-MenuBar-itemLabel:text-is('Run')").click()
    page.locator(".lm-Menu-itemLabel:text-is('Run All Cells')").click()
    page.locator(".jp-OutputArea-output select").first.wait_for(timeout=timeout)


def test_a_mark_is_there_after_a_reload(lab, browser):  # noqa: F811 - a fixture
    """Facet, incident, tree, mark, report; then the page anew, and the mark is in the list."""
    page = browser.new_page(viewport={"width": 1500, "height": 1400})
    run_all(page, lab)
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
    page.get_by_role("link", name="Report of inc-").wait_for(timeout=60_000)

    run_all(page, lab)

    page.locator("option", has_text=f"[escalate] {RULE}").first.wait_for(
        state="attached", timeout=60_000
    )
    page.close()
