"""Does an alert support a condition? Yes, no, or not known: three answers, never two.

A condition over a field that the alert lacks is neither true nor false (Kleene's logic): the
answer is None and the field is named, so that a report can say what would decide it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from analysis.knowledge import names

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from analysis.knowledge import Condition


@dataclass(frozen=True, slots=True)
class Verdict:
    """`holds` is True, False or None; `fields` are those that decided, `needs` those that lack."""

    holds: bool | None
    fields: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()


def test(condition: Condition, facts: Mapping[str, Any]) -> bool | None:
    """Return whether `facts` meet one condition; None where its field is not known."""
    if condition.operator == "present":
        return bool((condition.field in facts) == condition.value)
    have = facts.get(condition.field)
    if have is None or (condition.operator in ("above", "below") and not _is_number(have)):
        return None
    return question(condition)(have)


def question(condition: Condition) -> Callable[[Any], bool]:
    """Return what a condition asks of a value that is there; a pattern is looked up once."""
    return _QUESTIONS[condition.operator](condition.value)


def _search(pattern: str, found: bool = True) -> Callable[[Any], bool]:
    search = re.compile(pattern).search
    return lambda have: (search(str(have)) is not None) == found


_QUESTIONS: dict[str, Callable[[Any], Callable[[Any], bool]]] = {
    "is": lambda want: lambda have: bool(have == want),
    "is_not": lambda want: lambda have: bool(have != want),
    "in": lambda want: lambda have: have in want,
    "not_in": lambda want: lambda have: have not in want,
    "matches": _search,
    "not_matches": lambda want: _search(want, found=False),
    "named": lambda want: _search(names()[want]),
    "not_named": lambda want: _search(names()[want], found=False),
    "above": lambda want: lambda have: _is_number(have) and have > want,
    "below": lambda want: lambda have: _is_number(have) and have < want,
}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def judge(
    all_of: Sequence[Condition],
    any_of: Sequence[Condition],
    facts: Mapping[str, Any],
    unless: Sequence[Condition] = (),
) -> Verdict:
    """Return whether all of `all_of` hold, one of `any_of` where given, and none of `unless`.

    A condition of `unless` that is not known refutes nothing.
    """
    refuting = tuple(condition.field for condition in unless if test(condition, facts))
    if refuting:
        return Verdict(False, refuting)
    groups = [_conjunction(all_of, facts)]
    if any_of:
        groups.append(_disjunction(any_of, facts))
    if any(group.holds is False for group in groups):
        refuted = next(group for group in groups if group.holds is False)
        return Verdict(False, refuted.fields)
    fields = tuple(dict.fromkeys(field for group in groups for field in group.fields))
    needs = tuple(dict.fromkeys(field for group in groups for field in group.needs))
    return Verdict(None if any(g.holds is None for g in groups) else True, fields, needs)


def _conjunction(conditions: Sequence[Condition], facts: Mapping[str, Any]) -> Verdict:
    answers = [(condition.field, test(condition, facts)) for condition in conditions]
    if any(answer is False for _, answer in answers):
        return Verdict(False, tuple(field for field, answer in answers if answer is False))
    unknown = tuple(field for field, answer in answers if answer is None)
    known = tuple(field for field, answer in answers if answer)
    return Verdict(None if unknown else True, known, unknown)


def _disjunction(conditions: Sequence[Condition], facts: Mapping[str, Any]) -> Verdict:
    answers = [(condition.field, test(condition, facts)) for condition in conditions]
    if any(answer for _, answer in answers):
        return Verdict(True, tuple(field for field, answer in answers if answer))
    unknown = tuple(field for field, answer in answers if answer is None)
    return Verdict(None if unknown else False, tuple(field for field, _ in answers), unknown)
