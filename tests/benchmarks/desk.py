"""How long the desk takes to answer a click, in JupyterLab and Chromium, with many alerts loaded.

`python -m tests.benchmarks.desk 100000` makes so many and loads them. Measured is the time from
a click to the change that it makes in the page, in the browser's own clock, the best and the worst
of some clicks of a kind. Printed with the machine's load: a busy machine answers later.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat

from tests.benchmarks.generate import alerts
from tests.conftest import ROOT
from tests.test_browser import CHROMIUM, FLAGS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROUNDS = 5
NOTEBOOK = """
import analysis as fa
from analysis import explorer
alerts, _ = fa.read_alerts({source!r})
explorer.Desk(alerts, store={store!r}, by="bench")
"""
# from the deed to the last change that it makes in the desk; nothing for a while is the end
ARMED = """() => { window.answer = new Promise((done, failed) => {
  const desk = document.querySelector('.jp-OutputArea-output .widget-vbox');
  let start = null, last = null, quiet = null;
  const begin = () => { start ??= performance.now() };
  for (const kind of ['pointerdown', 'change'])
    document.addEventListener(kind, begin, {capture: true, once: true});
  const watch = new MutationObserver(() => {
    if (start === null) return;
    requestAnimationFrame(() => { last = performance.now() });
    clearTimeout(quiet);
    quiet = setTimeout(() => { watch.disconnect(); done(last - start) }, 1500);
  });
  watch.observe(desk, {childList: true, subtree: true, characterData: true});
  setTimeout(() => failed(new Error('no answer')), 20000);
}) }"""
CHOSEN = """([box, at]) => {
  const boxes = [...document.querySelectorAll('.jp-OutputArea-output select')];
  const one = box === null ? boxes.find(one => one.size > 1 && !one.multiple)
    : boxes.filter(one => one.multiple)[box];
  [...one.options].forEach((option, n) => { option.selected = n === at });
  one.dispatchEvent(new Event('change', {bubbles: true}));
}"""


@contextmanager
def lab(folder: Path, *command: str) -> Iterator[str]:
    """Run JupyterLab, over `folder` or as `command` starts it; its address. Its own are in `folder`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    own = {f"JUPYTER_{kind}_DIR": str(folder / kind) for kind in ("CONFIG", "DATA", "RUNTIME")}
    own |= {"IPYTHONDIR": str(folder / "ipython"), "PYTHONPATH": str(ROOT)}
    command = (sys.executable, "-m", *(command or ("jupyterlab", f"--notebook-dir={folder}")),
               "--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}",
               "--IdentityProvider.token=")  # fmt: skip
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            command, env=os.environ | own, stdout=log, stderr=log, start_new_session=True
        )
        address = f"http://127.0.0.1:{port}"
        for _ in range(240):
            try:
                urllib.request.urlopen(f"{address}/api", timeout=5).close()
                break
            except OSError:
                time.sleep(0.5)
        try:
            yield address
        finally:
            server.terminate()
            try:
                server.wait(30)
            except subprocess.TimeoutExpired:  # a thread that is not a daemon holds it up
                os.killpg(server.pid, signal.SIGKILL)
                server.wait()


def measure(page: Any) -> dict[str, list[float]]:
    """Return the milliseconds of each kind of click."""
    told: dict[str, list[float]] = {}

    def timed(kind: str, deed: Callable[[], object]) -> None:
        page.evaluate(ARMED)
        deed()
        told.setdefault(kind, []).append(page.evaluate("window.answer"))

    def choose(kind: str, box: int | None, at: int) -> None:
        timed(kind, lambda: page.evaluate(CHOSEN, [box, at]))

    def click(kind: str, element: str) -> None:
        timed(kind, page.locator(f".jp-OutputArea-output {element}").first.click)

    for facet, name in enumerate(("rule", "priority", "host", "container", "image", "user")):
        number = page.locator("select[multiple]").nth(facet).locator("option").count()
        for value in range(min(number, ROUNDS)):
            choose(f"facet {name}", facet, value)
        click("all again", "button:text-is('Clear')")
    for at in range(ROUNDS):
        choose("an incident", None, at)
    for name in ("Process tree", "Timeline", "Findings", "What to do", "Raw alerts"):
        click(f"view {name}", f".lm-TabBar-tabLabel:text-is('{name}')")
    page.locator("input[placeholder='proc.exepath']").fill("proc.name")
    page.locator("input[placeholder='proc.exepath']").press("Enter")
    page.wait_for_timeout(1000)
    click("a pivot", "button:text-is('All with this')")
    return told


def main() -> None:
    """Load alerts, click, and print what it took."""
    from playwright.sync_api import sync_playwright

    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with tempfile.TemporaryDirectory() as private, sync_playwright() as playwright:
        folder = Path(private)
        source = folder / "alerts.jsonl"
        source.write_bytes(b"\n".join(alerts(count)) + b"\n")
        code = NOTEBOOK.format(source=str(source), store=str(folder / "marks.sqlite"))
        cell = nbformat.v4.new_code_cell(code.strip())
        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
        notebook = nbformat.v4.new_notebook(cells=[cell], metadata=kernel)
        nbformat.write(notebook, folder / "desk.ipynb")
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        with lab(folder) as address:
            page = browser.new_page(viewport={"width": 1500, "height": 1400})
            page.goto(f"{address}/lab/tree/desk.ipynb?reset")
            page.get_by_text("| Idle").first.wait_for(timeout=120_000)
            page.locator(".lm-MenuBar-itemLabel:text-is('Run')").click()
            page.locator(".lm-Menu-itemLabel:text-is('Run All Cells')").click()
            page.locator("select[multiple] option").first.wait_for(
                state="attached", timeout=300_000
            )
            page.wait_for_timeout(2000)
            print(page.get_by_text(" alerts in ").first.inner_text())
            told = measure(page)
        browser.close()
    for kind, times in told.items():
        print(f"  {kind:22} {min(times):5.0f} ms (worst {max(times):.0f})")
    print(f"  load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
