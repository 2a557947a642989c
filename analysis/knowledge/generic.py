"""A generic playbook for a rule that has none: what its tags, source and fields say, and no more.

In: the generic playbook of the event source, the rule's name and tags, the fields that its output
prints, and the rule itself where the user's rules files have it. Out: a playbook, marked generic.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePath
from typing import TYPE_CHECKING

from analysis.knowledge import known_fields, tactic_of, techniques, techniques_of
from analysis.knowledge.model import Deciding, Playbook, Step

if TYPE_CHECKING:
    from collections.abc import Iterable

    from analysis.knowledge.rules import Rule


def generic_playbook(
    base: Playbook, name: str, tags: Iterable[str], fields: Iterable[str], own: Rule | None = None
) -> Playbook:
    """Return `base` with what is known of this one rule.

    Parameters
    ----------
    base : Playbook
        The generic one of the event source.
    name : str
        The rule's.
    tags : iterable of str
        The alert's; where it has none, those of `own` hold.
    fields : iterable of str
        What the rule's output prints: its author wants them read.
    own : Rule, optional
        The rule as the user's rules files define it.
    """
    said = list(tags) or list(own.tags if own else ())
    found = list(dict.fromkeys(techniques_of(said)))
    tactics = list(dict.fromkeys(filter(None, map(tactic_of, said))))
    parts = [f"This is a generic playbook: the kit has none for the rule “{name}”."]
    if own:
        parts.append(f"The rules files given say of the rule: “{own.description}”")
    if found or tactics:
        named = [f"{one} {techniques().get(one, '')}".strip() for one in found]
        parts.append(f"Its tags stand for {', '.join((*named, *tactics))}.")
    known = {one.field for one in base.deciding}
    why = "the rule's own output prints it" if own else "the alert brings it"
    deciding = [
        Deciding(field, f"{why}: {meaning.meaning}")
        for field in dict.fromkeys(fields)
        if field not in known and (meaning := known_fields().get(field))
    ]
    return replace(
        base,
        meaning=" ".join([*parts, base.meaning.strip()]),
        techniques=tuple(found) or base.techniques,
        deciding=(*base.deciding, *deciding),
        step=(*_steps(own), *base.step),
    )


def _steps(own: Rule | None) -> list[Step]:
    if own is None:
        return []
    place = f"{PurePath(own.defined.file).name}, line {own.defined.line}"
    names = ", ".join((*own.macros, *own.lists))
    also = f", and the macros and lists that it names: {names}" if names else ""
    how = f"Read its condition ({place}){also}; then whether the sensor loaded this version."
    return [Step("Which part of the rule's condition did this event meet?", how)]
