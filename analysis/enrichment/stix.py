"""STIX 2.1 patterns, as far as an alert can answer them: a value that is equal, or one of several.

In: a pattern. Out: object paths and values, any of which fulfils it; or None where it asks more
(AND, NOT, ranges, LIKE, MATCHES, sequences and times of observations), for half a pattern would
be another claim. Source: STIX 2.1 (OASIS, 2021), section 9.
"""

from __future__ import annotations

import re

_TEXT = r"'(?:[^'\\]|\\.)*'"
_PATH = r"[\w-]+:(?:[\w-]+|'[^'\\]+')(?:\.(?:[\w-]+|'[^'\\]+'))*"
# possessive: what a run of blanks took is not tried in pieces
_LIST = rf"\(\s*+{_TEXT}(?:\s*+,\s*+{_TEXT})*+\s*+\)"
_ONE = rf"{_PATH}(?:\s*+==?\s*+{_TEXT}|\s++IN\s*+{_LIST})"
_SOME = rf"\[\s*+{_ONE}(?:\s++OR\s++{_ONE})*+\s*+\]"
_WHOLE = re.compile(rf"\s*+{_SOME}(?:\s*+OR\s*+{_SOME})*+\s*+")
_PARTS = re.compile(rf"({_TEXT})|({_PATH})")
_LONGEST = 20_000


def alternatives(pattern: str) -> list[tuple[str, str]] | None:
    r"""Return (object path, value) pairs, any of which fulfils a pattern; None if it asks more.

    >>> alternatives("[ipv4-addr:value = '198.51.100.7' OR file:name IN ('a', 'b')]")
    [('ipv4-addr:value', '198.51.100.7'), ('file:name', 'a'), ('file:name', 'b')]
    >>> alternatives("[file:name = 'a' AND file:size > 7]") is None
    True
    """
    if len(pattern) > _LONGEST or not _WHOLE.fullmatch(pattern):
        return None
    found, path = [], ""
    for text, named in _PARTS.findall(pattern):
        if named:
            path = named.replace("'", "")
        else:
            found.append((path, re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.DOTALL)))
    return found
