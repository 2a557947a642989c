"""Which part of a text is a secret, by the forms that `knowledge/secrets.toml` knows.

In: text. Out: spans with the kind of each. An attacker could write a secret's flag before what
nobody should see: so a value ends where a shell would run what follows, and what a shell would put
in its place (`$(…)`), the name of a file, or a placeholder is no secret. Knows forms only: a
password without a flag, a name or a form of its own is not found.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from analysis.knowledge.loading import load

if TYPE_CHECKING:
    from collections.abc import Iterator

# a value: a text in quotes that no shell would run, or a word
_QUOTED = r"(?<=[\"'])[^'\"\n;|&<>()$`\\]{1,200}(?=[\\]*[\"'])"
_VALUES = {
    "{value}": rf"[\"']?(?P<secret>{_QUOTED}|[^\s\"']+)",
    "{part}": rf"[\"']?(?P<secret>{_QUOTED}|[^\s\"'&;,]+)",
}
_BEHIND = r"(?:(?<![\w./:@-])|(?<=bin/))(?<!--name )(?<!--name=)(?<!--link )(?<!--host )(?<!-h )(?<!ssh )(?:{program})(?=\s)"
# behind these, text is a script, in which these characters end a word or are code
_SCRIPT = re.compile(
    r"(?<![\w-])(?:(?:\w{0,8}sh|su|runuser|python[\d.]*|perl|ruby|node|php|lua\w*)\s+(?:-\S+\s+)*?"
    r"-\w*[cer]|ssh|eval|watch|system)(?=[\s(])"
)
_FAR = 4_096  # characters back that are looked at: as many of the arguments as Falco reads
_CODE = re.compile(r"[;|&<>()`]|\$[({]")
_SUBSTITUTED = re.compile(r"`|\$[({]")
_VARIABLE = re.compile(r"\$\w+|%\w+%")
_NOT_SECRET = re.compile(
    r"\|.*|/|\*+|[xX]{3,}|\.+|[|*?\\\][^(){}.,;:]+|\{\{.*|<[^<>]*>?|\[\w*\]|\(?\.[*+]\)?\S*"
    r"|(?i:true|false|yes|no|none|null|nil|stdin|prompt)|(?:env|file|fd):.*|@/.*"
    r"|(?:A3T[A-Z0-9]|AKIA|ASIA|AROA|AIDA)[A-Z0-9]{12,}"
    r"|(?:~|\.{1,2})/.*|/(?:bin|boot|data|dev|etc|home|lib|lib64|media|mnt|opt|proc|root|run"
    r"|sbin|srv|sys|tmp|usr|var|secrets?|vault|app|host|config|certs?)(?:/.*)?",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class _Secret:
    name: str
    hint: tuple[str, ...]
    pattern: re.Pattern[str]
    program: re.Pattern[str] | None
    unless: re.Pattern[str] | None


@cache
def hints() -> str:
    """Return a regular expression (`re` and RE2, no matter the case) without which text has none."""
    return "|".join(sorted({re.escape(word) for one in _secrets() for word in one.hint}))


def secrets_in(text: str, start: int = 0) -> Iterator[tuple[int, int, str]]:
    """Yield (begin, end, kind) of each secret in `text[start:]`, in order; none meets another.

    What stands before `start` is context: it decides what an option means.
    """
    # where some meet, the first one's kind stands
    merged: list[tuple[int, int, str]] = []
    for first, last, name in sorted(_spans(text, start), key=lambda span: span[0]):
        if merged and first < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], last), merged[-1][2])
        else:
            merged.append((first, last, name))
    yield from merged


def _spans(whole: str, start: int) -> Iterator[tuple[int, int, str]]:
    small = whole.lower()
    for secret in _secrets():
        if not any(word in small for word in secret.hint):
            continue
        for match in secret.pattern.finditer(whole):
            first, last = match.span("secret")
            at = match.start()
            far = max(0, at - _FAR)
            # a program's options stand in its own command
            own = max(far, 1 + max(whole.rfind(end, far, at) for end in ";|&\n"))
            if secret.program and not secret.program.search(whole, own, at):
                continue
            if secret.unless and secret.unless.search(whole, own, at):
                continue
            last = first + _length(whole[far:first], whole[first:last])
            if max(first, start) < last:
                yield max(first, start), last, secret.name


def _length(before: str, value: str) -> int:
    """Return how many characters of a value are secret: 0 where it is none."""
    code, is_variable = _CODE.search(value), _VARIABLE.fullmatch(value)
    if code or is_variable:
        if _SCRIPT.search(before) is None:
            code, is_variable = _SUBSTITUTED.search(value), None
        if code:
            value = value[: code.start()]
    return 0 if is_variable or _NOT_SECRET.fullmatch(value) else len(value)


@cache
def _secrets() -> tuple[_Secret, ...]:
    def behind(program: str | None) -> re.Pattern[str] | None:
        return re.compile(_BEHIND.replace("{program}", program)) if program else None

    def filled(pattern: str) -> str:
        for name, form in _VALUES.items():
            pattern = pattern.replace(name, form)
        return pattern

    return tuple(
        _Secret(
            one["name"],
            tuple(one["hint"]),
            re.compile(filled(one["pattern"]), re.DOTALL),
            behind(one.get("program")),
            behind(one.get("unless")),
        )
        for one in load("secrets.toml")["secret"]
    )
