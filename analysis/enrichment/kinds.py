"""Kinds of indicators: in which Falco fields each may stand, and when two spellings are one value.

In: values of lists and of alerts. Out: values in one form, or none. Which kinds there are stands in
`indicators.toml`. Values are compared as a whole; nothing is a prefix, a pattern or a range.
"""

from __future__ import annotations

import ipaddress
import re
import tomllib
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of indicator."""

    kind: str
    names: tuple[str, ...]
    paths: tuple[str, ...]
    form: str
    severity: str
    fields: Mapping[str, str]
    """Each Falco field that may hold it, and how it is read: one of READINGS."""

    def shape(self, text: str) -> str | None:
        """Return a value in the kind's one form; None if it is none of the kind."""
        return _FORMS[self.form](text)


@cache
def kinds() -> dict[str, Kind]:
    """Return the kinds by their own names."""
    text = (files(__package__) / "indicators.toml").read_text(encoding="utf-8")
    return {
        one["kind"]: Kind(**one | {key: tuple(one[key]) for key in ("names", "paths")})
        for one in tomllib.loads(text)["kind"]
    }


@lru_cache(maxsize=1024)
def kind_of(name: str) -> Kind | None:
    """Return the kind that a list's type or a STIX object path names."""
    wanted = name.strip().lower().replace("'", "")
    for kind in kinds().values():
        if wanted in (*kind.names, *(path.lower() for path in kind.paths)):
            return kind
    return None


def _address(text: str) -> str | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def _domain(text: str) -> str | None:
    name = text.lower().removesuffix(".")
    # an address is no name, although its digits and dots could be one's
    sound = re.fullmatch(r"[\w-]+(?:\.[\w-]+)+", name) and not _address(name)
    return name if sound else None


def _sha256(text: str) -> str | None:
    return text.lower() if re.fullmatch(r"[0-9A-Fa-f]{64}", text) else None


_FORMS: dict[str, Callable[[str], str | None]] = {
    "address": _address,
    "domain": _domain,
    "sha256": _sha256,
    "name": lambda text: text if "/" not in text else None,
    "path": lambda text: text if text.startswith("/") else None,
    "text": lambda text: text,
}

# `1.2.3.4:80->5.6.7.8:443`, or one end alone; IPv6 without brackets (libs, ipv6tuple_to_string)
_END = re.compile(r"\[?(.+?)\]?:\d+")
_BARE = r"\w.-"
# a host stands alone, or after //, @ or bash's /dev/tcp/; a file's name in a path does not
_HOST = re.compile(rf"(?:(?<=//)|(?<=@)|(?<=/dev/tcp/)|(?<=/dev/udp/)|(?<![/{_BARE}]))[{_BARE}]+")
_IPV6 = re.compile(r"[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*")


def _socket(text: str) -> Iterable[str]:
    return [end[1] for part in text.split("->") if (end := _END.fullmatch(part))]


def _hosts(text: str) -> Iterable[str]:
    return [*_HOST.findall(text), *_IPV6.findall(text)]


READINGS: dict[str, tuple[str, Callable[[str], Iterable[str]]]] = {
    "value": ("the value of", lambda text: [text]),
    "items": ("one of the values of", lambda text: text.split(",")),
    "socket": ("an address in", _socket),
    "words": ("a word of", lambda text: [one.strip("\"'`()<>;,") for one in text.split()]),
    "hosts": ("named in", _hosts),
    "base": (
        "the last part of the path in",
        lambda text: [text.rpartition("/")[2]] if text.startswith("/") else [],
    ),
    "digest": (
        "the digest in",
        lambda text: [text.removeprefix("sha256:")] if text.startswith("sha256:") else [],
    ),
}
"""How a field's value is read: in words, and the values that it may hold."""
WHOLE = frozenset({"value", "items", "socket", "digest"})
"""Readings of what the sensor itself wrote; the others are taken out of free text."""
