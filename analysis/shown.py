"""Pieces of a report: cells, tables, and how they show themselves in HTML and as text.

In: values. Out: `Shown`. All alert text goes through the templates of `quoting`, which make it
visible and escape it. Knows nothing of alerts; `tables` does.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from analysis.quoting import templates, visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from analysis.evidence import Evidence

Cell = dict[str, Any]
MOST = 100
"""Rows of a table; a page that holds thousands is read by nobody."""
NOTEBOOK_STYLE = (
    # twice the class: JupyterLab's own rule for cells is as specific as one of it
    "<style>.casebook.casebook td, .casebook.casebook th "
    "{ text-align: left; vertical-align: top; padding: 0.3em 0.6em } "
    ".casebook caption { text-align: left } "
    ".casebook .evidence { list-style: none; margin: 0; padding: 0 } "
    ".casebook .origin { opacity: 0.7; font-size: 90% }</style>"
)
"""What a notebook needs to show our tables well; a page has its own style and drops this one."""


def in_notebook(html: str) -> str:
    """Return HTML for a notebook, with its style; JupyterLab's MathJax reads no `$` in it."""
    return f'<div class="mathjax_ignore tex2jax_ignore">{NOTEBOOK_STYLE}{html}</div>'


@dataclass(frozen=True)
class Shown:
    """A piece of a report: HTML where HTML can be shown, else text."""

    html: str
    text: str

    def _repr_html_(self) -> str:
        return in_notebook(self.html)

    def __repr__(self) -> str:
        return self.text


def table(
    caption: str, headings: Sequence[str], rows: Sequence[Sequence[Cell]], empty: str = ""
) -> Shown:
    """Return a table, or the sentence `empty` where it would have no row.

    Rows beyond `MOST` are counted, not shown.
    """
    left = len(rows) - MOST
    more = f"{left:,} more rows are not shown." if left > 0 else ""
    rows = rows[:MOST]
    html = render("table", caption=caption, headings=headings, rows=rows, empty=empty, more=more)
    lines = [" | ".join(_plain(cell) for cell in row) for row in rows]
    lines += [more] if more else []
    return Shown(html, "\n".join([caption, " | ".join(headings), *lines]) if rows else empty)


def render(name: str, **values: Any) -> str:
    """Return the template `name` filled with `values`."""
    return templates().get_template(f"{name}.html.j2").render(**values)


def text(value: object) -> Cell:
    """Return a cell of plain text."""
    return {"kind": "text", "text": str(value)}


def code(value: object) -> Cell:
    """Return a cell that shows a value as the alert holds it."""
    return {"kind": "code", "text": as_received(value)}


def entries(items: Iterable[str]) -> Cell:
    """Return a cell of several short texts."""
    return {"kind": "list", "entries": list(items)}


def links(items: Iterable[tuple[str, str]]) -> Cell:
    """Return a cell of several short texts, each with the address it leads to, if it has one."""
    pairs = list(items)
    return {"kind": "list", "entries": [name for name, _ in pairs], "links": dict(pairs)}


def badge(name: str) -> Cell:
    """Return a cell that holds one of few known words."""
    return {"kind": "badge", "name": name.replace(" ", "-"), "text": name}


def citations(evidence: Iterable[Evidence]) -> Cell:
    """Return a cell of evidence: field and value of each, and where they were read."""
    cited = list(evidence)
    return {
        "kind": "evidence",
        "entries": [{"field": e.field, "shown": as_received(e.value)} for e in cited],
        "origins": list(dict.fromkeys(e.origin for e in cited)),
    }


def as_received(value: object) -> str:
    """Return a value as the alert holds it; text without quotes, unless it is empty."""
    return value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)


def lines(content: str, longest: int = 20_000) -> Markup:
    """Return text of several lines, escaped, each line made visible, the breaks kept."""
    cut = content[:longest]
    shown = Markup("\n").join(visible(line, longest=longest) for line in cut.split("\n"))
    rest = len(content) - len(cut)
    return shown + (f"\n⟨… {rest:,} characters more⟩" if rest else "")


def _plain(cell: Cell) -> str:
    if cell["kind"] == "evidence":
        return "; ".join(f"{one['field']}={visible(one['shown'])}" for one in cell["entries"])
    return visible(", ".join(cell["entries"]) if cell["kind"] == "list" else cell["text"])
