"""What all figures share: the Picture, its SVG, its colours, and how alert text is written.

Pictures are SVG, the same bytes for the same data, made without pyplot, so that drawing has no
state and starts fast. Alert text is made visible and is never read as mathematics. The SVG holds
plain elements and attributes alone, no style sheet and no link: it may stand inside a page whose
policy allows no style but its own, where its text can be selected and searched.
"""

from __future__ import annotations

import hashlib
import io
import re
import unicodedata
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import matplotlib as mpl
from matplotlib.figure import Figure

from analysis.quoting import visible

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK, FAINT, LINE, PAPER, MARK = "#1d2733", "#4f5b68", "#9aa7b4", "#eef2f6", "#8a1c1c"
CELL = 0.602  # width of a character of DejaVu Sans Mono, in ems; no common fallback is wider

_STYLE: Any = {"svg.fonttype": "none", "font.size": 10}
SVG, _LINK = "http://www.w3.org/2000/svg", "{http://www.w3.org/1999/xlink}href"
KEPT = frozenset({"svg", "g", "path", "text", "tspan", "defs", "clipPath", "rect", "use"})
"""The elements that a picture is made of."""
_FAMILIES = {"mono": "'DejaVu Sans Mono', Menlo, Consolas, monospace", "sans": "'DejaVu Sans', "
             "Verdana, Arial, sans-serif"}  # fmt: skip
_PHONE = 300  # points; a wider figure is scrolled there, not shrunk
_WIDE = frozenset({"W", "F"})
_REFERENCE = re.compile(r"url\(#([^)]+)\)|^#(.+)$")
_MARKS = 2  # combining marks that a letter may carry; more would be drawn over other rows


@dataclass(frozen=True)
class Picture:
    """A matplotlib figure with its alternative text; shows itself as SVG in a notebook."""

    figure: Figure
    alt: str

    def svg(self) -> str:
        """Return the figure as SVG; the same data gives the same text."""
        buffer = io.BytesIO()
        # ids are made of this and of what they name: figures that say different things share none
        salt = hashlib.sha256(self.alt.encode()).hexdigest()
        style = _STYLE | {"svg.hashsalt": salt}
        with mpl.rc_context(style), warnings.catch_warnings():
            # a script that DejaVu lacks: the browser has a font for it, the text stays text
            warnings.filterwarnings("ignore", message="Glyph .* missing")
            self.figure.savefig(buffer, format="svg", metadata={"Date": None})
        return _plain(buffer.getvalue(), self.alt)

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
        data = {"image/svg+xml": self.svg(), "text/plain": self.alt}
        return data, {"image/svg+xml": {"alt": self.alt}}


def canvas(width: float, height: float) -> Axes:
    """Return axes of `width` by `height` inches, in inches, from the top left corner down."""
    figure = Figure(figsize=(width, height))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set(xlim=(0, width), ylim=(height, 0))
    return axes


def short(text: str, longest: int) -> str:
    """Return `text` made visible and cut to `longest` cells; wide characters take two.

    >>> short("curl -o /tmp/x", 8), short("日本語の名前", 8)
    ('curl -o…', '日本語…')
    """
    # so many of a hostile text are enough to fill the row
    text = _unstacked(visible(text[: 4 * longest + 8]))
    if cells(text) <= longest:
        return text
    kept, used = [], 0
    for character in text:
        used += cells(character)
        if used > longest - 1:
            break
        kept.append(character)
    return "".join(kept) + "…"


def cells(text: str) -> int:
    """Return how many cells of a fixed-width font `text` takes."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in _WIDE else 1
        for c in text
    )


def write(axes: Axes, x: float, y: float, text: str, **style: Any) -> None:
    """Write text, as text: a `$` in a command line is a dollar."""
    axes.text(x, y, text, parse_math=False, va="center", **({"color": INK} | style))


def counted(count: int, one: str, many: str = "") -> str:
    """Return a number with its noun: "1 alert", "4,998 alerts"."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def _unstacked(text: str) -> str:
    if text.isascii():
        return text
    shown, stacked = [], 0
    for character in text:
        stacked = stacked + 1 if unicodedata.category(character) in ("Mn", "Me") else 0
        shown.append(character if stacked <= _MARKS else f"⟨U+{ord(character):04X}⟩")
    return "".join(shown)


def _plain(svg: bytes, alt: str) -> str:
    """Return matplotlib's SVG with attributes for style, without metadata, named by `alt`."""
    ET.register_namespace("", SVG)
    root = ET.fromstring(svg)  # noqa: S314 - written by matplotlib just now
    for parent in root.iter():
        for child in list(parent):
            if child.tag.removeprefix(f"{{{SVG}}}") not in KEPT:
                parent.remove(child)
    used = {name for e in root.iter() for value in e.attrib.values() for name in _references(value)}
    for element in root.iter():
        style = element.attrib.pop("style", "")
        element.attrib.update(
            (name.strip(), _value(name.strip(), value.strip()))
            for name, _, value in (part.partition(":") for part in style.split(";"))
            if value
        )
        if element.get("id") not in used:
            element.attrib.pop("id", None)
        if target := element.attrib.pop(_LINK, ""):
            element.set("href", target)
        if element.get("transform", "").startswith("rotate(-0 "):
            del element.attrib["transform"]
    if float(root.attrib["width"].removesuffix("pt")) > _PHONE:
        root.set("class", "wide")
    root.attrib |= {"role": "img", "aria-label": alt, "stroke-linejoin": "round"}
    root.set("{http://www.w3.org/XML/1998/namespace}space", "preserve")
    return ET.tostring(root, encoding="unicode") + "\n"


def _references(value: str) -> list[str]:
    return [one or other for one, other in _REFERENCE.findall(value)]


def _value(name: str, value: str) -> str:
    if name == "font-family":
        return _FAMILIES["mono" if "Mono" in value else "sans"]
    return value
