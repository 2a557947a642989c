"""Hostile text in a real browser: nothing runs, nothing is asked for, and all of it can be read.

Every payload of `spec/payloads.toml` in every field (see `payloads`), through the command that a
user runs, into Chromium. A call of the canary, a dialog, a request, a line on the console (the
policy's own complaints, too: nothing may be there that it would have to stop) fails.
"""

from __future__ import annotations

import json
from contextlib import suppress
from itertools import product
from typing import TYPE_CHECKING

import nbformat
import pytest
from click.testing import CliRunner
from nbformat.v4 import new_code_cell, new_notebook, new_output

from analysis.cli import main
from analysis.quoting import visible
from analysis.report.html import page as page_of
from analysis.report.index import index
from analysis.shown import as_received

from .conftest import lines
from .payloads import CLASSES, FIELDS, PACKS, PAYLOADS, hostile, one_incident, pack
from .test_browser import browser, pytestmark  # noqa: F401 - the same Chromium, the same marks

Error = pytest.importorskip("playwright.sync_api").Error

if TYPE_CHECKING:
    from pathlib import Path

ATTACK = "https://attack.mitre.org/"
MADE_OF = """() => [...new Set([...document.querySelectorAll("*")].flatMap(e =>
    [e.tagName, ...[...e.attributes].map(a => `${e.tagName} ${a.name}`)]))]"""
FILE = """<img src=x onerror=canary()>'"`$x^2$\u202e.jsonl"""


class Watched:
    """A page, and what it did that a page of ours never does."""

    def __init__(self, browser) -> None:  # noqa: F811 - the fixture's value
        self.context = browser.new_context(viewport={"width": 1280, "height": 900}, offline=True)
        self.page = self.context.new_page()
        self.did: list[str] = []
        self.page.expose_function("canary", lambda *_: self.did.append("a script ran"))
        self.page.on("request", lambda one: self.did.append(f"asked for {one.url}"))
        self.page.on("console", lambda one: self.did.append(f"console: {one.text}"))
        self.page.on("pageerror", lambda one: self.did.append(f"error: {one}"))
        self.page.on("popup", lambda one: self.did.append(f"opened {one.url}"))
        self.page.on("dialog", self._dialog)

    def _dialog(self, dialog) -> None:
        self.did.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def open(self, path: Path) -> list[str]:
        """Open a file; return what happened beside its own request."""
        self.page.goto(path.as_uri())
        return [one for one in self.did if one != f"asked for {path.as_uri()}"]


@pytest.fixture
def watched(browser):  # noqa: F811 - a fixture
    """A page whose doings are noted."""
    made = Watched(browser)
    yield made
    made.context.close()


@pytest.fixture(scope="module")
def hostile_reports(tmp_path_factory) -> Path:
    """A report for each hostile alert, and the index with records that are no alerts."""
    place = tmp_path_factory.mktemp("hostile")
    rejects = "".join(json.dumps([one]) + "\n" for one in PAYLOADS).encode()
    alerts = place / FILE
    alerts.write_bytes(lines(*map(hostile, range(PACKS))) + rejects)
    out = place / "out"
    done = CliRunner().invoke(main, ["report", str(alerts), "--by", "alert", "--out", str(out)])
    assert done.exit_code == 0, done.output
    return out


@pytest.fixture(scope="module")
def long_report(shell, tmp_path_factory) -> Path:
    """The report of one incident, of as many alerts as there are payloads."""
    place = tmp_path_factory.mktemp("long")
    (place / "a.jsonl").write_bytes(lines(*one_incident(shell)))
    done = CliRunner().invoke(main, ["report", str(place / "a.jsonl"), "--out", str(place)])
    assert done.exit_code == 0, done.output
    (folder,) = place.glob("inc-*")
    return folder / "report.html"


@pytest.mark.parametrize("name", [name for name, known in CLASSES.items() if known.get("rings")])
def test_the_corpus_bites(watched, tmp_path, name):
    """Where nothing escapes, some of the class run a script or ask for something."""
    rang = set()
    for payload in CLASSES[name]["payloads"]:
        (tmp_path / "raw.html").write_text(f"<!DOCTYPE html><p>{payload}</p>", encoding="utf-8")
        with suppress(Error):  # a payload that leads away
            if watched.open(tmp_path / "raw.html"):
                rang.add(payload)
        watched.did.clear()

    assert rang


def test_the_corpus_is_large():
    """At least 300, each another, in classes that say what they are."""
    assert len(PAYLOADS) == len(set(PAYLOADS)) >= 300
    assert all(known["about"] for known in CLASSES.values())


def test_reports(watched, hostile_reports, folders):
    """Each payload in each field: nothing happens, every name and value is text of its table.

    The page is made of the elements and attributes that the samples' pages have, and no other.
    """
    known = set()
    for folder in folders.values():
        watched.page.goto((folder / "report.html").as_uri())
        known |= set(watched.page.evaluate(MADE_OF))
    tried = set()
    for path in sorted(hostile_reports.glob("inc-*/report.html")):
        watched.did.clear()
        assert watched.open(path) == []
        assert set(watched.page.evaluate(MADE_OF)) <= known
        leads = watched.page.locator("a").evaluate_all("all => all.map(e => e.href)")
        assert all(one.startswith((f"{path.as_uri()}#", ATTACK)) for one in leads)
        cells = watched.page.locator("td code").evaluate_all("all => all.map(e => e.innerText)")
        shown = set(cells)
        (alert,) = map(json.loads, (path.parent / "alerts.jsonl").read_text().splitlines())
        for name, value in alert["output_fields"].items():
            assert {visible(name), visible(value)} <= shown
            tried |= {(payload, name) for payload in PAYLOADS if payload in value}
        for name in ("rule", "hostname", "uuid", "source", "tags"):
            assert visible(as_received(alert[name])) in shown
    assert {(payload, name) for payload in PAYLOADS for name in FIELDS} <= tried


def test_figures_show_payloads_as_text(watched, long_report):
    """A tree and a timeline of processes and rules that are payloads."""
    assert watched.open(long_report) == []
    texts = watched.page.locator("figure svg text").all_text_contents()

    assert sum(any(visible(one)[:12] in text for text in texts) for one in PAYLOADS) > 50
    assert watched.page.locator("figure svg").count() == 2


def test_the_index_shows_and_finds(watched, hostile_reports):
    """Rules, hosts, records that are no alerts; what is typed into the filter is only looked for."""
    page = watched.page
    page.clock.install()
    assert watched.open(hostile_reports / "index.html") == []
    watched.did.clear()
    text = page.locator("body").inner_text()
    assert f"{visible(FILE)}:{PACKS + 1}" in text
    for number, at in product(range(PACKS), range(0, len(PAYLOADS) // PACKS, 5)):
        typed = [one.replace("\n", " ") for one in pack(number)[at : at + 5]]
        page.locator("#filter").fill(" ".join(typed))
        page.clock.run_for(100)
        found = int(page.locator("#count").inner_text().split()[0])
        if all(visible(one) == one for one in typed):
            assert 0 < found <= PACKS, typed
    for head in page.locator("th button").all():
        head.click()

    assert watched.did == []


def test_outputs_and_failures_are_text(watched, tmp_path):
    """A traceback, a print, a failed report's cause: whatever a notebook or a cell brings."""
    text = "\n".join(PAYLOADS)
    error = new_output("error", ename=text, evalue=text, traceback=[text])
    outputs = [error, new_output("stream", text=text)]
    outputs.append(new_output("execute_result", data={"text/plain": text}))
    notebook = new_notebook(cells=[new_code_cell(text, outputs=outputs)])
    nbformat.validate(notebook)
    facts = dict.fromkeys(("rules", "hosts", "containers", "summands"), PAYLOADS)
    times = {"first_seen": text, "last_seen": text, "seen_ns": [None, None]}
    known = {"score": 1.0, "alerts": 1, "priority": text, "disposition": text, "error": text}
    pages = {
        "report": page_of(notebook, text),
        "index": index({"inc-0": known | facts | times, "inc-1": known | facts | times}),
    }
    for name, content in pages.items():
        (tmp_path / f"{name}.html").write_text(content, encoding="utf-8")

        assert watched.open(tmp_path / f"{name}.html") == []
        watched.did.clear()
        body = watched.page.locator("body").text_content()
        # a line of an output is a line of the page; the rest is written out
        lined = "".join(visible(one) if one != "\n" else one for one in text)
        assert all(line in body for line in lined.split("\n")[:20])
