"""Alert text without its secrets: in their place stand marks with their kind, ⟨redacted: password⟩.

In: text, records, frames as received, before anything is cut or escaped. Out: the same, each secret
value and nothing else replaced. Which values are secret is for `secret`; judging alerts is done on
their whole text, a mark is for eyes. Alert text that imitates a mark is shown as such.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from analysis.secret import hints, secrets_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_OPENING = "⟨redacted"
_IMITATION = "⟨U+27E8⟩redacted"
_MARK = re.compile(rf"{_OPENING}: ([\w ]+)⟩")
_STRING = re.compile(r'"((?:[^"\\]++|\\.)*+)"(\s*:)?', re.DOTALL)
_NESTED = 4  # JSON in a string of JSON: a container's log of a log is two


@dataclass(frozen=True, slots=True)
class Redacted:
    """Text without its secrets: what is shown, and of each secret its kind and its value."""

    text: str
    secrets: tuple[str, ...] = ()
    taken: tuple[str, ...] = ()


@lru_cache(maxsize=8_192)
def redact(text: str, before: str = "") -> Redacted:
    """Return `text` without its secrets.

    Parameters
    ----------
    text : str
        As received, whole.
    before : str
        What stands before it elsewhere and decides what it means: the program's name before
        arguments, a member's name before its value in JSON.
    """
    whole, start = before + text, len(before)
    spans = list(secrets_in(whole, start))
    if not spans and _OPENING not in text:
        return Redacted(text)
    parts, secrets, values, at = [], [], [], start
    for first, last, name in spans:
        parts += [whole[at:first].replace(_OPENING, _IMITATION), f"{_OPENING}: {name}⟩"]
        secrets.append(name)
        values.append(whole[first:last])
        at = last
    parts.append(whole[at:].replace(_OPENING, _IMITATION))
    return Redacted("".join(parts), tuple(secrets), tuple(values))


def redact_value(value: Any, before: str = "") -> tuple[Any, Redacted]:
    """Return a value of an alert without its secrets, and what they were; lists item by item."""
    if isinstance(value, str):
        done = redact(value, before)
        return done.text, done
    if isinstance(value, list | tuple):
        pairs = [redact_value(one, before) for one in value]
        return type(value)(shown for shown, _ in pairs), _all(done for _, done in pairs)
    if isinstance(value, dict):
        named = {key: redact_value(one, member(key)) for key, one in value.items()}
        shown = {key: one for key, (one, _) in named.items()}
        return shown, _all(done for _, done in named.values())
    return value, Redacted("")


def redact_raw(text: str, known: Mapping[str, str]) -> Redacted:
    """Return a record as received without its secrets: JSON string by string, else as one text.

    Parameters
    ----------
    text : str
        The record; whatever holds no secret stays as it is, to the character.
    known : mapping
        Strings of its alert, and each without its secrets.
    """
    found: list[Redacted] = []
    shown = _walk(text, known, found)
    if shown is None:
        parts = [_walk(line, known, found) for line in text.split("\n")]
        if all(part is None for part in parts):
            return redact_output(text, known)
        for at, line in enumerate(text.split("\n")):
            if parts[at] is None:
                found.append(redact_output(line, known))
                parts[at] = found[-1].text
        shown = "\n".join(part for part in parts if part is not None)
    return Redacted(shown, marks_in(shown), tuple(text for one in found for text in one.taken))


def without_secrets(text: str) -> str:
    """Return text that may hold a record, or a part of one, without its secrets."""
    return redact_raw(text, {}).text


def redact_output(text: str, known: Mapping[str, str]) -> Redacted:
    """Return text that was rendered from fields without its secrets.

    Parameters
    ----------
    text : str
        An alert's `output`, say.
    known : mapping
        Values of the fields, and each without its secrets: an argument that is none without the
        program's name, which text may not tell.
    """
    text = text.replace(_OPENING, _IMITATION)
    for value in sorted(known, key=len, reverse=True):
        if known[value] != value:
            own, shown = re.escape(value.replace(_OPENING, _IMITATION)), known[value]
            text = re.sub(rf"(?<![\w-]){own}(?![\w-])", shown.replace("\\", r"\\"), text)
    # what stands between the marks made by now
    parts = [redact(part) for part in text.split(_OPENING)]
    whole = _OPENING.join(part.text for part in parts)
    return Redacted(whole, marks_in(whole), tuple(text for part in parts for text in part.taken))


def marks_in(text: str) -> tuple[str, ...]:
    """Return the kinds of secrets that redacted text has marks of."""
    return tuple(_MARK.findall(text))


def redact_frame(frame: pd.DataFrame) -> pd.DataFrame:
    """Return alerts or processes whose texts hold no secret; each distinct one is read once.

    Fields of Falco's are looked at, and `output` and `unparsed`; no other column holds alert text.
    """
    made: dict[str, Any] = {}
    for name, column in frame.items():
        told = "." in str(name) or name in ("output", "unparsed")
        if not told or column.dtype.kind in "biufmM":
            continue
        codes, values = pd.factorize(column.astype("object").map(_hashable, na_action="ignore"))
        shown = values.tolist()
        for at in _worth_a_look(shown):
            shown[at] = redact_value(shown[at], member(name))[0]
        if any(one != other for one, other in zip(shown, values, strict=True)):
            made[str(name)] = _decoded(codes, shown, column)
    if "proc.args" in frame and "proc.name" in frame:  # an option's meaning depends on whose it is
        names, given = (frame[name].astype("object") for name in ("proc.name", "proc.args"))
        texts = [
            redact(args, f"{name} ").text if isinstance(args, str) else None
            for name, args in zip(names, given, strict=True)
        ]
        made["proc.args"] = pd.Series(texts, frame.index, dtype="str")
    done = frame.assign(**made)
    done.attrs = frame.attrs
    return done


def member(name: object) -> str:
    """Return what stands before the value of a member of this name, as JSON has it."""
    return f'"{name}":"'


def _decoded(codes: Any, shown: list[Any], column: pd.Series) -> pd.Series:
    values = np.empty(len(shown) + 1, dtype="object")  # the last stands for code -1
    values[:-1] = shown
    texts = all(isinstance(value, str) for value in shown)
    return pd.Series(values[codes], column.index, dtype="str" if texts else "object")


def _worth_a_look(values: list[Any]) -> Any:
    """Return the places of values that may hold a secret or a mark's imitation: most do not."""
    # a lone surrogate is no UTF-8
    texts = pa.array([str(one).encode("utf-8", "replace") for one in values], "large_binary")
    found = pc.match_substring_regex(texts, f"{_OPENING}|{hints()}", ignore_case=True)
    return np.flatnonzero(found.to_numpy(zero_copy_only=False))


def _hashable(value: Any) -> Any:
    return tuple(value) if isinstance(value, list | np.ndarray) else value


def _all(some: Iterable[Redacted]) -> Redacted:
    every = list(some)
    secrets = tuple(name for one in every for name in one.secrets)
    return Redacted("", secrets, tuple(value for one in every for value in one.taken))


def _walk(text: str, known: Mapping[str, str], found: list[Redacted], depth: int = 0) -> str | None:
    """Return JSON, or text that ends with it, with each string redacted; None if it holds none."""
    start = text.find("{")
    if start < 0 or depth > _NESTED:
        return None
    try:
        _, end = json.JSONDecoder(strict=False).raw_decode(text, start)
    except (ValueError, RecursionError):
        return None
    if text[end:].strip(" \t\r\n]"):
        return None
    before = ""

    def one(match: re.Match[str]) -> str:
        nonlocal before
        is_member = match[2] is not None
        token = match[0].removesuffix(match[2] or "")
        value = json.loads(token, strict=False)
        shown = known.get(value) or _walk(value, known, found, depth + 1)
        if shown is None:
            done = redact(value, "" if is_member else before)
            found.append(done)
            shown = done.text
        before = member(value) if is_member else ""
        made = token if shown == value else json.dumps(shown, ensure_ascii=False)
        return made + (match[2] or "")

    head = redact(text[:start])
    found.append(head)
    return head.text + _STRING.sub(one, text[start:])
