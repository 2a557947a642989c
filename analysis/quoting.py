"""The one place where alert text becomes something that a reader, browser or shell takes in.

Alert text is written by whoever ran the process, so by an attacker. `visible` is for eyes
(terminal, figures), `templates` renders HTML with every value made visible and escaped, `fill`
puts values into shell commands, `to_csv` into spreadsheets. Nothing here knows what a field means.
"""

from __future__ import annotations

import csv
import re
import shlex
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from analysis.characters import write_out

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pandas as pd

_FORMULA = re.compile(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]")
LONGEST = 2_000
"""Characters of one value that a table or a claim shows; the raw alert keeps the rest."""

# a Falco field has a dot in its name; `{print $1}`, `{{.ID}}` and `{}` in a command are its own.
# Plugins' fields may have capitals (gcp.projectId) and a JSON pointer (json.value[/a/b]).
_PLACEHOLDER = re.compile(r"\{([a-z][a-z0-9_]*(?:\.[A-Za-z0-9_]+)+(?:\[[\w/]+\])?|window_[a-z]+)\}")


def visible(text: str, *, longest: int = LONGEST) -> str:
    r"""Return `text` with each character that an eye could miss written out, as in ⟨U+202E⟩.

    Control characters, bidirectional overrides, zero-width characters, line separators and odd
    blanks are written out: all that `str.isprintable` refuses (Unicode categories C* and Z*, but
    for the plain blank), what shows nothing all the same, and letters of other scripts that copy
    a Latin one inside a Latin word. Text beyond `longest` characters is cut, and says so.
    """
    cut = write_out(text[:longest])
    return cut if len(text) <= longest else f"{cut}⟨… {len(text) - longest:,} characters more⟩"


def _finalize(value: Any) -> Any:
    """Make every value of a template visible; Jinja's autoescape then makes it harmless."""
    if isinstance(value, Markup):
        return value
    return visible(str(value)) if value is not None else ""


@cache
def templates() -> Environment:
    """Return the Jinja environment of `analysis/templates`: autoescaped, values made visible."""
    return Environment(
        loader=PackageLoader("analysis", "templates"),
        autoescape=True,
        finalize=_finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def to_csv(frame: pd.DataFrame, path: str | Path) -> None:
    """Write a frame as CSV that a spreadsheet opens as text: visible, and no cell is a formula.

    A text that begins like a formula (`=`, `+`, `-`, `@`; OWASP, CSV injection) gets an apostrophe
    before it. Tab and line end, which begin one as well, are written out.
    """
    shown = {
        name: column.map(_cell, na_action="ignore") if column.dtype.kind not in "iufbmM" else column
        for name, column in frame.items()
    }
    made = type(frame)(shown, index=frame.index).rename(columns=_cell)
    made.to_csv(path, index=False, quoting=csv.QUOTE_NONNUMERIC, encoding="utf-8")


def show_frames_as_text() -> None:
    """Have pandas show frames in a notebook without mathematics, and styled cells without markup.

    pandas escapes a frame's own HTML, but lets MathJax read the `$` in it (and in a Styler's), and
    a Styler's cells stand in HTML as they are. Its headers stand so whatever is set: a Styler over
    alert text wants `format_index(escape="html", axis=...)` for each axis that holds any.
    """
    import pandas as pd  # noqa: PLC0415 - help must not wait for it

    pd.set_option("display.html.use_mathjax", False)
    pd.set_option("styler.html.mathjax", False)
    pd.set_option("styler.format.escape", "html")


def _cell(value: object) -> str:
    text = visible(str(value))
    return f"'{text}" if _FORMULA.match(text) else text


@dataclass(frozen=True, slots=True)
class Withheld:
    """Why a command is not shown: the field, and what is wrong with it."""

    field: str
    reason: str


def placeholders(template: str) -> list[str]:
    """Return the names in braces, in order, each once."""
    return list(dict.fromkeys(_PLACEHOLDER.findall(template)))


def fill(template: str, values: Mapping[str, Any], legal: Mapping[str, str]) -> str | Withheld:
    """Put `values` into a shell command, or say why that would not be safe.

    A value must match its field's `legal` pattern as a whole, must be printable, and is then
    quoted by `shlex.quote`: quoting alone lets a pod named `--help` through as an option.

    Parameters
    ----------
    template : str
        A command with `{field}` wherever a whole shell word or a part of one stands, unquoted.
    values : mapping
        Field name to value.
    legal : mapping
        Field name to regular expression; a field without one is never put into a command.
    """
    for name in placeholders(template):
        value = values.get(name)
        if value is None:
            return Withheld(name, "this alert has no value for it")
        text = str(value)
        if not text.isprintable() or not re.fullmatch(legal.get(name, r"(?!)"), text):
            return Withheld(
                name,
                f"its value {visible(text, longest=80)!r} is no legal {name}; not put into a command",
            )
    return _PLACEHOLDER.sub(lambda match: shlex.quote(str(values[match[1]])), template)
