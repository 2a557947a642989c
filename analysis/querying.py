"""The desk's query language: words, and fields compared with values, all of which hold.

In: alerts and a query. Out: which alerts meet it, as a boolean array. Each distinct value is tried
once. What a facet is, and what else is chosen, is for `facets`.
"""

from __future__ import annotations

import difflib
import operator
import re
import shlex
from typing import Any

import numpy as np
import pandas as pd

from analysis.knowledge.masks import each
from analysis.schema import PRIORITIES, parse_priority

COMPARISONS = ("=", "!=", "~", ">=", "<=", ">", "<")
"""What may stand between a field and a value; `~` is "contains"."""

_TERM = re.compile(r"([a-z][\w.]*(?:\[[^\]\s]*\])?)(!=|>=|<=|=|~|>|<)(.*)", re.DOTALL)
_ORDER = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}


def meets(alerts: pd.DataFrame, query: str) -> Any:
    """Return which alerts meet all terms of a query (bool array).

    A term is a field, a comparison of COMPARISONS and a value, as in `proc.exepath=/usr/bin/curl`
    or `priority>=Error`; any other word is looked for in every text of the alert. `~` and words
    ignore case. Quotes hold words together. `field=` finds alerts that do not tell the field; such
    alerts meet no other comparison, `!=` neither.

    Raises
    ------
    ValueError
        If no alert has a field, a value is none of its field's kind, or a quote has no end.
    """
    held: Any = np.ones(len(alerts), dtype=bool)
    for term in _terms(query):
        match = _TERM.fullmatch(term)
        held &= _compare(alerts, *match.groups()) if match else _anywhere(alerts, term)
    return held


def _terms(query: str) -> list[str]:
    try:
        lexer = shlex.shlex(query, posix=True, punctuation_chars=False)
        lexer.whitespace_split, lexer.commenters, lexer.escape = True, "", ""
        return list(lexer)
    except ValueError as error:
        raise ValueError(f"the query has a quote without its end: {query!r:.200}") from error


def column_of(alerts: pd.DataFrame, field: str) -> pd.Series:
    """Return a field's column; a ValueError names what is called nearly so."""
    if field not in alerts:
        near = difflib.get_close_matches(field, [str(name) for name in alerts], 3)
        hint = f"; did you mean {', '.join(near)}?" if near else ""
        raise ValueError(f"no alert here has a field {field!r:.80}{hint}")
    return alerts[field]


def _compare(alerts: pd.DataFrame, field: str, comparison: str, value: str) -> Any:
    column = column_of(alerts, field)
    if value == "" and comparison == "=":
        return missing(column)
    if comparison == "=":
        return equal(column, value)
    if comparison == "!=":
        return each(column, lambda own: str(own) != value) & ~missing(column)
    if comparison == "~":
        return _contains(column, value)
    return _ordered(column, field, _ORDER[comparison], value)


def _ordered(column: pd.Series, field: str, holds: Any, value: str) -> Any:
    if field == "priority":
        known = parse_priority(value)
        if known is None:
            raise ValueError(f"{value!r:.80} is none of the priorities: {', '.join(PRIORITIES)}")
        return holds(column, known).fillna(value=False).to_numpy(bool)
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        return holds(column, moment(value)).fillna(value=False).to_numpy(bool)
    try:
        bound = float(value)
    except ValueError:
        raise ValueError(f"{field} can be compared with a number, not with {value!r:.80}") from None
    if not pd.api.types.is_numeric_dtype(column.dtype):
        raise ValueError(f"{field} holds no numbers: use =, != or ~")
    # a float would take two near integers for one
    exact = int(value) if re.fullmatch(r"[+-]?\d+", value) else bound
    return holds(column, exact).fillna(value=False).to_numpy(bool)


def equal(column: pd.Series, value: str) -> Any:
    """Return where the field, as it is written, is `value`."""
    return each(column, lambda own: str(own) == value)


def missing(column: pd.Series) -> Any:
    """Return where an alert does not tell the field."""
    return ~each(column, lambda own: own != "")


def _contains(column: pd.Series, value: str) -> Any:
    sought = value.casefold()
    return each(column, lambda own: sought in str(own).casefold())


def _anywhere(alerts: pd.DataFrame, word: str) -> Any:
    """Return where any text of the alert holds the word."""
    held = np.zeros(len(alerts), dtype=bool)
    for name in alerts:
        told = name in ("rule", "hostname", "output", "unparsed") or "." in str(name)
        if told and _is_text(alerts[name]):
            held |= _contains(alerts[name], word)
    return held


def _is_text(column: pd.Series) -> bool:
    dtype = column.dtype
    own = dtype.categories.dtype if isinstance(dtype, pd.CategoricalDtype) else dtype
    return not (pd.api.types.is_numeric_dtype(own) or own.kind in "mMb")


def moment(time: str | pd.Timestamp) -> pd.Timestamp:
    """Return a time; one without a zone is UTC."""
    try:
        read = pd.Timestamp(time)
    except ValueError:
        raise ValueError(f"{time!r:.80} is no time") from None
    return read.tz_localize("UTC") if read.tz is None else read.tz_convert("UTC")
