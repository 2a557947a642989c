"""What outside sources say of an incident's alerts: plug-ins, asked by name and never unasked.

In: the alerts of one incident. Out: what each plug-in said, as a file; from such a file, findings
whose evidence is the alerts' own. A plug-in is a callable in the entry point group
`falco_casebook.enrichment`:

    def inventory(alerts: pd.DataFrame, argument: str) -> Answer

It gets the incident's alerts as `correlate` returns them (a copy) and the text after `=` in
`--enrich inventory=TEXT`. It names alerts and fields; values and places are taken from the alerts
here, so it can cite nothing that is not there. What it says is not weighed in the disposition. One
that raises, or answers nonsense, stops no report: the report says so.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from importlib.metadata import EntryPoint, entry_points
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.errors import EvidenceError, SourceError
from analysis.evidence import Evidence, exhibits, redacted, retelling
from analysis.knowledge import SEVERITIES
from analysis.knowledge.model import CONFIDENCES
from analysis.quoting import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pandas as pd

GROUP = "falco_casebook.enrichment"
"""The entry point group of plug-ins."""
MOST_FINDINGS, MOST_CITED = 100, 20
"""Findings of a plug-in, and fields of alerts that one of them cites, which a report keeps."""

# the one that ships goes the way of all others
_SHIPPED = (EntryPoint("ioc", "analysis.enrichment.ioc:ioc", GROUP),)
_LONGEST = 1_000  # characters of a sentence


@dataclass(frozen=True, slots=True)
class Statement:
    """One sentence of an outside source."""

    claim: str
    evidence: Sequence[tuple[str, str]]
    """The alerts' fields that it rests on: (alert id, field)."""
    source: str
    """What the source is called."""
    reference: str
    """Where in it: a line, an id, an address."""
    severity: str = "informational"
    confidence: str = "low"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a plug-in returns."""

    statements: Sequence[Statement] = ()
    limits: Sequence[str] = ()
    """What it did not look at, or could not: a sentence each."""
    inputs: Mapping[str, str] = field(default_factory=dict)
    """The SHA-256 of each file it read, by the file's name."""


@dataclass(frozen=True, slots=True)
class Said:
    """What one plug-in said of one incident; `failure` is empty unless it said nothing."""

    plugin: str
    statements: tuple[Statement, ...] = ()
    limits: tuple[str, ...] = ()
    inputs: Mapping[str, str] = field(default_factory=dict)
    failure: str = ""


@dataclass(frozen=True, slots=True)
class OutsideFinding:
    """A statement of an outside source, with the alert fields it rests on."""

    plugin: str
    claim: str
    source: str
    reference: str
    severity: str
    confidence: str
    evidence: tuple[Evidence, ...]

    def __post_init__(self) -> None:
        """Refuse a finding without evidence."""
        if not self.evidence:
            raise EvidenceError(f"no evidence for: {self.claim}")


def plugins(wanted: Sequence[str]) -> list[tuple[EntryPoint, str]]:
    """Return the plug-ins named in `NAME=ARGUMENT` texts, each with its argument; none is run.

    Raises
    ------
    ValueError
        If a text has no name, or no plug-in or more than one has it.
    """
    known = [*_SHIPPED, *entry_points(group=GROUP)]
    found = []
    for text in wanted:
        name, _, argument = text.partition("=")
        fitting = list({one.value: one for one in known if one.name == name}.values())
        if len(fitting) != 1:
            names = ", ".join(sorted({one.name for one in known}))
            number = f"{len(fitting)} enrichments are" if fitting else "no enrichment is"
            raise ValueError(f"{number} called {name!r:.80}; known: {names}")
        found.append((fitting[0], argument))
    return found


def ask(plugin: EntryPoint, argument: str, alerts: pd.DataFrame) -> Said:
    """Return what a plug-in says of an incident's alerts; what it does wrong is said, not raised."""
    try:
        answer = plugin.load()(alerts.copy(), argument)
        if not isinstance(answer, Answer):
            return Said(plugin.name, failure=f"it returned {type(answer).__name__}, not an Answer")
        inputs = {visible(str(name)): visible(str(sha)) for name, sha in answer.inputs.items()}
        limits = [_sentence(one, "a limit") for one in islice(answer.limits, MOST_FINDINGS)]
        statements, problems = _accepted(answer.statements)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the boundary: a plug-in stops no report
        return Said(plugin.name, failure=visible(f"{type(error).__name__}: {error}", longest=300))
    return Said(plugin.name, tuple(statements), (*limits, *problems), inputs)


def as_file(said: Iterable[Said]) -> bytes:
    """Return what was said as the bytes of a file that `read_said` reads; nothing asked, no bytes."""
    told = [asdict(one) for one in said]
    # beyond ASCII escaped, as in all files for machines
    return (json.dumps(told, indent=1, sort_keys=True) + "\n").encode() if told else b""


def read_said(path: str | Path) -> tuple[Said, ...]:
    """Return what a report's file says that plug-ins said.

    Raises
    ------
    SourceError
        If there is no such file, or it is none.
    """
    try:
        told = json.loads(Path(path).read_bytes())
        return tuple(
            Said(
                one["plugin"],
                tuple(_statement(item) for item in one["statements"]),
                tuple(one["limits"]),
                one["inputs"],
                one["failure"],
            )
            for one in told
        )
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise SourceError(f"{path} is no file of enrichments: {error!r:.200}") from error


def findings(
    alerts: pd.DataFrame, said: Sequence[Said], *, redact: bool = True
) -> tuple[list[OutsideFinding], list[tuple[str, str]]]:
    """Return what was said with its evidence, and what cannot be a finding or was not looked at.

    Parameters
    ----------
    alerts : DataFrame
        The incident's, as `correlate` returns them.
    said : sequence of Said
    redact : bool
        Whether values and words are shown without the secrets of the alerts cited.

    Returns
    -------
    list of OutsideFinding, list of (plug-in, sentence)
    """
    cited = {alert_id for one in said for item in one.statements for alert_id, _ in item.evidence}
    own = alerts[alerts["alert_id"].isin(cited)]
    received = exhibits(own) if len(own) else []
    shown = {one.alert_id: redacted(one) if redact else one for one in received}
    told = retelling(received, shown) if redact else str
    found, limits = [], []
    for one in said:
        for item in one.statements:
            evidence = [
                fact
                for alert_id, name in item.evidence
                if alert_id in shown
                for fact in shown[alert_id].cite([name])
            ]
            if evidence:
                words = (told(item.claim), item.source, told(item.reference))
                found.append(
                    OutsideFinding(
                        one.plugin, *words, item.severity, item.confidence, tuple(evidence)
                    )
                )
            else:
                none = f"not taken, no alert here has the fields it cites: {told(item.claim)}"
                limits.append((one.plugin, none))
        limits += [(one.plugin, limit) for limit in one.limits]
        if one.failure:
            limits.append((one.plugin, f"enrichment {one.plugin} failed: {one.failure}"))
    return found, limits


def _accepted(told: Iterable[Any]) -> tuple[list[Statement], list[str]]:
    """Return the statements that are such, and sentences on the rest."""
    taken, problems = [], []
    for number, one in enumerate(told):
        if number >= MOST_FINDINGS:
            problems.append(f"only its first {MOST_FINDINGS} findings are kept here")
            break
        try:
            taken.append(_statement(one))
            if len(one.evidence) > MOST_CITED:
                problems.append(
                    f"finding {number + 1} cites more than the {MOST_CITED} fields kept"
                )
        except (AttributeError, TypeError, ValueError, KeyError) as error:
            problems.append(visible(f"finding {number + 1} was not taken: {error}", longest=300))
    return taken, problems


def _statement(one: Any) -> Statement:
    """Return a statement whose every part is what it must be."""
    parts: dict[str, Any] = one if isinstance(one, dict) else asdict(one)
    if parts["severity"] not in SEVERITIES or parts["confidence"] not in CONFIDENCES:
        raise ValueError(f"{parts['severity']!r} or {parts['confidence']!r} is none of the kit's")
    pairs = [(str(alert_id), str(name)) for alert_id, name in parts["evidence"]]
    if not pairs:
        raise ValueError("it has no evidence")
    "".join(text for pair in pairs for text in pair).encode()  # half a character is no name
    words = {name: _sentence(parts[name], name) for name in ("claim", "source", "reference")}
    return Statement(**parts | words | {"evidence": tuple(pairs[:MOST_CITED])})


def _sentence(text: Any, what: str) -> str:
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"{what} is {text!r:.80}, not a text")
    return visible(text, longest=_LONGEST)
