"""A case: all that the kit can say of one incident, ready for tables, figures and reports.

In: the alerts of an incident. Out: a Case. This is where exhibits, findings, causes, gaps,
commands and timeline come together; each is made by its own module.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from analysis import enrichment as outside
from analysis import verdicts
from analysis.commands import ReadyCommand, WithheldCommand, fill_commands
from analysis.evidence import Exhibit, Redaction, exhibits, redacted
from analysis.findings import BenignCause, Finding, find, weigh_causes
from analysis.folding import fold
from analysis.gaps import Gap, find_gaps
from analysis.incidents import assign_incidents
from analysis.intake import fields_of
from analysis.knowledge import Playbook, playbook_for
from analysis.knowledge.generic import generic_playbook
from analysis.knowledge.rules.once import own_rules
from analysis.lineage import ancestry
from analysis.marks_file import read_marks
from analysis.processes import process_tree
from analysis.redaction import redact_frame
from analysis.timeline import timeline
from analysis.verdict import verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pandas as pd

    from analysis.enrichment import OutsideFinding, Said
    from analysis.knowledge.rules import Rule

_Item = TypeVar("_Item")

MOST = 100
"""How many alerts that tell something of their own are examined one by one."""


@dataclass(frozen=True)
class Case:
    """One incident: its alerts, what they support, what they lack, and what to do."""

    incident_id: str
    alerts: pd.DataFrame
    folded: pd.DataFrame
    exhibits: tuple[Exhibit, ...]
    playbooks: tuple[Playbook, ...]
    findings: tuple[Finding, ...]
    causes: tuple[BenignCause, ...]
    gaps: tuple[Gap, ...]
    commands: tuple[ReadyCommand, ...]
    withheld: tuple[WithheldCommand, ...]
    disposition: str
    reasons: tuple[Finding, ...]
    lineage: pd.DataFrame
    timeline: pd.DataFrame
    processes: pd.DataFrame
    own_rules: tuple[Rule, ...] = ()
    marks: pd.DataFrame | None = None
    """Analysts' entries on its alerts, see `verdicts.history`; None if none were given."""
    outside: tuple[OutsideFinding, ...] = ()
    said: tuple[Said, ...] = ()
    limits: tuple[tuple[str, str], ...] = ()
    """What outside sources looked at, and what not: plug-in and sentence."""
    redact: bool = True

    @property
    def redactions(self) -> tuple[Redaction, ...]:
        """Where text of the alerts examined is shown without its secrets."""
        return tuple(one for exhibit in self.exhibits for one in exhibit.redactions)

    @property
    def rules(self) -> list[str]:
        """The names of the rules that fired, in order of time."""
        return list(dict.fromkeys(exhibit.rule for exhibit in self.exhibits))

    @property
    def summary(self) -> str:
        """The report's first words: what fired, the proposed disposition, and why."""
        detections = [finding.claim for finding in self.findings if finding.topic == "event"][:1]
        why = [finding.claim for finding in self.reasons] or [
            "No finding explains the alert, and none accuses: a person has to look."
        ]
        counted = self._counted()
        lacking = list(dict.fromkeys(gap.field for gap in self.gaps))
        unknown = (
            [f"Not known from this incident's alerts: {', '.join(lacking)}."] if lacking else []
        )
        proposed = f"Proposed disposition: {self.disposition}."
        others = filter(None, (self.marked, self.asked))
        return " ".join([*detections, *counted, proposed, *others, *why, *unknown])

    @property
    def marked(self) -> str:
        """What analysts have decided, in a sentence; empty where no mark is known."""
        if self.marks is None or self.marks.empty:
            return ""
        latest = verdicts.latest(self.alerts, self.marks)
        mark = verdicts.marks_of_incidents(self.alerts, latest).iloc[0]
        some = f"{mark['marked']:,} of {mark['alerts']:,} alerts marked"
        gravest = ", the gravest" if len(latest["verdict"].unique()) > 1 else ""
        return (
            f"Analysts' mark: {mark['verdict']}{gravest} ({some}). "
            "It is a person's decision; the disposition is this kit's proposal, made without it."
        )

    @property
    def asked(self) -> str:
        """How many findings outside sources have, in a sentence; empty where none was asked."""
        if not self.said:
            return ""
        failed = [one.plugin for one in self.said if one.failure]
        said = f"Outside sources ({', '.join(dict.fromkeys(one.plugin for one in self.said))}) "
        said += f"have {len(self.outside) or 'no'} finding{'s' * (len(self.outside) != 1)}"
        said += f"; {', '.join(failed)} failed" if failed else ""
        return f"{said}. The proposed disposition weighs nothing that they say."

    @property
    def unexamined(self) -> int:
        """How many distinct alerts are filed and counted, but not examined one by one."""
        return int((~self.folded["examined"]).sum())

    def _counted(self) -> list[str]:
        """Say how many alerts there are, where the first is not all."""
        alerts, distinct = int(self.folded["alerts"].sum()), len(self.folded)
        if alerts == 1:
            return []
        said = f"The incident has {alerts:,} alerts"
        if distinct < alerts:
            said += f"; but for time and process id, {distinct:,} tell something of their own"
        if self.unexamined:
            said += (
                f", and of these the {len(self.exhibits):,} of highest priority, the rarest first, "
                f"are examined here. {self.unexamined:,} are not: nothing is known of them but "
                "their rule and how often they came"
            )
        return [f"{said}."]


def investigate(
    alerts: pd.DataFrame,
    *,
    incident_id: str | None = None,
    gap: str = "15min",
    by: str = "activity",
    most: int = MOST,
    playbooks: str | None = None,
    rules: Sequence[str] | str = (),
    marks: str | pd.DataFrame = "",
    enrichment: str = "",
    redact: bool = True,
) -> Case:
    """Work out one incident.

    Parameters
    ----------
    alerts : DataFrame
        As `read_alerts` returns it; correlated here if it has no `incident_id` yet.
    incident_id : str, optional
        Which incident; may be left out where `alerts` holds just one.
    gap, by : str
        As `correlate` takes them, where it has not run yet.
    most : int
        How many alerts are examined one by one. Repetitions (see `folding.fold`) are examined once
        and counted; what is beyond `most` is counted in `folded`, and keeps the incident from
        being explained.
    playbooks : str, optional
        Folder of own playbooks, which come before those that ship.
    rules : list of str, or str
        The user's own Falco rules files, or one text that joins their paths by `os.pathsep`.
    marks : str or DataFrame, optional
        A file of analysts' marks (see `marks_file.read_marks`), or what `verdicts.history` returns.
    enrichment : str, optional
        A report's file of what outside sources said (see `enrichment.as_file`); none is asked here.
    redact : bool
        Whether the case shows passwords, tokens and keys as marks (see `redaction`). It is judged
        by the alerts as received either way.

    Returns
    -------
    Case
        Its `folded` is as `folding.fold` returns it, with `examined` (bool); its `lineage` is a frame with one row per ancestor of the first alert's process (see
        `lineage.ancestry`), its `timeline` one with a row per moment (see `timeline.timeline`),
        its `processes` those of all its alerts (see `processes.process_tree`).

    Raises
    ------
    KeyError
        If there is no such incident.
    ValueError
        If `alerts` holds several incidents and none was chosen, or none at all.
    SourceError
        If the source of an alert can no longer be read, or another file not at all.
    PlaybookError
        If an own playbook is wrong, or there is no such folder.
    """
    own, folder = own_rules(rules), Path(playbooks) if playbooks else None
    if "incident_id" not in alerts:
        alerts = assign_incidents(alerts, gap=gap, by=by)
    known = alerts["incident_id"].unique().tolist()
    if incident_id is None:
        if len(known) != 1:
            raise ValueError(f"{len(known)} incidents here: name one with incident_id=")
        incident_id = known[0]
    if incident_id not in known:
        raise KeyError(f"no incident {incident_id}")
    chosen = alerts[alerts["incident_id"] == incident_id]
    chosen.attrs = alerts.attrs
    whole, chosen = chosen, redact_frame(chosen) if redact else chosen
    folded = _examine(whole, chosen, most)
    first = folded.loc[folded["examined"], "alert_id"]
    received = exhibits(whole[whole["alert_id"].isin(first)])
    shown = [redacted(exhibit) for exhibit in received] if redact else received
    books = [_playbook(exhibit, own, folder) for exhibit in received]
    each = list(zip(received, books, shown, strict=True))
    findings = [find(*one) for one in each]
    unexamined = int((~folded["examined"]).sum())
    proposed, reasons = verdict(list(zip(shown, findings, strict=True)), unexamined=unexamined)
    commands = [fill_commands(*one) for one in each]
    said = outside.read_said(enrichment) if enrichment else ()
    told, limits = outside.findings(chosen, said, redact=redact)
    processes = process_tree(whole.drop_duplicates("alert_id")).processes
    return Case(
        incident_id=incident_id,
        alerts=chosen,
        folded=folded,
        exhibits=tuple(shown),
        playbooks=_distinct(books),
        findings=_distinct(finding for found in findings for finding in found),
        causes=_distinct(cause for one in each for cause in weigh_causes(*one)),
        gaps=_distinct(
            gap
            for (exhibit, book, _), (_, withheld) in zip(each, commands, strict=True)
            for gap in find_gaps(exhibit, book, [one.field for one in withheld])
        ),
        commands=_distinct(command for ready, _ in commands for command in ready),
        withheld=_distinct(command for _, withheld in commands for command in withheld),
        disposition=proposed,
        reasons=_distinct(reasons),
        lineage=ancestry(shown[0].process_fields),
        timeline=timeline(shown),
        processes=redact_frame(processes) if redact else processes,
        own_rules=_distinct(rule for one in received if (rule := _own_rule(one, own))),
        marks=_marks(marks, chosen),
        outside=tuple(told),
        said=said,
        limits=tuple(limits),
        redact=redact,
    )


def _marks(told: str | pd.DataFrame, alerts: pd.DataFrame) -> pd.DataFrame | None:
    """Return the entries on these alerts; None where neither file nor entries are given."""
    if isinstance(told, str):
        if not told:
            return None
        told = read_marks(told)
    return told[told["alert_id"].isin(alerts["alert_id"])]


def _own_rule(exhibit: Exhibit, own: Mapping[str, Rule]) -> Rule | None:
    """Return the rule of an alert as the user's files define it; another source, another rule."""
    rule = own.get(exhibit.rule)
    return rule if rule and rule.source == exhibit.facts["source"] else None


def _playbook(exhibit: Exhibit, own: Mapping[str, Rule], folder: Path | None) -> Playbook:
    source = exhibit.facts["source"]
    book = playbook_for(exhibit.rule, source, own=folder)
    if not book.generic or source == "internal" or not exhibit.record.get("rule"):
        return book
    rule = _own_rule(exhibit, own)
    fields = fields_of(rule) if rule else exhibit.fields
    return generic_playbook(book, exhibit.rule, exhibit.record.get("tags") or (), fields, rule)


def _examine(alerts: pd.DataFrame, shown: pd.DataFrame, most: int) -> pd.DataFrame:
    """Fold the alerts, and choose those to examine: the gravest, then the rarest, then the first."""
    folded = fold(alerts, shown)
    priority = alerts.drop_duplicates("alert_id").set_index("alert_id")["priority"]
    worst = priority.cat.codes.reindex(folded["alert_id"]).to_numpy()
    order = np.lexsort((folded["alert_id"], folded["first_seen"], folded["alerts"], -worst))
    examined = np.zeros(len(folded), dtype=bool)
    examined[order[:most]] = True
    return folded.assign(examined=examined)


def _distinct(items: Iterable[_Item]) -> tuple[_Item, ...]:
    # by repr: evidence may hold lists, which do not hash
    return tuple({repr(item): item for item in items}.values())
