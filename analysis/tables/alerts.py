"""Tables of alerts: as received, field by field, folded where many tell the same; and what was none.

A table of one alert quotes it; one of many counts them.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from analysis.knowledge import known_fields
from analysis.lineage import field_level, relation
from analysis.shown import Shown, as_received, code, lines, render, table, text
from analysis.tables.words import TOPICS, fields_told, moment, or_unknown, several

if TYPE_CHECKING:
    import pandas as pd

    from analysis.case import Case

_FACET_WORDS = {
    "name": "name",
    "exepath": "path of the program file",
    "exe": "argv[0]",
    "cmdline": "command line",
    "pid": "process id, on the host,",
}
_WHOLE = 20  # alerts that a report shows byte for byte; all of them are filed beside it


def event(case: Case) -> Shown:
    """Show the envelope of an alert as received, or what several tell, each thing once."""
    if several(case):
        return _events(case)
    (exhibit,) = case.exhibits
    keys = ("rule", "time", "priority", "source", "hostname", "tags", "uuid")
    rows = [(key, exhibit.record.get(key)) for key in keys]
    rows += [("alert id (derived)", exhibit.alert_id), ("incident id (derived)", case.incident_id)]
    cells = [[text(key), code(value)] for key, value in rows if value not in (None, [])]
    return table(f"Envelope of the alert, {_origins(case)}", ["Key", "Value as received"], cells)


def fields(case: Case, topic: str) -> Shown:
    """Show the output fields of one topic, as received, with what each field means.

    Of several alerts, each value of a field is shown once, with how many of those examined have it.
    """
    told = Counter(
        (name, as_received(value)) for name, value, about in fields_told(case) if about == topic
    )
    many = several(case)
    rows = []
    explained: set[str] = set()
    for (name, value), count in sorted(told.items(), key=lambda one: (one[0][0], -one[1], one[0])):
        alerts = [text(f"{count:,}")] if many else []
        meaning = "" if name in explained else _meaning(name)
        rows.append([code(name), code(value), *alerts, text(meaning)])
        explained.add(name)
    alerts_heading = ["Alerts examined"] if many else []
    none = "No alert has a field" if many else "The alert has no field"
    return table(
        f"Fields on the {TOPICS[topic]}, {_origins(case)}",
        ["Field", "Value as received", *alerts_heading, "What the field means"],
        rows,
        f"{none} on {'an' if topic == 'event' else 'a'} {TOPICS[topic]}.",
    )


def duplicates(folded: pd.DataFrame) -> Shown:
    """Show what happened more than once as one row with its counts.

    Parameters
    ----------
    folded : DataFrame
        As `fold` returns it, and a case has it.

    Examples
    --------
    >>> from analysis import investigate, read_alerts, tables
    >>> alerts, rejects = read_alerts(["data/alerts/fileless_execution.jsonl"] * 2)
    >>> tables.duplicates(investigate(alerts).folded).text.splitlines()[1]
    'Rule | What they share | Alerts | Received | First (UTC) | Last (UTC)'
    """
    rows = [
        [
            text(row["rule"]),
            code(row["what"]),
            text(f"{row['alerts']:,}"),
            text(f"{row['records']:,}"),
            text(moment(row["first_seen"])),
            text(moment(row["last_seen"])),
        ]
        for row in folded[folded["records"] > 1].to_dict("records")
    ]
    headings = ["Rule", "What they share", "Alerts", "Received", "First (UTC)", "Last (UTC)"]
    caption = "Alerts that tell the same but for when, the most frequent first"
    return table(caption, headings, rows, "No alert was repeated.")


def raw(case: Case) -> Shown:
    """Show each alert byte for byte, with its digest; what no eye would see is written out.

    Where a secret was redacted, it says so; size and digest are those of the bytes received.
    """
    receipts = [
        {
            "origin": receipt.origin,
            "size": len(receipt.raw),
            "sha256": receipt.sha256,
            "redacted": receipt.redacted is not None,
            "text": lines(receipt.text, longest=100_000),
        }
        for exhibit in case.exhibits[:_WHOLE]
        for receipt in exhibit.receipts[:_WHOLE]
    ]
    left = len(case.alerts) - len(receipts)
    plain = "\n".join(f"{r['origin']} sha256 {r['sha256']}" for r in receipts)
    return Shown(render("raw", receipts=receipts, left=left), plain)


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


def _events(case: Case) -> Shown:
    deeds = case.folded.sort_values(["first_seen", "alert_id"])
    rows = [
        [
            text(moment(row["first_seen"])),
            text(or_unknown(row["rule"])),
            code(row["what"]),
            text(f"{row['alerts']:,}"),
            code(row["alert_id"]),
        ]
        for row in deeds.to_dict("records")
    ]
    headings = ["First (UTC)", "Rule", "What", "Alerts", "First alert's id (derived)"]
    count = int(deeds["alerts"].sum())
    return table(f"The {count:,} alerts of incident {case.incident_id}", headings, rows)


def _meaning(name: str) -> str:
    known = known_fields().get(name)
    if known:
        return known.meaning
    place = field_level(name)
    return f"{_FACET_WORDS[place[1]]} of the {relation(place[0])}" if place else ""


def _origins(case: Case) -> str:
    places = [receipt.origin for exhibit in case.exhibits for receipt in exhibit.receipts]
    return places[0] if len(places) == 1 else f"{places[0]} to {places[-1]}"
