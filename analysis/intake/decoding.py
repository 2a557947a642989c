"""Text -> JSON values, exactly, or the reason why not: nothing is bent, and nothing is too much.

In: the text of one record. Out: the documents in it, and what stands behind them. What Python's
reader lets pass and JSON does not know (NaN, a key that occurs twice) is an error here.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

DEEPEST = 200
"""Brackets that may stand one in the other."""

MOST_VALUES = 1 << 22
"""Values of one record, about: brackets and commas. Each takes up to 200 bytes of memory."""

_SURROGATE = re.compile("[\ud800-\udfff]")
_BETWEEN = re.compile(r'[^\w{\["]*+')


def decode_json(text: str) -> tuple[list[Any], str]:
    """Decode the JSON documents that stand one after the other in `text`, exactly, and what is left.

    Punctuation between and after them is dropped; what is left begins with what is no document.

    Raises
    ------
    ValueError
        If the first is no JSON, or a key occurs twice, a number is NaN, nesting is too deep, or
        there is too much in it.
    """
    if is_too_much(text):
        raise ValueError(f"more than {MOST_VALUES} values in one record")
    found: list[Any] = []
    at = 0
    try:
        while at < len(text) and (not found or text[at] in "{["):
            try:
                value, at = _DECODER.raw_decode(text, at)
            except (ValueError, RecursionError):
                if found:
                    break
                raise
            found.append(value)
            at = _BETWEEN.match(text, at).end()  # type: ignore[union-attr]
        if text.count("{") + text.count("[") > DEEPEST:
            _check_depth(found)
        found = _clean(found) if "\\ud" in text or "\\uD" in text else found
        return found, text[at:]
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except json.JSONDecodeError as error:
        where = f"column {error.colno}" if error.lineno == 1 else f"its line {error.lineno}"
        raise ValueError(f"no JSON: {error.msg.removesuffix(' at')} at {where}") from None
    except ValueError as error:
        if "limit" in str(error):  # Python's own words on integers of more than 4300 digits
            raise ValueError("a number has more digits than a reader can hold") from None
        raise


def is_too_much(text: str | bytes) -> bool:
    """Return whether a record holds more values than memory is good for."""
    if len(text) < MOST_VALUES:
        return False
    marks: Any = (b"{", b"[", b",") if isinstance(text, bytes) else ("{", "[", ",")
    return sum(map(text.count, marks)) > MOST_VALUES


def _check_depth(values: list[Any]) -> None:
    """Raise ValueError where brackets are nested so deep that what comes after may not follow."""
    level: list[Any] = values
    for _ in range(DEEPEST + 1):
        level = [
            one
            for value in level
            if isinstance(value, dict | list)
            for one in (value.values() if isinstance(value, dict) else value)
            if isinstance(one, dict | list)
        ]
        if not level:
            return
    raise ValueError("nested too deeply")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"the key {name!r:.60} occurs twice: which value holds is not known")
        found[name] = value
    return found


def _no_constant(name: str) -> None:
    raise ValueError(f"no JSON: {name} is no JSON number")


def _finite(text: str) -> float:
    if math.isinf(number := float(text)):
        raise ValueError(f"the number {text:.40} is beyond what a reader can hold")
    return number


def _clean(value: Any) -> Any:
    """Replace lone surrogates, which no UTF-8 can hold, by U+FFFD."""
    if isinstance(value, str):
        return _SURROGATE.sub("\ufffd", value)
    if isinstance(value, list):
        return [_clean(one) for one in value]
    if isinstance(value, dict):
        return {_clean(key): _clean(one) for key, one in value.items()}
    return value


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite
)
