"""Findings: statements about an alert, each with the alert fields it rests on.

In: exhibits and the knowledge files' checks. Out: findings, benign causes with their verdict,
and a disposition. Nothing is claimed that no field supports.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from analysis.errors import EvidenceError
from analysis.knowledge import Cause, Check, Playbook, readings, techniques_of
from analysis.knowledge.conditions import judge
from analysis.knowledge.model import PLACEHOLDER
from analysis.lineage import ancestors
from analysis.quoting import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from analysis.evidence import Evidence, Exhibit

_LONGEST_VALUE = 300  # characters of one value inside a sentence

_SEVERITY = {
    "Emergency": "critical",
    "Alert": "critical",
    "Critical": "critical",
    "Error": "high",
    "Warning": "medium",
    "Notice": "low",
}
# which of a single alert's leads decides: an explanation holds only where nothing speaks against it
_PRECEDENCE = ("suspicious", "needs review", "simulation", "known benign pattern")
# of several alerts the one that is least explained decides
_GRAVITY = ("simulation", "known benign pattern", "needs review", "suspicious")


@dataclass(frozen=True, slots=True)
class Finding:
    """A statement with its evidence; without evidence it cannot be made."""

    claim: str
    topic: str
    evidence: tuple[Evidence, ...]
    confidence: str
    severity: str = "informational"
    techniques: tuple[str, ...] = ()
    leads_to: str = ""

    def __post_init__(self) -> None:
        """Refuse a finding without evidence."""
        if not self.evidence:
            raise EvidenceError(f"no evidence for: {self.claim}")


@dataclass(frozen=True, slots=True)
class BenignCause:
    """A benign cause, and whether the alert supports it, excludes it, or cannot tell."""

    cause: str
    confirm: str
    status: str
    evidence: tuple[Evidence, ...]
    needs: tuple[str, ...]


def find(exhibit: Exhibit, playbook: Playbook, shown: Exhibit | None = None) -> list[Finding]:
    """Return what one alert supports: that the rule fired, its ancestry, readings, the playbook.

    It is judged by `exhibit` and told in the words of `shown`: the same, or without its secrets.
    """
    shown = shown or exhibit
    found = [_detection(shown), *_lineage(shown)]
    checks = (*readings(), *playbook.check)
    found += filter(None, (_check(check, exhibit, shown) for check in checks))
    return found


def weigh_causes(
    exhibit: Exhibit, playbook: Playbook, shown: Exhibit | None = None
) -> list[BenignCause]:
    """Return the playbook's benign causes, each 'supported', 'excluded' or 'unknown'."""
    return [_cause(cause, exhibit, shown or exhibit) for cause in playbook.benign]


def disposition(findings: Sequence[Finding]) -> tuple[str, list[Finding]]:
    """Return the proposed disposition of one alert and the findings that lead to it."""
    for name in _PRECEDENCE:
        leads = [finding for finding in findings if finding.leads_to == name]
        if leads:
            return name, leads
    return "needs review", []


def gravest(dispositions: Iterable[str]) -> str:
    """Return the disposition of an incident: that of its least explained alert."""
    return max(dispositions, key=_GRAVITY.index)


def fill_claim(claim: str, facts: Mapping[str, Any]) -> str | None:
    """Put an alert's values into a sentence, visibly; None where a value is missing."""
    if any(name not in facts for name in PLACEHOLDER.findall(claim)):
        return None
    return PLACEHOLDER.sub(lambda match: _spoken(match[1], facts[match[1]]), claim)


def duration(seconds: float) -> str:
    """Return a duration as a person says it, in its two largest units.

    >>> duration(0.0134), duration(17.09), duration(93784.2)
    ('0.013 s', '17.1 s', '1 d 2 h')
    """
    seconds = abs(seconds)
    if seconds < 1:
        return f"{seconds:.3f} s"
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{seconds:.1f} s"
    units = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
    parts, rest = [], int(seconds)
    for unit, size in units:
        count, rest = divmod(rest, size)
        parts.append((count, unit))
    first = next(i for i, (count, _) in enumerate(parts) if count)
    return " ".join(f"{count} {unit}" for count, unit in parts[first : first + 2] if count)


def _spoken(name: str, value: Any) -> str:
    if name.endswith("_s"):
        return duration(value)
    if isinstance(value, tuple | list):
        value = "; ".join(map(str, value))
    return visible(str(value), longest=_LONGEST_VALUE)


def _check(check: Check, exhibit: Exhibit, shown: Exhibit) -> Finding | None:
    verdict = judge(check.all, check.any, exhibit.facts, check.unless)
    claim = fill_claim(check.claim, shown.facts) if verdict.holds else None
    if claim is None:
        return None
    evidence = shown.cite((*verdict.fields, *check.named, *check.cites))
    return Finding(
        claim,
        check.topic,
        evidence,
        check.confidence,
        check.severity,
        check.techniques,
        check.leads_to,
    )


def _cause(cause: Cause, exhibit: Exhibit, shown: Exhibit) -> BenignCause:
    against = judge((), cause.unless, exhibit.facts)
    if cause.unless and against.holds:
        return BenignCause(cause.cause, cause.confirm, "excluded", shown.cite(against.fields), ())
    verdict = judge(cause.all, cause.any, exhibit.facts)
    if (cause.all or cause.any) and verdict.holds:
        cited = shown.cite(verdict.fields)
        return BenignCause(cause.cause, cause.confirm, "supported", cited, ())
    # what does not support a cause does not exclude it either
    return BenignCause(cause.cause, cause.confirm, "unknown", (), verdict.needs)


def _detection(exhibit: Exhibit) -> Finding:
    facts = exhibit.facts
    rule = "Falco's rule '{rule}'" if "rule" in facts else "A rule of Falco's that is not named"
    time = "{time}" if "time" in facts else "a time whose date is not told"
    sensor = ", reported by the sensor on {hostname}" if "hostname" in facts else ""
    claim = f"{rule} (priority {{priority}}) fired on an event at {time}{sensor}."
    tags = exhibit.record.get("tags") or []
    return Finding(
        fill_claim(claim, facts) or "",
        "event",
        exhibit.cite(("rule", "priority", "time", "hostname", "tags")),
        "high",
        _SEVERITY.get(facts["priority"], "informational"),
        techniques_of(tags),
    )


def _lineage(exhibit: Exhibit) -> list[Finding]:
    above = [row for row in ancestors(exhibit.process_fields) if row["level"] > 0]
    named = [row for row in above if row["name"] is not None]
    if not named:
        return []
    parts = [f"{row['relation']} {_spoken('', row['name'])}" for row in named]
    claim = f"Ancestry by name: {', '.join(parts)}. "
    gaps = [row["relation"] for row in above if row["name"] is None]
    claim += f"The alert names no {', no '.join(gaps)}. " if gaps else ""
    fields = [field for row in named for field in row["fields"] if not field.endswith("pid")]
    if isinstance(joined := exhibit.facts.get("proc.aname"), str):
        claim += f"Its list of all ancestors reads '{_spoken('', joined)}'."
        fields.append("proc.aname")
    else:
        claim += "It tells of no ancestor beyond."
    return [Finding(claim, "process", exhibit.cite(fields), "high")]
