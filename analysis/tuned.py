"""What became of tuning a rule: the proposal or the reason for none, and how it reads.

In: what `tuning` found. Out: the same, as lines for a terminal; `tables` shows it on a page.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from analysis.knowledge import tunable_fields

if TYPE_CHECKING:
    from collections.abc import Iterator

    from analysis.knowledge import Tunable
    from analysis.silencing import Silencer


@dataclass(frozen=True)
class Tuning:
    """A proposal to silence alerts of one rule, or why there is none.

    `yaml` is empty where nothing is proposed; `reason` then says why. Of the rule's distinct
    alerts, `silenced` and `alerting` are all of them, by id and in order of time. `missed` says of
    each chosen alert that would go on alerting why it does; `beside` are those silenced that were
    not chosen. `left_out` says which fields could not be used. `notes` are what to check by hand.
    """

    rule: str
    chosen: tuple[str, ...]
    silenced: tuple[str, ...] = ()
    alerting: tuple[str, ...] = ()
    missed: tuple[tuple[str, str], ...] = ()
    yaml: str = ""
    reason: str = ""
    silencer: Silencer | None = None
    left_out: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def beside(self) -> tuple[str, ...]:
        """The alerts that would be silenced and were not chosen."""
        chosen = set(self.chosen)
        return tuple(one for one in self.silenced if one not in chosen)

    @property
    def matches(self) -> list[tuple[str, str, Tunable]]:
        """Each field used: its name, its comparison, and who gives it and what it may hide."""
        if self.silencer is None:
            return []
        pairs = zip(self.silencer.fields, self.silencer.comparisons, strict=True)
        return [(name, how, tunable_fields()[name]) for name, how in pairs]

    @property
    def barrier(self) -> str:
        """What an attacker who wants to hide behind the proposal must meet, in one line."""
        if self.silencer is None:
            return ""
        anchors = "; ".join(f"{name} ({one.anchor})" for name, _, one in self.matches if one.anchor)
        free = ", ".join(name for name, _, one in self.matches if one.given_by == "attacker")
        said = f"To hide, an event must match every field of a row. It rests on {anchors}"
        return f"{said}; free text, so easily met: {free}" if free else said

    @property
    def claim(self) -> str:
        """What the proposal does to the alerts at hand, in one line."""
        if self.silencer is None:
            return f"no exception is proposed: {self.reason}"
        total = len(self.silenced) + len(self.alerting)
        reached = len(self.chosen) - len(self.missed)
        return (
            f"silences {len(self.silenced):,} of the rule's {total:,} alerts: {reached:,} of"
            f" {len(self.chosen):,} chosen, {len(self.beside):,} not chosen"
        )


_SHOWN = 20  # ids in a line; `document` and `effect` have all


def effect(tuning: Tuning) -> pd.DataFrame:
    """Return what would become of each distinct alert of the rule.

    Returns
    -------
    DataFrame
        Those silenced first, each part in order of time: `alert_id` (str), `silenced`, `chosen`
        (bool), `why` (str: of a chosen alert that goes on alerting; else empty).
    """
    ids = [*tuning.silenced, *tuning.alerting]
    missed, chosen, silenced = dict(tuning.missed), set(tuning.chosen), set(tuning.silenced)
    return pd.DataFrame(
        {
            "alert_id": pd.array(ids, dtype="str"),
            "silenced": pd.array([one in silenced for one in ids], dtype="bool"),
            "chosen": pd.array([one in chosen for one in ids], dtype="bool"),
            "why": pd.array([missed.get(one, "") for one in ids], dtype="str"),
        }
    )


def document(tuning: Tuning) -> dict[str, Any]:
    """Return all of a proposal as JSON values."""
    return {
        "rule": tuning.rule,
        "claim": tuning.claim,
        "yaml": tuning.yaml,
        "barrier": tuning.barrier,
        "alerts": effect(tuning).to_dict("records"),
        "fields": [
            {"field": name, "comparison": how, "given_by": known.given_by, "hides": known.hides}
            for name, how, known in tuning.matches
        ],
        "left_out": [{"field": name, "why": why} for name, why in tuning.left_out],
        "notes": list(tuning.notes),
    }


def lines(tuning: Tuning) -> Iterator[str]:
    """Yield what a proposal does and costs, a line each, for a terminal."""
    yield tuning.claim
    for title, ids in (
        ("silenced", tuning.silenced),
        ("silenced though not chosen", tuning.beside),
        ("goes on alerting", tuning.alerting),
    ):
        if tuning.silencer and ids:
            more = f" and {len(ids) - _SHOWN:,} more" if len(ids) > _SHOWN else ""
            yield f"  {title}: {', '.join(ids[:_SHOWN])}{more}"
    for name, why in tuning.missed[:_SHOWN]:
        yield f"  chosen, and goes on alerting: {name} {why}"
    if tuning.silencer:
        yield f"  {tuning.barrier}"
    for name, how, known in tuning.matches:
        yield f"  {name} {how} (given by: {known.given_by}) may hide: {known.hides}"
    for name, why in tuning.left_out:
        yield f"  {name} is not used: {why}"
    yield from (f"  check: {note}" for note in tuning.notes)
