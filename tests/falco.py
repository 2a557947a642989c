"""A small reading of Falco's rule language, written apart from the kit, to check what it writes.

`expand` turns an exception into the condition text that Falco's compiler makes of it; `matches`
parses a condition as libs' filter parser does, as far as exceptions need, and evaluates it over
the output fields of an alert as JSON. Nothing here comes from `analysis`.
"""

from __future__ import annotations

import re

_FIELD = re.compile(r"[a-z][\w]*(?:\.[A-Za-z]\w*)+(?:\[[^\]]*\])?")
_BARE = re.compile(r"[^ \t\n\r(),=\"']+")
_ESCAPES = {"\\": "\\", '"': '"', "'": "'", "/": "/", "n": "\n", "t": "\t", "r": "\r"}


def expand(exception: dict) -> str:
    """Return an exception's condition, as Falco joins it together from text."""
    rows = []
    for row in exception["values"]:
        assert len(row) == len(exception["fields"])
        parts = []
        for field, how, value in zip(exception["fields"], exception["comps"], row, strict=True):
            assert isinstance(value, str)
            text = f'"{value}"' if " " in value and value[0] not in "\"'" else value
            if how in ("in", "pmatch", "intersects") and not text.startswith("("):
                text = f"({text})"
            parts.append(f"{field} {how} {text}")
        rows.append("(" + " and ".join(parts) + ")")
    return "(" + " or ".join(rows) + ")"


def matches(condition: str, fields: dict) -> bool:
    """Return whether an event with these fields meets a condition; all of it must parse."""
    parser = _Parser(condition, fields)
    answer = parser.either()
    parser.blank()
    assert parser.at == len(condition), f"left over: {condition[parser.at :]!r}"
    return answer


class _Parser:
    def __init__(self, text: str, fields: dict) -> None:
        self.text, self.fields, self.at = text, fields, 0

    def blank(self) -> None:
        while self.text[self.at : self.at + 1].isspace():
            self.at += 1

    def take(self, word: str) -> bool:
        self.blank()
        if self.text.startswith(word, self.at):
            self.at += len(word)
            return True
        return False

    def either(self) -> bool:
        answer = self.both()
        while self.take("or "):
            answer = self.both() or answer
        return answer

    def both(self) -> bool:
        answer = self.negated()
        while self.take("and "):
            answer = self.negated() and answer
        return answer

    def negated(self) -> bool:
        if self.take("not "):
            return not self.negated()
        if self.take("("):
            answer = self.either()
            assert self.take(")"), self.text[self.at :]
            return answer
        return self.check()

    def check(self) -> bool:
        field = _FIELD.match(self.text, self.at)
        assert field, f"no field at {self.text[self.at :]!r}"
        self.at = field.end()
        have = self.fields.get(field[0])
        have = str(have).lower() if isinstance(have, bool) else have
        have = None if have is None else str(have)
        if self.take("pmatch "):
            assert self.take("(")
            want = self.value()
            assert self.take(")")
            parts = want.strip("/").split("/")
            return have is not None and have.strip("/").split("/")[: len(parts)] == parts
        if self.take("startswith "):
            want = self.value()
            return have is not None and have[: len(want)] == want
        assert self.take("= ")
        return self.value() == have

    def value(self) -> str:
        self.blank()
        if self.text[self.at] not in "\"'":
            bare = _BARE.match(self.text, self.at)
            assert bare, f"no value at {self.text[self.at :]!r}"
            self.at = bare.end()
            return bare[0]
        quote, start = self.text[self.at], self.at + 1
        end = start
        # as Falco's lexer does: a quote ends the text unless a backslash stands before it
        while self.text[end] != quote or self.text[end - 1] == "\\":
            end += 1
        self.at = end + 1
        found, rest = "", iter(self.text[start:end])
        for letter in rest:
            found += _ESCAPES[next(rest)] if letter == "\\" else letter
        return found
