"""Tables: what a Case holds, as HTML for a page and as text for everything else.

Each function returns something that shows itself in a notebook. Nothing is worked out here.
"""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING

import pandas as pd

from analysis.gaps import append_output
from analysis.knowledge import PHASES, SEVERITIES, attack_page, known_fields, techniques, topic_of
from analysis.lineage import field_level, relation
from analysis.quoting import visible
from analysis.shown import Shown, badge, citations, code, entries, lines, links, render, table, text

if TYPE_CHECKING:
    from analysis.case import Case
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
_TOPICS = {
    "event": "event",
    "container": "container",
    "process": "process",
    "executable": "program file",
    "user": "user or terminal",
    "object": "file or connection",
}
_FACET_WORDS = {
    "name": "name",
    "exepath": "path of the program file",
    "exe": "argv[0]",
    "cmdline": "command line",
    "pid": "process id, on the host,",
}
_FACETS = ("name", "exepath", "cmdline", "pid")


def summary(case: Case) -> Shown:
    """Show the proposed disposition with its reasons, and what is not known."""
    leads = [*[f for f in case.findings if f.topic == "event"][:1], *case.reasons]
    html = render("summary", case=case, leads=leads, lacking=_lacking(case))
    return Shown(html, visible(case.summary, longest=20_000))


def event(case: Case) -> Shown:
    """Show the envelope of each alert as received, and the ids derived from its content."""
    rows = [
        (key, exhibit.record[key])
        for exhibit in case.exhibits
        for key in ("rule", "time", "priority", "source", "hostname", "tags", "uuid")
        if exhibit.record.get(key) not in (None, [])
    ]
    rows += [("alert id (derived)", exhibit.alert_id) for exhibit in case.exhibits]
    rows += [("incident id (derived)", case.incident_id)]
    cells = [[text(key), code(value)] for key, value in rows]
    return table(f"Envelope of the alert, {_origins(case)}", ["Key", "Value as received"], cells)


def fields(case: Case, topic: str) -> Shown:
    """Show the output fields of one topic, as received, with what each field means."""
    rows = [
        [code(name), code(value), text(_meaning(name))]
        for exhibit in case.exhibits
        for name, value in sorted(exhibit.fields.items())
        if topic_of(name, exhibit.facts.get("evt.type")) == topic
    ]
    return table(
        f"Fields on the {_TOPICS[topic]}, {_origins(case)}",
        ["Field", "Value as received", "What the field means"],
        rows,
        f"The alert has no field on a {_TOPICS[topic]}.",
    )


def findings(case: Case) -> Shown:
    """Show all findings with their evidence, the gravest first."""
    ordered = sorted(case.findings, key=lambda f: SEVERITIES.index(f.severity), reverse=True)
    rows = [
        [
            text(finding.claim),
            citations(finding.evidence),
            badge(finding.severity),
            text(finding.confidence),
            links((_technique(one), attack_page(one)) for one in finding.techniques),
        ]
        for finding in ordered
    ]
    headings = ["Finding", "Evidence", "Severity", "Confidence", "ATT&CK"]
    return table("All findings, the gravest first", headings, rows)


def statements(case: Case, topic: str) -> Shown:
    """Show the findings of one topic as sentences, each with the fields it rests on."""
    found = [finding for finding in case.findings if finding.topic == topic]
    html = render("statements", findings=found, topic=_TOPICS[topic])
    return Shown(html, "\n".join(finding.claim for finding in found))


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
    return table(
        "Process lineage",
        ["Relation", "Name", "Path", "Command line", "Process id", "Fields"],
        rows,
        "The alert tells of no process.",
    )


def timeline(case: Case) -> Shown:
    """Show the moments that the alerts' fields tell of."""
    rows = [
        [text(moment(row["time"])), text(row["moment"]), code(row["field"]), code(row["value"])]
        for row in case.timeline.to_dict("records")
    ]
    return table("Timeline", ["Time (UTC)", "What", "Field", "Value as received"], rows)


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
    rows = [
        [
            code(gap.field),
            text(gap.why),
            text("no: see below" if not gap.asked else gap.how_to_get_it),
        ]
        for gap in case.gaps
    ]
    shown = table(
        "What the alerts do not say",
        ["Field", "Why it matters", "Was Falco asked for it?"],
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


def raw(case: Case) -> Shown:
    """Show each alert byte for byte, with its digest; what no eye would see is written out."""
    receipts = [
        {
            "origin": receipt.origin,
            "size": len(receipt.raw),
            "sha256": receipt.sha256,
            "text": lines(receipt.raw.decode("utf-8", "replace"), longest=100_000),
        }
        for exhibit in case.exhibits
        for receipt in exhibit.receipts
    ]
    plain = "\n".join(f"{r['origin']} sha256 {r['sha256']}" for r in receipts)
    return Shown(render("raw", receipts=receipts), plain)


def rejects(rejects: pd.DataFrame) -> Shown:
    """Show what could not be read as an alert, and why."""
    rows = [
        [
            text(f"{row['origin_file']}:{row['origin_line']}"),
            text(row["reason"]),
            code(row["excerpt"]),
        ]
        for row in rejects.to_dict("records")
    ]
    return table(
        "Not read", ["Where", "Why", "How it begins"], rows, "Every record was read as an alert."
    )


def _meaning(name: str) -> str:
    known = known_fields().get(name)
    if known:
        return known.meaning
    place = field_level(name)
    return f"{_FACET_WORDS[place[1]]} of the {relation(place[0])}" if place else ""


def _technique(name: str) -> str:
    known = techniques().get(name)
    return f"{name} {known}" if known else name


def _place(place: Place) -> str:
    return f"{PurePath(place.file).name}, line {place.line}"


def _origins(case: Case) -> str:
    places = [receipt.origin for exhibit in case.exhibits for receipt in exhibit.receipts]
    return places[0] if len(places) == 1 else f"{places[0]} to {places[-1]}"


def _lacking(case: Case) -> list[str]:
    return list(dict.fromkeys(gap.field for gap in case.gaps))


def _known(value: object) -> bool:
    return isinstance(value, str | int)


def moment(time: pd.Timestamp) -> str:
    """Return a time with all nine digits, as Falco writes it; a text alert may tell no date."""
    if pd.isna(time):
        return "unknown"
    return f"{time:%Y-%m-%d %H:%M:%S}.{time.value % 10**9:09d}"


def or_unknown(value: object) -> str:
    """Return text, or the word that says there is none."""
    return value if isinstance(value, str) and value else "unknown"
