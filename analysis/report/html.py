"""An executed notebook as one HTML page that needs nothing but itself.

In: a notebook of ours. Out: HTML with its own style and pictures, no script, and a
Content-Security-Policy that lets nothing be loaded. Cells' HTML comes from `tables` and their SVG
from `figures`, which have escaped it; any other output (text, errors) is escaped here.
"""

from __future__ import annotations

import base64
import hashlib
import re
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import mistune
from markupsafe import Markup

from analysis.shown import NOTEBOOK_STYLE, lines, render

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEADING = re.compile(r"^(#{1,3}) (.+)$", re.MULTILINE)
ANSI = re.compile(r"\x1b\[[0-9;]*m")
"""The colours that IPython gives a traceback."""


def page(notebook: Any, title: str) -> str:
    """Return the notebook as a page.

    Parameters
    ----------
    notebook : NotebookNode
        Executed; its Markdown and text/html outputs are trusted, its other outputs are not.
    title : str
        The page's title; escaped and made visible.
    """
    headings: list[tuple[int, str, str]] = []
    blocks = [block for cell in notebook.cells for block in _blocks(cell, headings)]
    code = [lines(cell.source) for cell in notebook.cells if cell.cell_type == "code"]
    contents = [(anchor, text) for level, text, anchor in headings if level == 2]  # noqa: PLR2004
    return render("page", title=title, contents=contents, blocks=blocks, code=code, **style())


def style(script: str = "") -> dict[str, Markup]:
    """Return the pages' style sheet, a script, and the policy that allows these and nothing else."""
    # ours, from the package; a file of the kit is no alert text
    sheet = Markup((files("analysis") / "templates" / "page.css").read_text(encoding="utf-8"))  # noqa: S704
    policy = f"default-src 'none'; style-src 'sha256-{_digest(sheet)}'; "
    policy += f"script-src 'sha256-{_digest(script)}'; " if script else ""
    policy += "base-uri 'none'; form-action 'none'"
    return {"sheet": sheet, "script": Markup(script), "policy": Markup(policy)}  # noqa: S704


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _blocks(cell: Any, headings: list[tuple[int, str, str]]) -> Iterator[Markup]:
    if cell.cell_type == "markdown":
        for marks, text in _HEADING.findall(cell.source):
            headings.append((len(marks), text, _anchor(text)))
        html = str(mistune.html(cell.source))
        # Markdown cells are the template's own words
        yield Markup(re.sub(r"<h([1-3])>(.+?)</h\1>", _with_anchor, html))  # noqa: S704
    elif cell.cell_type == "code":
        for output in cell.outputs:
            yield _output(output)


def _with_anchor(match: re.Match[str]) -> str:
    return f'<h{match[1]} id="{_anchor(match[2])}">{match[2]}</h{match[1]}>'


def _anchor(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def _output(output: Any) -> Markup:
    data = output.get("data", {})
    if "text/html" in data:
        html = _joined(data["text/html"]).replace(NOTEBOOK_STYLE, "")
        return Markup(html)  # noqa: S704 - made by tables.py, escaped there
    if "image/svg+xml" in data:
        # drawn by figures, which escapes texts and keeps nothing but shapes and texts
        svg = Markup(_joined(data["image/svg+xml"]))  # noqa: S704
        return Markup(render("picture", svg=svg))  # noqa: S704
    if output.output_type == "error":
        text = ANSI.sub("", "\n".join(output.traceback))
    else:
        text = _joined(data.get("text/plain", output.get("text", "")))
    return Markup(render("text", text=lines(text)))  # noqa: S704 - rendered, so escaped


def _joined(text: Any) -> str:
    return text if isinstance(text, str) else "".join(text)
