"""An executed notebook as one HTML page that needs nothing but itself.

In: a notebook of ours. Out: HTML with its own style and pictures, no script, and a
Content-Security-Policy that lets nothing be loaded. Cells' HTML comes from `tables` and their SVG
from `figures`, which have escaped it; any other output (text, errors) is escaped here. Markdown is
rendered, HTML in it is text. A notebook that others went on with passes `harmless` first.
"""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache, partial
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import mistune
from markupsafe import Markup

from analysis.characters import write_out
from analysis.shown import NOTEBOOK_STYLE, lines, render

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEADING = re.compile(r"<h([1-6])>(.+?)</h\1>", re.DOTALL)
ANSI = re.compile(r"\x1b\[[0-9;]*m")
"""The colours that IPython gives a traceback."""


def page(notebook: Any, title: str) -> str:
    """Return the notebook as a page.

    Parameters
    ----------
    notebook : NotebookNode
        Executed; its text/html and image/svg+xml outputs are trusted, all else is not.
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
        rendered = str(_markdown()(shown_source(cell.source)))
        # HTML and addresses of other kinds are text here, see `_Words`
        yield Markup(_HEADING.sub(partial(_with_anchor, headings), rendered))  # noqa: S704
    elif cell.cell_type == "code":
        for output in cell.outputs:
            yield _output(output)


def shown_source(source: str) -> str:
    """Return the source of a Markdown cell with what an eye could miss written out."""
    return "\n".join(map(write_out, source.expandtabs(4).replace("\r\n", "\n").split("\n")))


class _Words(mistune.HTMLRenderer):
    """Markdown as HTML that loads nothing: HTML is shown as text, a picture as its address."""

    def image(self, text: str, url: str, title: str | None = None) -> str:  # noqa: ARG002 - mistune's
        told = Markup(text).striptags()  # noqa: S704 - as rendered
        return str(Markup("{} ({})").format(told or "picture", url))


@cache
def _markdown() -> Any:
    return mistune.create_markdown(
        escape=True, renderer=_Words(), plugins=["strikethrough", "table", "task_lists"]
    )


def _with_anchor(headings: list[tuple[int, str, str]], match: re.Match[str]) -> str:
    text = str(Markup(match[2]).striptags())  # noqa: S704 - as rendered
    taken = {anchor for _, _, anchor in headings}
    anchor = base = _anchor(text) or "section"
    number = 2
    while anchor in taken:
        anchor, number = f"{base}-{number}", number + 1
    headings.append((int(match[1]), text, anchor))
    return f'<h{match[1]} id="{anchor}">{match[2]}</h{match[1]}>'


def _anchor(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def _output(output: Any) -> Markup:
    data = output.get("data", {})
    if "text/html" in data:
        html = joined(data["text/html"]).replace(NOTEBOOK_STYLE, "")
        return Markup(html)  # noqa: S704 - made by tables.py, escaped there
    if "image/svg+xml" in data:
        # drawn by figures, which escapes texts and keeps nothing but shapes and texts
        svg = Markup(joined(data["image/svg+xml"]))  # noqa: S704
        return Markup(render("picture", svg=svg))  # noqa: S704
    if output.output_type == "error":
        text = ANSI.sub("", "\n".join(output.traceback))
    else:
        text = joined(data.get("text/plain", output.get("text", "")))
    return Markup(render("text", text=lines(text)))  # noqa: S704 - rendered, so escaped


def joined(text: Any) -> str:
    """Return text that a notebook keeps in one piece or in lines."""
    return text if isinstance(text, str) else "".join(text)
