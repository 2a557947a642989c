"""Tables of a proposal to silence alerts: what it says, what it does, what could hide behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from analysis.quoting import visible
from analysis.shown import Shown, code, entries, lines, render, table, text
from analysis.tables.words import moment
from analysis.tuned import effect

if TYPE_CHECKING:
    from analysis.tuned import Tuning


def proposal(tuning: Tuning) -> Shown:
    """Show the YAML for a rules file, or the sentence that says why there is none."""
    content = tuning.yaml.rstrip() or tuning.claim
    plain = "\n".join(visible(line) for line in content.split("\n"))
    return Shown(render("text", text=lines(content)), plain)


def silenced(tuning: Tuning, alerts: pd.DataFrame) -> Shown:
    """Show each alert of the rule, and whether it would be silenced.

    Parameters
    ----------
    tuning : Tuning
        As `tuning.propose` returns it.
    alerts : DataFrame
        The same alerts, with `alert_id` (`identify`).
    """
    own = alerts.drop_duplicates("alert_id").set_index("alert_id")
    compared = [name for name, _, _ in tuning.matches]
    rows = []
    for one in effect(tuning).to_dict("records"):
        alert = own.loc[one["alert_id"]]
        told = [f"{name}={alert[name]}" for name in compared if not pd.isna(alert[name])]
        rows.append(
            [
                code(one["alert_id"]),
                text(moment(alert["time"])),
                text("silenced" if one["silenced"] else "alerts"),
                text(("chosen; " + one["why"]).rstrip("; ") if one["chosen"] else "not chosen"),
                entries(told),
            ]
        )
    headings = ["Alert", "Time (UTC)", "Would be", "Was", "Fields compared"]
    return table(f"Alerts: the proposal {tuning.claim}", headings, rows)


def hideouts(tuning: Tuning) -> Shown:
    """Show what an attacker could hide behind each field of a proposal, and which are not used."""
    rows = [
        [code(name), text(how), text(known.given_by), text(known.hides)]
        for name, how, known in tuning.matches
    ]
    rows += [[code(name), text("not used"), text(""), text(why)] for name, why in tuning.left_out]
    headings = ["Field", "Comparison", "Given by", "What may hide behind it"]
    return table(tuning.barrier or "No field is compared", headings, rows, "No field is compared.")
