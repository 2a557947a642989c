"""Commands for an incident: a playbook's templates filled from the alert, or withheld with a reason.

The kit prints commands and never runs them. A command that would need a value which the alert
lacks, or holds in a form its field cannot have, is withheld rather than half-filled.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from analysis.knowledge import Playbook, legal_patterns
from analysis.knowledge.conditions import judge
from analysis.quoting import Withheld, fill, placeholders

if TYPE_CHECKING:
    from analysis.evidence import Exhibit

WINDOW = pd.Timedelta("5min")
"""How far before and after the event a command looks."""


@dataclass(frozen=True, slots=True)
class ReadyCommand:
    """A command, filled in and quoted: its phase, its purpose, and where it runs."""

    phase: str
    why: str
    where: str
    text: str


@dataclass(frozen=True, slots=True)
class WithheldCommand:
    """A command that is not shown, and the field that would be needed."""

    phase: str
    why: str
    field: str
    reason: str


def fill_commands(
    exhibit: Exhibit, playbook: Playbook, shown: Exhibit | None = None
) -> tuple[list[ReadyCommand], list[WithheldCommand]]:
    """Return the playbook's commands that apply to this alert: ready, and withheld.

    A command that needs a value which `shown` does not show whole is withheld: with a mark in
    place of a secret it would not do what it says.
    """
    values = exhibit.facts | _window(exhibit.time)
    ready, withheld = [], []
    for command in playbook.command:
        verdict = judge(command.all, command.any, exhibit.facts, command.unless)
        if verdict.holds is False:
            continue
        if verdict.holds is None:
            lacking = Withheld(verdict.needs[0], "whether the command applies depends on it")
        else:
            filled = _redacted(command.shell, exhibit, shown) or fill(
                command.shell, values, legal_patterns()
            )
            if isinstance(filled, str):
                ready.append(ReadyCommand(command.phase, command.why, command.where, filled))
                continue
            lacking = filled
        withheld.append(WithheldCommand(command.phase, command.why, lacking.field, lacking.reason))
    return ready, withheld


def _redacted(shell: str, exhibit: Exhibit, shown: Exhibit | None) -> Withheld | None:
    for name in placeholders(shell) if shown else ():
        if shown and shown.facts.get(name) != exhibit.facts.get(name):
            return Withheld(
                name, "a mark stands here for a part of its value; alerts.jsonl has it whole"
            )
    return None


def _window(time: pd.Timestamp) -> dict[str, str]:
    if pd.isna(time):
        return {}
    start, end = (time - WINDOW).floor("s"), (time + WINDOW).ceil("s")
    return {
        # as journalctl reads it, and as Docker and kubectl do (RFC 3339)
        "window_start": f"{start:%Y-%m-%d %H:%M:%S} UTC",
        "window_end": f"{end:%Y-%m-%d %H:%M:%S} UTC",
        "window_from": f"{start:%Y-%m-%dT%H:%M:%S}Z",
        "window_until": f"{end:%Y-%m-%dT%H:%M:%S}Z",
    }
