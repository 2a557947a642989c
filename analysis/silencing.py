"""What silences a Falco rule for some alerts: as Falco rules YAML, and applied to alerts here.

In: fields, comparisons and rows of values. Out: an item for a rules file, and which alerts it
silences. Which fields and values to take is for `tuning`. The values are alert text, so written by
an attacker: each is quoted for Falco's condition language, then for YAML, or refused.

Sources: Falco `rule_loader_compiler.cpp` (an exception becomes a condition as text, in which names
of lists are then replaced), libs `filter/parser.cpp` and `filter/escaping.cpp` (quoted text).
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd
import yaml

if TYPE_CHECKING:
    from collections.abc import Iterable

LONGEST = 200
"""Characters of a value: more of it nobody checks with the eye."""

_NUMBER = re.compile(r"-?[0-9]{1,19}")
# what Falco lets stand around the name of a list that it replaces, quoted or not
_EDGE = r"[ \t\n\r(),=]"


@dataclass(frozen=True, slots=True)
class Silencer:
    """What has, in one of `rows`, each field's value by its comparison, does not alert.

    `comparisons` are Falco's `=`, `startswith` and `pmatch` (the path itself, or below it).
    """

    rule: str
    fields: tuple[str, ...]
    comparisons: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    @property
    def name(self) -> str:
        """A name for the exception, from its content: the same again if proposed again."""
        content = json.dumps([self.rule, self.fields, self.comparisons, self.rows])
        return f"casebook_{hashlib.sha256(content.encode()).hexdigest()[:8]}"

    @property
    def condition(self) -> str:
        """The condition, in brackets, that holds for what is silenced."""
        rows = (
            " and ".join(
                f"{field} {how} {f'({literal(value)})' if how == 'pmatch' else literal(value)}"
                for field, how, value in zip(self.fields, self.comparisons, row, strict=True)
            )
            for row in self.rows
        )
        return "(" + " or ".join(f"({row})" for row in rows) + ")"

    def as_exception(self) -> dict[str, Any]:
        """Return the item that appends an exception to the rule, whatever its condition."""
        exception = {
            "name": self.name,
            "fields": list(self.fields),
            "comps": list(self.comparisons),
            "values": [[literal(value) for value in row] for row in self.rows],
        }
        return {
            "rule": self.rule,
            "exceptions": [exception],
            "override": {"exceptions": "append"},
        }

    def as_condition(self) -> dict[str, Any]:
        """Return the item that appends to the rule's condition; wrong behind an open `or`."""
        condition = f"and not {self.condition}"
        return {"rule": self.rule, "condition": condition, "override": {"condition": "append"}}

    def as_macro(self, macro: str) -> dict[str, Any]:
        """Return the item that appends to a macro which the rule's condition excludes."""
        condition = f"or {self.condition}"
        return {"macro": macro, "condition": condition, "override": {"condition": "append"}}

    def silences(self, texts: pd.DataFrame) -> pd.Series:
        """Return for each alert whether it is silenced; a field that lacks matches nothing.

        Parameters
        ----------
        texts : DataFrame
            A column per field, as `text_of` returns them.
        """
        found = pd.Series(False, index=texts.index)
        for row in self.rows:
            holds = pd.Series(True, index=texts.index)
            for field, how, value in zip(self.fields, self.comparisons, row, strict=True):
                holds &= _holds(texts[field], how, value)
            found |= holds
        return found


def _holds(text: pd.Series, how: str, value: str) -> pd.Series:
    if how == "startswith":
        answer = text.str.startswith(value)
    elif how == "pmatch":
        answer = (text == value) | text.str.startswith(f"{value.rstrip('/')}/")
    else:
        answer = text == value
    return answer.fillna(False).astype(bool)


def text_of(column: pd.Series) -> pd.Series:
    """Return a field's values as Falco would compare them, as text; missing where not told.

    Empty text and `<NA>` are not told; nor are values of an object column that are no text.
    """
    if column.dtype == object:
        return column.where(column.map(lambda one: isinstance(one, str))).astype("str")
    text = column.astype("str")
    if pd.api.types.is_bool_dtype(column.dtype):
        text = text.str.lower()
    return text.where(text.notna() & ~text.isin(["", "<NA>"]))


def literal(value: str) -> str:
    r"""Return a value as Falco's condition language writes it: numbers bare, all else quoted.

    >>> print(literal("-1"), literal('sh -c "id"'))
    -1 "sh -c \"id\""
    """
    if _NUMBER.fullmatch(value):
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def refusal(value: str, lists: Iterable[str] = ()) -> str:
    """Return why a value cannot stand in a Falco condition, or nothing.

    Parameters
    ----------
    value : str
        As the alert holds it.
    lists : iterable of str
        Names of lists that the rules files define: Falco replaces them inside quotes too.
    """
    if not value.isprintable() or "\ufffd" in value:
        return "holds characters that cannot be written or were lost on the way"
    if value.endswith("\\"):
        return "ends with a backslash, which Falco takes for part of the closing quote"
    if len(value) > LONGEST:
        return f"is longer than {LONGEST} characters"
    quoted = literal(value)
    hit = next((n for n in lists if re.search(f"{_EDGE}{re.escape(n)}{_EDGE}", quoted)), None)
    return f"holds the name of the list {hit!r}, which Falco would replace" if hit else ""


def write(item: dict[str, Any]) -> str:
    """Return an item as YAML for a rules file that is loaded after the rule's own."""
    layout = {"sort_keys": False, "default_flow_style": None, "width": float("inf")}
    return yaml.safe_dump([item], allow_unicode=True, **layout)  # type: ignore[no-any-return]
