"""The page in a real browser: nothing loaded, nothing wrong, nothing out of reach."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING

import pandas as pd
import pytest
from click.testing import CliRunner

from analysis.cli import main
from analysis.report.index import index

from .conftest import lines, story
from .test_notebooks import SECTIONS

if TYPE_CHECKING:
    from pathlib import Path

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--no-first-run",
]
RULES = [
    "Fileless execution via memfd_create",
    "Terminal shell in container",
    "Read sensitive file untrusted",
]
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium here: apt-get install chromium"),
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
]


@pytest.fixture(scope="module")
def browser():
    """Debian's Chromium, without a network."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - an extra

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield running
        running.close()


@pytest.fixture(scope="module")
def several(shell, tmp_path_factory) -> Path:
    """The folder of an incident of many alerts, one of which differs."""
    out = tmp_path_factory.mktemp("several")
    alerts = [
        story(shell, **{"proc.cmdline": f"bash -c 'id {'x' * 200}{i % 40 // 39}'"})
        | {"time": f"2026-03-01T10:00:{i:02}.000000001Z"}
        for i in range(40)
    ]
    (out / "alerts.jsonl").write_bytes(lines(*alerts))
    arguments = ["report", str(out / "alerts.jsonl"), "--out", str(out)]
    assert CliRunner().invoke(main, arguments).exit_code == 0
    return next(out.glob("inc-*"))


@pytest.fixture(params=[*RULES, "several", "index"])
def opened(request, browser, reports: Path, folders: dict[str, Path], several: Path):
    """A page opened from disk at desk width, with all that it asked for and complained of."""
    path = (
        reports / "index.html"
        if request.param == "index"
        else (folders | {"several": several})[request.param] / "report.html"
    )
    context = browser.new_context(viewport={"width": 1280, "height": 900}, offline=True)
    page = context.new_page()
    page.requests, page.errors = [], []
    page.on("request", lambda r: page.requests.append(r.url))
    page.on("console", lambda m: page.errors.append(m.text))
    page.on("pageerror", lambda e: page.errors.append(str(e)))
    page.goto(path.as_uri())
    yield page
    context.close()


def test_nothing_is_requested_and_nothing_complains(opened):
    """One file: the page itself is the only request (its pictures are in it), the console is empty."""
    asked = [url for url in opened.requests if not url.startswith("data:")]

    assert asked == [opened.url]
    assert opened.errors == []


def test_pictures_are_seen_and_described(opened):
    """Each picture is drawn in its colours, and an alternative text says what it shows."""
    pictures = opened.locator("figure svg[role=img]").all()

    assert len(pictures) == (0 if opened.url.endswith("index.html") else 2)
    for picture in pictures:
        assert picture.evaluate("e => e.getBoundingClientRect().width > 100")
        assert picture.evaluate("e => new Set([...e.querySelectorAll('path')].map("
                                "p => getComputedStyle(p).fill)).size > 1")  # fmt: skip
        assert re.match(
            r"(Process lineage|Process tree|Timeline|Activity)[:,] ",
            picture.get_attribute("aria-label"),
        )


def test_text_of_pictures_is_text(opened):
    """What a picture says can be selected and searched, and none of it is cut off."""
    for picture in opened.locator("figure svg").all():
        outside = picture.evaluate(
            """svg => { const box = svg.getBoundingClientRect();
            return [...svg.querySelectorAll('text')].filter(text => {
                const b = text.getBoundingClientRect();
                return b.left < box.left || b.right > box.right || b.bottom > box.bottom;
            }).map(text => text.textContent) }"""
        )
        assert outside == []
        assert picture.locator("text").count() > 2


def test_sections(opened):
    """Each section is there once, and the list of sections leads to it."""
    if opened.url.endswith("index.html"):
        assert opened.locator("tbody tr").count() == 3
        return
    assert opened.locator("h2").all_inner_texts() == SECTIONS
    for link in opened.locator("nav a").all():
        assert opened.locator(link.get_attribute("href")).count() == 1


def test_axe_finds_no_fault(opened):
    """axe-core: one h1, language, contrast, tables, order of headings; minor faults count too."""
    from axe_playwright_python.sync_playwright import Axe  # noqa: PLC0415 - an extra

    found = Axe().run(
        opened, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "best-practice"]}
    )

    assert [(v["id"], v["nodes"][0]["html"]) for v in found.response["violations"]] == []
    assert opened.locator("h1").count() == 1


def test_phone_width(opened):
    """Nothing sticks out to the side of a phone, and text is not shrunk."""
    opened.set_viewport_size({"width": 360, "height": 740})

    assert opened.evaluate("document.documentElement.scrollWidth") <= 360
    assert opened.evaluate("parseFloat(getComputedStyle(document.body).fontSize)") >= 14


def test_keyboard_reaches_everything(opened):
    """The first Tab skips to the report; every link, command and fold takes the focus."""
    opened.keyboard.press("Tab")
    assert opened.evaluate("document.activeElement.textContent") == "Skip to the report"
    wanted = opened.locator("a, pre, summary, figure").count()
    # the folded code is reached only once it is unfolded
    hidden = opened.locator("details pre").count()
    for _ in range(wanted - hidden - 1):
        opened.keyboard.press("Tab")

    assert opened.evaluate(
        "document.activeElement.matches('a, pre, summary, figure, button, input')"
    )


def test_code_is_folded_away(opened):
    """The notebook's code is there, behind one fold."""
    if opened.url.endswith("index.html"):
        return
    code = opened.locator("details.code pre")

    assert code.count() > 5
    assert not code.first.is_visible()
    opened.locator("details.code summary").click()
    assert code.first.is_visible()


def test_prints_to_pages(opened):
    """A print holds the report without the navigation."""
    assert len(opened.pdf(format="A4")) > 10_000
    opened.emulate_media(media="print")
    if opened.locator("nav").count():
        assert not opened.locator("nav").is_visible()


def test_an_index_of_thousands_is_filtered_and_sorted(browser, tmp_path):
    """Of 5,000 incidents: a word leaves those that have it, a heading puts the first on top."""
    seen = [1_772_359_200 * 10**9 + number * 10**9 for number in range(5_000)]
    reports = {
        f"inc-{number:016x}": {
            "score": float(number % 97),
            "summands": ["+5 rarity: seen once"],
            "priority": ("Notice", "Critical")[number % 2],
            "rules": ["Terminal shell in container"],
            "alerts": number,
            "hosts": [f"node-{number % 50}"],
            "containers": [f"{number:012x}"],
            "first_seen": f"{pd.Timestamp(at, unit='ns', tz='UTC'):%Y-%m-%d %H:%M:%S}",
            "last_seen": "",
            "seen_ns": [at, at + 10**9],
            "disposition": "needs review",
            "error": "",
        }
        for number, at in enumerate(seen)
    }
    path = tmp_path / "index.html"
    path.write_text(index(reports), encoding="utf-8")
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(path.as_uri())
    rows = page.locator("table.incidents tbody tr:visible")

    page.get_by_text("5000 of 5000, the first 500 shown").wait_for()
    page.get_by_role("searchbox").fill("NODE-7 critical")
    page.get_by_text("100 of 5000").wait_for()
    page.get_by_role("button", name="Alerts").click()

    assert rows.count() == 100
    assert "inc-000000000000135d" in rows.first.inner_text()  # the one of 4,957 alerts
    page.close()
