"""MITRE ATT&CK Enterprise, as far as rules and playbooks speak of it: names, tactics, pages.

In: ids and a rule's tags. Out: names, from attack.toml and tactics.toml. Checked against ATT&CK's own
data by `tests/tools/make_attack.py`.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from analysis.knowledge.loading import load as _load

if TYPE_CHECKING:
    from collections.abc import Iterable

# GCP's rules put words behind the number: T1562-impair-defenses, TA0005-defense-evasion
_ATTACK = re.compile(r"(TA?\d{4})(?:\.\d{3})?(?:-|\Z)")
_ATTACK_ID = re.compile(r"TA\d{4}|T\d{4}(?:\.\d{3})?", re.ASCII)
_TECHNIQUE = re.compile(r"(T\d{4}(?:\.\d{3})?)(?:-.*)?")


@cache
def techniques() -> dict[str, str]:
    """Return the names of the ATT&CK techniques and tactics that the kit speaks of, by id."""
    return {str(key): str(name) for key, name in _load("attack.toml").items()}


def attack_page(name: str) -> str:
    """Return the address of a technique's or tactic's page; empty for what is no id of ATT&CK."""
    if not _ATTACK_ID.fullmatch(name):
        return ""
    kind = "tactics" if name.startswith("TA") else "techniques"
    return f"https://attack.mitre.org/{kind}/{name.replace('.', '/')}/"


def techniques_of(tags: Iterable[str]) -> tuple[str, ...]:
    """Return the ATT&CK techniques that a rule's tags name; GCP's rules write T1562-impair-defenses."""
    return tuple(found[1] for tag in tags if (found := _TECHNIQUE.fullmatch(tag)))


@cache
def tactics() -> dict[str, str]:
    """Return the ATT&CK Enterprise tactics in the order of the kill chain: id -> name."""
    return {str(key): str(name) for key, name in _load("tactics.toml")["tactic"].items()}


@cache
def tactic_of(tag: str) -> str | None:
    """Return the tactic that a rule's tag or a technique means, by name: `tactics.toml`.

    >>> tactic_of("mitre_credential_access"), tactic_of("T1562-impair-defenses"), tactic_of("host")
    ('Credential Access', 'Defense Evasion', None)
    """
    named, odd = tactics(), _load("tactics.toml")["odd"]
    tag = odd.get(tag, tag)
    if tag.startswith("mitre_"):
        words = tag.removeprefix("mitre_").replace("_", " ")
        return next((name for name in named.values() if name.lower() == words), None)
    found = _ATTACK.match(tag)
    if found is None:
        return None
    tactic = _load("tactics.toml")["technique"].get(found[1], found[1])
    return named.get(tactic)
