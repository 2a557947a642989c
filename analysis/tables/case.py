"""Tables of what a Case found: summary, findings, lineage, causes, what to do, what is missing."""

from __future__ import annotations

from collections import Counter
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from analysis.gaps import append_output
from analysis.knowledge import PHASES, SEVERITIES, attack_page, techniques
from analysis.quoting import visible
from analysis.shown import Shown, badge, citations, code, entries, lines, links, render, table, text
from analysis.tables.words import TOPICS, fields_told, moment, several

if TYPE_CHECKING:
    from collections.abc import Iterable

    from analysis.case import Case
    from analysis.findings import Finding
    from analysis.knowledge.rules import Place

_TITLES = {
    "preserve": "Preserve evidence",
    "investigate": "Investigate",
    "contain": "Contain",
    "eradicate": "Eradicate",
    "recover": "Recover",
    "harden": "Harden",
    "tune": "Tune",
}
_NOT_ASKED = "No outside source was asked."
_NOT_MARKED = "No analyst's mark on these alerts is at hand here."
_LISTED = 5  # ids of the alerts that a mark is on; report.json has all
_FACETS = ("name", "exepath", "cmdline", "pid")


def summary(case: Case) -> Shown:
    """Show the proposed disposition with its reasons, and what is not known."""
    leads = [*[f for f in case.findings if f.topic == "event"][:1], *case.reasons]
    redacted = _redacted(case)
    html = render("summary", case=case, leads=leads, lacking=_lacking(case), redacted=redacted)
    said = f"{case.summary} Redacted: {redacted}." if redacted else case.summary
    return Shown(html, visible(said, longest=20_000))


def findings(case: Case) -> Shown:
    """Show all findings with their evidence, the gravest first; one that several alerts support once."""
    ordered = sorted(case.findings, key=lambda f: SEVERITIES.index(f.severity), reverse=True)
    rows = [
        [
            text(finding.claim + _more(count, "; the evidence is that of the first")),
            citations(finding.evidence),
            badge(finding.severity),
            text(finding.confidence),
            links((_technique(one), attack_page(one)) for one in finding.techniques),
        ]
        for finding, count in _alike(ordered)
    ]
    headings = ["Finding", "Evidence", "Severity", "Confidence", "ATT&CK"]
    return table("All findings, the gravest first", headings, rows)


def outside(case: Case) -> Shown:
    """Show what outside sources say, each by name, and what they did not look at."""
    rows = [
        [
            text(finding.claim),
            citations(finding.evidence),
            text(f"{finding.source} (enrichment {finding.plugin})"),
            text(finding.reference),
            badge(finding.severity),
            text(finding.confidence),
        ]
        for finding in sorted(
            case.outside, key=lambda f: SEVERITIES.index(f.severity), reverse=True
        )
    ]
    headings = ["Finding", "Evidence", "Source", "Where in it", "Severity", "Confidence"]
    asked = "The outside sources asked have no finding." if case.said else _NOT_ASKED
    said = table("What outside sources say; not this kit's findings", headings, rows, asked)
    if not case.limits:
        return said
    limits = [[text(plugin), text(limit)] for plugin, limit in case.limits]
    more = table("What outside sources looked at, and what not", ["Enrichment", "What"], limits)
    return Shown(said.html + more.html, f"{said.text}\n{more.text}")


def marks(case: Case) -> Shown:
    """Show what analysts decided on the incident's alerts, all of it, the latest first."""
    if case.marks is None or case.marks.empty:
        return table("", [], [], _NOT_MARKED)
    told = case.marks.assign(last=~case.marks["alert_id"].duplicated(keep="last"))
    told = told.astype({"verdict": "str"})
    deeds: Any = told.groupby(["at", "by", "verdict", "note"], sort=False)
    every = case.alerts["alert_id"].nunique()
    rows = [
        [
            text(moment(at)),
            text(by),
            badge(verdict),
            text(note),
            text(f"{len(some):,} of {every:,}"),
            text(f"{int(some['last'].sum()):,}"),
            entries([*some["alert_id"].iloc[:_LISTED], *([] if len(some) <= _LISTED else ["…"])]),
        ]
        for (at, by, verdict, note), some in reversed(list(deeds))
    ]
    headings = ["At (UTC)", "By", "Mark", "Note", "Alerts", "Last word on", "Ids (derived)"]
    return table("What analysts decided, the latest first", headings, rows)


def statements(case: Case, topic: str) -> Shown:
    """Show the findings of one topic as sentences, each with the fields it rests on.

    Nothing is shown of a topic on which the alerts have no field at all: `fields` says so.
    """
    found = [
        (finding, _more(count))
        for finding, count in _alike(f for f in case.findings if f.topic == topic)
    ]
    told = any(one == topic for _, _, one in fields_told(case))
    values = {"findings": found, "topic": TOPICS[topic], "many": several(case), "told": told}
    html = render("statements", **values)
    return Shown(html, "\n".join(finding.claim + more for finding, more in found))


def ancestry(case: Case) -> Shown:
    """Show the lineage level by level; what the alert does not tell is said to be unknown."""
    rows = [
        [
            text(row["relation"]),
            *[code(row[key]) if _known(row[key]) else text("unknown") for key in _FACETS],
            entries(row["fields"]),
        ]
        for row in case.lineage.to_dict("records")
    ]
    if not rows:  # a cloud's alert: the picture says so
        return Shown("", "The alert tells of no process.")
    of = f" as alert {case.exhibits[0].alert_id} tells it" if several(case) else ""
    return table(
        f"Process lineage{of}",
        ["Relation", "Name", "Path", "Command line", "Process id", "Fields"],
        rows,
    )


def timeline(case: Case) -> Shown:
    """Show the moments that the alerts' fields tell of."""
    rows = [
        [text(moment(row["time"])), text(row["moment"]), code(row["field"]), code(row["value"])]
        for row in case.timeline.to_dict("records")
    ]
    return table(
        "Moments that the alerts tell of",
        ["Time (UTC)", "What", "Field", "Value as received"],
        rows,
    )


def causes(case: Case) -> Shown:
    """Show the benign causes: supported, excluded, or unknown for want of a field."""
    rows = [
        [
            text(cause.cause),
            badge(cause.status),
            text(f"Not known: {', '.join(cause.needs)}.")
            if cause.needs
            else citations(cause.evidence),
            text(cause.confirm),
        ]
        for cause in case.causes
    ]
    return table(
        "Benign causes to rule out",
        ["Cause", "By the alert", "Evidence", "How to confirm"],
        rows,
        "No playbook, so no list of benign causes.",
    )


def playbook(case: Case) -> Shown:
    """Show what the rules mean and what their alerts do not say, marked as playbook text."""
    plain = [line for book in case.playbooks for line in (book.meaning, *book.limits)]
    own = [
        {"rule": rule, "place": _place(rule.defined), "changed": [*map(_place, rule.changed)]}
        for rule in case.own_rules
    ]
    plain += [f"{r.name}, {_place(r.defined)}: {r.condition}" for r in case.own_rules]
    html = render("playbook", playbooks=case.playbooks, own=own)
    return Shown(html, "\n".join(visible(line, longest=20_000) for line in plain))


def mitigation(case: Case) -> Shown:
    """Show what to do, phase by phase: playbook text, commands, and commands withheld."""
    phases = []
    for phase in PHASES:
        commands = [c for c in case.commands if c.phase == phase]
        withheld = [c for c in case.withheld if c.phase == phase]
        advice = [a for book in case.playbooks for a in book.advice if a.phase == phase]
        if commands or withheld or advice:
            phases.append(
                {
                    "title": _TITLES[phase],
                    "advice": advice,
                    "commands": [
                        {"why": c.why, "where": c.where, "shown": lines(c.text)} for c in commands
                    ],
                    "withheld": withheld,
                }
            )
    steps = [step for book in case.playbooks for step in book.step]
    plain = "\n".join(
        [f"{c.phase}: {c.text}" for c in case.commands]
        + [f"{c.phase}: withheld, needs {c.field}: {c.reason}" for c in case.withheld]
    )
    return Shown(render("mitigation", steps=steps, phases=phases), plain)


def gaps(case: Case) -> Shown:
    """Show what the alerts do not say, why it matters, and how to get it next time."""
    many = several(case)
    lacking = Counter((gap.field, gap.why, gap.asked, gap.how_to_get_it) for gap in case.gaps)
    rows = [
        [
            code(field),
            *([text(f"{count:,} of {len(case.exhibits):,}")] if many else []),
            text(why),
            text("no: see below" if not asked else how),
        ]
        for (field, why, asked, how), count in lacking.items()
    ]
    shown = table(
        "Fields without a value",
        [
            "Field",
            *(["Alerts examined"] if many else []),
            "Why it matters",
            "Was Falco asked for it?",
        ],
        rows,
        "No deciding field is missing.",
    )
    by_source: dict[str, list[str]] = {}
    for gap in case.gaps:
        if not gap.asked:
            by_source.setdefault(gap.source, []).append(gap.field)
    snippet = "".join(
        append_output(list(dict.fromkeys(names)), source) for source, names in by_source.items()
    )
    html = shown.html + render("gaps", snippet=snippet.splitlines())
    return Shown(html, f"{shown.text}\n{snippet}".strip())


def _redacted(case: Case) -> str:
    """Say how many values of the alerts examined are shown as marks, of which kind, and where."""
    kinds = Counter(kind for one in case.redactions for kind in one.secrets)
    if not kinds:
        return ""
    number = kinds.total()
    counted = ", ".join(f"{kind} {count:,}" for kind, count in sorted(kinds.items()))
    where = ", ".join(sorted({one.field for one in case.redactions}))
    return f"{number:,} value{'s' if number > 1 else ''} of the alerts examined ({counted}), in {where}"


def _technique(name: str) -> str:
    known = techniques().get(name)
    return f"{name} {known}" if known else name


def _place(place: Place) -> str:
    return f"{PurePath(place.file).name}, line {place.line}"


def _lacking(case: Case) -> list[str]:
    return list(dict.fromkeys(gap.field for gap in case.gaps))


def _known(value: object) -> bool:
    return isinstance(value, str | int)


def _alike(findings: Iterable[Finding]) -> list[tuple[Finding, int]]:
    """Return findings that differ in more than whose alert supports them, and how many alerts do."""
    found: dict[tuple[object, ...], list[Finding]] = {}
    for one in findings:
        key = (one.claim, one.severity, one.confidence, one.techniques)
        found.setdefault(key, []).append(one)
    return [(some[0], len(some)) for some in found.values()]


def _more(count: int, rest: str = "") -> str:
    return f" ({count:,} of the alerts examined{rest})" if count > 1 else ""
