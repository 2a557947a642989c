"""What the kit raises when a *call* is wrong; what is wrong with the *data* comes back as rows.

KitError
├── SourceError(OSError)         an input cannot be read: no such path, no permission, nothing in it
├── AlertSchemaError(ValueError) a frame lacks columns that a function reads
├── PlaybookError(ValueError)    a knowledge file is wrong: which file, which key, what to do
├── SubjectError(LookupError)    nothing is known under the name asked for
├── TuningError(ValueError)      what is to be silenced cannot be: no such rule, alert or field
├── EvidenceError(ValueError)    a finding was about to be made without evidence
├── ExportError(ValueError)      a notebook cannot be written up or exported, and what to do
└── ReportError(RuntimeError)    a report's notebook failed
"""

from __future__ import annotations


class KitError(Exception):
    """Base of all errors of the kit; its message is one line meant for a person."""


class SourceError(KitError, OSError):
    """Raised when an input cannot be read or holds nothing that could be an alert."""


class AlertSchemaError(KitError, ValueError):
    """Raised when a frame lacks columns that the called function reads."""

    def __init__(self, function: str, missing: list[str]) -> None:
        self.function, self.missing = function, missing
        super().__init__(
            f"{function}() needs columns the frame lacks: {', '.join(missing)}; "
            "start from read_alerts()"
        )


class PlaybookError(KitError, ValueError):
    """Raised when a knowledge file does not say what it must; names file, place and remedy."""

    def __init__(self, file: str, place: str, remedy: str) -> None:
        self.file, self.place, self.remedy = file, place, remedy
        super().__init__(f"{file}: {place}: {remedy}")


class SubjectError(KitError, LookupError):
    """Raised when nothing is known under a name; names what is called nearly so."""

    def __init__(self, subject: str, near: list[str]) -> None:
        self.subject, self.near = subject, near
        hint = f"; did you mean: {', '.join(near)}?" if near else ""
        super().__init__(f"no rule, field or exe flag is called {subject!r:.80}{hint}")


class TuningError(KitError, ValueError):
    """Raised when a rule, alert or field named for tuning is none of the alerts'."""


class EvidenceError(KitError, ValueError):
    """Raised when a claim would be made that no alert field supports."""


class ExportError(KitError, ValueError):
    """Raised when a notebook cannot be written up or exported: which, why, and what to do."""


class ReportError(KitError, RuntimeError):
    """Raised when a report's notebook fails; the parts are kept as attributes."""

    def __init__(self, incident_id: str, cell: int | None, source: str, reason: str) -> None:
        self.incident_id, self.cell, self.source, self.reason = incident_id, cell, source, reason
        where = f" in cell {cell}" if cell is not None else ""
        super().__init__(f"report of {incident_id} failed{where}: {reason}")
