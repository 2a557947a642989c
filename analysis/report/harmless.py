"""What a notebook shows, made harmless: outputs that an analyst or a library added are no alert's.

In: a notebook that somebody went on with. Out: a copy that holds of each output one thing: HTML put
together anew of the elements that our templates use, a picture that is as `figures` draws it, or
text. What can be shown in no such way is named instead. What a page looks like is for `html`.
"""

from __future__ import annotations

import copy
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from markupsafe import escape

from analysis.characters import write_out
from analysis.figures.picture import KEPT, SVG
from analysis.report.html import ANSI, joined

if TYPE_CHECKING:
    from collections.abc import Iterator

# element -> what an attribute must match; any other element goes, and its text stays
_ANY: dict[str, str] = {"class": r"[\w -]*"}
_CELL = _ANY | {"rowspan": r"\d{1,4}", "colspan": r"\d{1,4}"}
ELEMENTS: dict[str, dict[str, str]] = dict.fromkeys(
    [
        "b",
        "br",
        "caption",
        "code",
        "div",
        "em",
        "h3",
        "i",
        "li",
        "ol",
        "p",
        "section",
        "span",
        "strong",
        "table",
        "tbody",
        "thead",
        "tr",
        "ul",
    ],
    _ANY,
) | {
    "th": _CELL | {"scope": "col|row"},
    "td": _CELL | {"data-label": r"[^\x00-\x1f]*"},
    "pre": _ANY | {"tabindex": "0"},
    "a": {"href": r"https://attack\.mitre\.org/[\w/.-]*", "rel": "noreferrer"},
}
_WHOLE = frozenset(
    [
        "head",
        "iframe",
        "math",
        "noscript",
        "object",
        "script",
        "style",
        "svg",
        "template",
        "textarea",
        "title",
    ]
)
_VOID = frozenset({"br"})
_REFERENCE = re.compile(r"url\(#[\w-]+\)|#[\w-]+")


def harmless(notebook: Any) -> Any:
    """Return a copy of a notebook whose outputs are safe to put into a page."""
    made = copy.deepcopy(notebook)
    for cell in made.cells:
        if cell.cell_type == "code":
            cell.outputs = [one for output in cell.outputs for one in _shown(output)]
    return made


def html(text: str) -> str:
    """Return HTML put together anew: elements of ours, balanced; no style, script, address or id.

    HTML of our tables comes back as it was.
    """
    parser = _Rebuilding()
    parser.feed(text)
    parser.close()
    return parser.whole()


def picture(text: str) -> str | None:
    """Return an SVG that holds nothing but what `figures` draws with; None for any other."""
    if "<!" in text or "<?" in text:  # no document type: it could define entities
        return None
    try:
        root = ET.fromstring(text)  # noqa: S314 - without a document type
    except ET.ParseError:
        return None
    for element in root.iter():
        if element.tag.removeprefix(f"{{{SVG}}}") not in KEPT or not element.tag.startswith("{"):
            return None
        if not all(_is_plain(name, value) for name, value in element.attrib.items()):
            return None
    for element in root.iter():
        if element.text and element.text.strip():
            element.text = write_out(element.text)
    if "aria-label" in root.attrib:
        root.set("aria-label", write_out(root.attrib["aria-label"]))
    ET.register_namespace("", SVG)
    return ET.tostring(root, encoding="unicode") + "\n"


def _shown(output: Any) -> Iterator[dict[str, Any]]:
    data = output.get("data", {})
    if "text/html" in data:
        yield _display("text/html", html(joined(data["text/html"])))
        return
    drawn = picture(joined(data.get("image/svg+xml", "")))
    if drawn is not None:
        yield _display("image/svg+xml", drawn)
        return
    if output.output_type == "error":
        yield _display("text/plain", ANSI.sub("", "\n".join(output.traceback)))
        return
    text = joined(data.get("text/plain", output.get("text", "")))
    if text:
        yield _display("text/plain", ANSI.sub("", text))
    kinds = sorted(str(kind) for kind in data if not str(kind).startswith("text/"))
    if kinds:
        yield _display("text/plain", f"Not shown here: an output of the kind {', '.join(kinds)}.")


def _display(kind: str, content: str) -> dict[str, Any]:
    from nbformat import NotebookNode  # noqa: PLC0415 - where a notebook is

    made: dict[str, Any] = NotebookNode(
        output_type="display_data", metadata=NotebookNode(), data=NotebookNode({kind: content})
    )
    return made


def _is_plain(name: str, value: str) -> bool:
    if name.startswith("on") or name == "style":
        return False
    if name == "href" or "url(" in value:
        return _REFERENCE.fullmatch(value) is not None
    return not name.startswith("{") or name == "{http://www.w3.org/XML/1998/namespace}space"


class _Rebuilding(HTMLParser):
    """Writes what it reads: known elements with known attributes, text escaped, all of it closed."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._parts: list[str] = []
        self._open: list[str] = []
        self._dropping: list[str] = []

    def whole(self) -> str:
        """Return all that was read, the open elements closed."""
        return "".join([*self._parts, *(f"</{tag}>" for tag in reversed(self._open))])

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _WHOLE or self._dropping:
            self._dropping += [tag] if tag in _WHOLE else []
            return
        if tag not in ELEMENTS:
            return
        kept = [
            f' {name}="{escape(write_out(value))}"'
            for name, value in dict(attrs).items()
            if value is not None
            and re.fullmatch(ELEMENTS[tag].get(name, r"(?!)"), value, re.DOTALL)
        ]
        self._parts.append(f"<{tag}{''.join(kept)}>")
        if tag not in _VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._dropping:
            if tag in self._dropping:
                del self._dropping[self._dropping.index(tag) :]
            return
        if tag in self._open:
            while (last := self._open.pop()) != tag:
                self._parts.append(f"</{last}>")
            self._parts.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        if not self._dropping:
            lines = data.replace("\r\n", "\n").split("\n")
            self._parts.append(str(escape("\n".join(map(write_out, lines)))))
