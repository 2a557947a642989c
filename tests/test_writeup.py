"""A case write-up: begun from a report, kept beside it, exported; nothing in it comes alive."""

from __future__ import annotations

import html as entities
import re
import shutil
from typing import TYPE_CHECKING

import mistune
import nbformat
import pytest
from click.testing import CliRunner
from hypothesis import example, given, settings
from hypothesis import strategies as st

from analysis.cli import main
from analysis.errors import ExportError
from analysis.report import harmless, manifest, writeup
from analysis.report.html import page
from analysis.report.markdown import code, fenced, own, words
from analysis.report.shelf import Shelf

from .conftest import SAMPLES, lines, story
from .test_browser import CHROMIUM

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE = (
    "<script>alert(1)</script><img src=x onerror=alert(1)> ![p](http://evil.example/p.png) "
    "[go](javascript:alert(1)) http://evil.example @everyone #12 `$x$` | a \\| b **bold** \u202e &lt;"
)


def run(*arguments: object):
    """Run the command in this process."""
    return CliRunner().invoke(main, [*map(str, arguments)])


@pytest.fixture(autouse=True)
def _signatures(tmp_path, monkeypatch):
    """Signatures of trusted notebooks are kept apart from the user's own."""
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "jupyter"))


@pytest.fixture
def reports_of_one(tmp_path, shell):
    """A folder of reports that holds the one of a hostile alert."""
    alert = story(shell, **{"proc.cmdline": HOSTILE, "container.name": HOSTILE})
    (tmp_path / "alerts.jsonl").write_bytes(lines(alert))
    assert run("report", tmp_path / "alerts.jsonl", "--out", tmp_path / "out").exit_code == 0
    return tmp_path / "out"


@pytest.fixture
def folder(reports_of_one) -> Path:
    """The folder of its report."""
    return next(reports_of_one.glob("inc-*"))


def annotate(path: Path, *cells: nbformat.NotebookNode) -> None:
    """Add cells at the end of a notebook."""
    notebook = nbformat.read(path, as_version=4)
    notebook.cells += cells
    nbformat.write(notebook, path)


def output(**data: str) -> nbformat.NotebookNode:
    """Return a code cell that shows `data`; `_` stands for `/`, `__` for `+` in a kind."""
    kinds = {name.replace("__", "+").replace("_", "/"): value for name, value in data.items()}
    shown = nbformat.v4.new_output("display_data", data=kinds)
    return nbformat.v4.new_code_cell("shown()", outputs=[shown])


def test_a_write_up_is_a_copy_that_is_made_once(folder):
    """It holds what the report holds and a cell for notes; what is written in it stays."""
    filed = {path.name: path.read_bytes() for path in folder.iterdir()}
    path, current = writeup.begin(folder)
    made = nbformat.read(path, as_version=4)
    report = nbformat.read(folder / "report.ipynb", as_version=4)

    nbformat.validate(made)
    assert current
    assert "## Case notes" in made.cells[1].source
    del made.cells[1]
    assert [cell.source for cell in made.cells] == [cell.source for cell in report.cells]
    annotate(path, nbformat.v4.new_markdown_cell("It was the backup."))
    before = path.read_bytes()
    assert writeup.begin(folder) == (path, True)
    assert path.read_bytes() == before
    assert {name: (folder / name).read_bytes() for name in filed} == filed


def test_a_write_up_is_no_change_and_is_named(reports_of_one, folder):
    """`verify` holds, and says which files nobody vouches for; any other file is a change still."""
    path, _ = writeup.begin(folder)
    (folder / ".ipynb_checkpoints").mkdir()
    writeup.export(folder, "markdown")

    verified = run("verify", reports_of_one)
    assert verified.exit_code == 0
    for name in ("writeup.ipynb", "writeup.md", "writeup_files", ".ipynb_checkpoints"):
        assert f"{folder.name}/{name}: an analyst's own, held against nothing" in verified.output
    (folder / "planted.html").write_text("x")
    shutil.copy(path, folder / "report.ipynb")
    assert [str(one) for one in manifest.verify(Shelf(reports_of_one))[1]] == [
        f"{folder.name}/report.ipynb: was changed",
        f"{folder.name}/planted.html: is in no manifest",
    ]


def test_a_write_up_outlives_its_report(reports_of_one, folder):
    """Made again, the report keeps it beside itself; that the report is another now is said."""
    path, _ = writeup.begin(folder)
    annotate(path, nbformat.v4.new_markdown_cell("It was the backup."))
    before = path.read_bytes()
    source = reports_of_one.parent / "alerts.jsonl"

    assert run("report", source, "--out", reports_of_one, "--force").exit_code == 0
    assert path.read_bytes() == before
    assert writeup.begin(folder) == (path, True)
    told = source.read_bytes().splitlines(keepends=True)
    source.write_bytes(b"".join([*told, told[0].replace(b"05.218", b"06.218")]))
    assert run("report", source, "--out", reports_of_one).exit_code == 0
    assert path.read_bytes() == before
    assert writeup.begin(folder) == (path, False)
    assert run("verify", reports_of_one).exit_code == 0


def test_a_report_comes_through_unchanged(folders):
    """All that tables and figures make is harmless as it is: the page is the report's, to the byte."""
    for folder in folders.values():
        report = (folder / "report.html").read_text()
        title = entities.unescape(re.search("<title>(.*)</title>", report)[1])
        notebook = nbformat.read(folder / "report.ipynb", as_version=4)

        assert page(harmless.harmless(notebook), title) == report


def test_what_others_show_is_put_together_anew(folder):
    """Tables of pandas stay tables; scripts, styles, addresses and what only looks safe go."""
    path, _ = writeup.begin(folder)
    evil = {
        "text_html": (
            "<style>*{color:red}</style><table style='x'><tr><td onclick=x()>7<td>8</table></main>"
            f"<a href='javascript:x()'>here</a><svg><p>mXSS</svg>{HOSTILE}<b>&lt;u&gt;</b><!-- c -->"
        ),
        "image_svg__xml": "<svg xmlns='http://www.w3.org/2000/svg'><foreignObject/></svg>",
    }
    annotate(path, output(**evil), output(image_svg__xml=evil["image_svg__xml"], text_plain="two"))
    annotate(path, output(image_png="iVBORw0="), output(application_javascript="alert(1)"))
    told = writeup.export(folder, "html").read_text()

    assert "default-src 'none'" in told
    for bad in ("<script", "<img", "onclick", "javascript:x", "foreignObject", "mXSS", "color:red",
                "iVBOR", "<!--", "\u202e", "<u>"):  # fmt: skip
        assert bad not in told
    assert "<table><tr><td>7<td>8</td></td></tr></table><a>here</a>" in told
    assert "<b>&lt;u&gt;</b>" in told
    assert "Not shown here: an output of the kind image/png." in told
    assert "Not shown here: an output of the kind application/javascript." in told
    assert told.count("</main>") == 1


@pytest.mark.parametrize(
    "svg",
    [
        "<svg xmlns='http://www.w3.org/2000/svg' onload='x()'/>",
        "<svg xmlns='http://www.w3.org/2000/svg'><use href='http://evil.example/#a'/></svg>",
        "<svg xmlns='http://www.w3.org/2000/svg'><path fill='url(http://evil.example)'/></svg>",
        "<svg xmlns='http://www.w3.org/2000/svg'><path style='fill:red'/></svg>",
        "<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>",
        "<svg xmlns='http://www.w3.org/2000/svg'><p xmlns='http://www.w3.org/1999/xhtml'/></svg>",
        "<!DOCTYPE svg [<!ENTITY a 'b'>]><svg xmlns='http://www.w3.org/2000/svg'>&a;</svg>",
        "<svg",
    ],
)
def test_a_picture_is_of_our_kind_or_not_shown(svg):
    """Shapes and texts: no script, no style sheet, nothing from elsewhere."""
    assert harmless.picture(svg) is None


@given(st.text() | st.text(alphabet="<>/abipsrt =\"'-!&;[]"))
def test_html_put_together_anew_is_of_known_elements(text):
    """Whatever comes in: known elements, balanced, and a second time changes nothing."""
    made = harmless.html(text)
    tags = re.findall(r"<(/?)([^\s>]*)", made)

    assert {tag for _, tag in tags} <= set(harmless.ELEMENTS)
    assert sum(1 if not end else -1 for end, tag in tags if tag != "br") == 0
    assert harmless.html(made) == made


def test_an_analyst_s_words_are_rendered_and_html_in_them_is_text(folder):
    """Markdown is; what is pasted from an alert into it is seen, and does nothing."""
    path, _ = writeup.begin(folder)
    annotate(path, nbformat.v4.new_markdown_cell(f"## Findings with evidence\n\n*Mine*: {HOSTILE}"))
    told = writeup.export(folder, "html").read_text()

    assert "<em>Mine</em>" in told
    assert "&lt;script&gt;alert(1)&lt;/script&gt;&lt;img src=x" in told
    assert "<script" not in told
    assert "<img" not in told
    assert 'href="javascript' not in told
    assert "p (http://evil.example/p.png)" in told
    # a heading twice has two anchors
    assert 'href="#findings-with-evidence-2"' in told
    assert told.count('id="findings-with-evidence-2"') == 1


def rendered(text: str) -> str:
    """Return Markdown as GitHub's kind of renderer takes it: tables, bare addresses, notes, sums."""
    plugins = ["table", "url", "strikethrough", "footnotes", "task_lists", "math", "superscript"]
    return str(mistune.create_markdown(escape=False, plugins=plugins)(text))


def test_markdown_of_a_hostile_alert_is_lifeless(folder):
    """No alert text is a link, a picture, HTML, emphasis or a call; the tables hold together."""
    made = writeup.export(folder, "markdown")
    text = made.read_text()
    shown = rendered(text)

    assert made == folder / "report.md"
    assert "<script" not in shown
    assert set(re.findall(r'<img src="([^"]*)"', shown)) == {
        "report_files/figure-1.svg", "report_files/figure-2.svg"
    }  # fmt: skip
    assert re.findall(r'href="(?!https://attack\.mitre\.org/)', shown) == []
    assert "bold</strong>" not in shown
    # what no code span holds could call somebody, or name a ticket
    bare = entities.unescape(re.sub(r"(?s)<code.*?</code>|<img[^>]*>", "", shown))
    assert not re.search(r"@everyone|#12|evil\.example", bare)
    report = (folder / "report.html").read_text()
    assert shown.count("<table>") == report.count("<table ")
    assert shown.count("<tr>") == report.count("<tr>")
    assert "\u202e" not in text
    for name in ("figure-1.svg", "figure-2.svg"):
        assert (folder / "report_files" / name).read_text().startswith("<svg ")


ALIVE = st.text(alphabet="<>[]()!`*_~|\\#@:/.$^&;-+=1a \n\t\"'")


@settings(max_examples=400)
@given(ALIVE | st.text())
@example("__0__")
def test_words_are_words_in_any_place(text):
    """In a paragraph, an item or a cell: what is shown is the text, by code spans or escapes."""
    cell = words(text)
    for around in ("a {} b", "- a {}", "> a {}", "| h |\n| --- |\n| {} |"):
        shown = rendered(around.format(cell))
        assert set(re.findall(r"<([a-z0-9]+)", shown)) <= {
            "p", "ul", "li", "code", "blockquote", "table", "thead", "tbody", "tr", "th", "td",
        }  # fmt: skip
        assert shown.count("<td") == around.count("---")


@settings(max_examples=400)
@given(ALIVE | st.text())
def test_code_is_code_in_any_place(text):
    """A span ends where it should, in a table too; so does a block."""
    for shown in (rendered(f"| h |\n| --- |\n| {code(text)} |"), rendered(fenced(text))):
        tags = set(re.findall(r"<([a-z0-9]+)", shown))
        assert tags <= {"p", "code", "pre", "table", "thead", "tbody", "tr", "th", "td"}
        assert shown.count("<td") <= 1
        assert shown.count("<pre") <= 1


@settings(max_examples=300)
@given(ALIVE)
def test_html_in_an_analyst_s_markdown_is_text(text):
    """Markdown stays Markdown, and no HTML is left in it."""
    shown = mistune.create_markdown(escape=False)(own(text))

    assert re.sub(r"</?(p|h[1-6]|em|strong|code|pre|ul|ol|li|a|img|br|hr|blockquote)\b[^>]*>", "", shown).count("<") == 0  # fmt: skip


def test_own_markdown_is_kept():
    """Emphasis, lists, links, code and addresses are the analyst's; only HTML is changed."""
    kept = "# A\n\n- *b* `<c>` [d](https://e.example)\n\n```\n<f>\n```\n\n<https://g.example> 1 < 2 \\<i>"

    assert own(kept) == kept
    assert own("<b>x</b> `<b>`") == r"\<b>x\</b> `<b>`"


def test_what_is_filed_is_not_written_over(reports_of_one, folder):
    """Neither the report's files nor the index."""
    for out in (None, folder / "alerts.jsonl", reports_of_one / "index.html"):
        with pytest.raises(ExportError, match="as it was filed; name another with --out"):
            writeup.export(folder, "html", out)
    done = run("export", folder, "--to", "html")
    assert done.exit_code == 2
    assert "name another with --out" in done.output


def test_what_cannot_be_exported_is_said(tmp_path, monkeypatch):
    """No such file, no notebook, no browser: one line each that says what to do."""
    (tmp_path / "a.ipynb").write_text("{}")
    nbformat.write(nbformat.v4.new_notebook(), tmp_path / "b.ipynb")
    monkeypatch.setenv("PATH", str(tmp_path))

    for name, to, said in (
        ("none.ipynb", "html", "No such file"),
        ("a.ipynb", "html", "no notebook that can be read"),
        ("b.ipynb", "pdf", "apt-get install chromium"),
    ):
        done = run("export", tmp_path / name, "--to", to)
        assert done.exit_code == 2
        assert said in done.output


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no chromium here: apt-get install chromium")
def test_a_pdf_is_printed(folder, tmp_path):
    """By the browser that is here; nothing else is left beside it."""
    made = writeup.export(folder, "pdf", tmp_path / "case.pdf")

    assert made.read_bytes().startswith(b"%PDF-")
    assert made.stat().st_size > 10_000
    assert list(tmp_path.glob("falco-casebook-*")) == []


def test_lab_says_which_incidents_there_are(reports, tmp_path):
    """Several and none chosen, one that is not there, no reports, alerts of many incidents."""
    names = sorted(path.name for path in reports.glob("inc-*"))
    for arguments, said in (
        ((reports,), f"--incident: which of {', '.join(names)}"),
        ((reports, "--incident", "inc-0"), f"no report of inc-0; there are {', '.join(names)}"),
        (("--out", tmp_path / "none"), "there are no reports"),
        ((SAMPLES, "--out", tmp_path / "none"), "3 incidents: choose one with --incident"),
        ((SAMPLES, "--out", tmp_path / "none", "--incident", "inc-0"), "no incident inc-0"),
    ):
        done = run("lab", *arguments)
        assert done.exit_code == 2
        assert said in done.output
    assert not (tmp_path / "none").exists()
