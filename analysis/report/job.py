"""Make one report: the notebook over one incident's evidence, in a process of its own, filed whole.

In: a Job, which holds all that is needed and can travel to another machine. Out: a folder on the
shelf with alerts.jsonl, report.ipynb, report.html, report.json and manifest.json (marks.json and
enrichment.json, where there are any); an Outcome. A report that fails is filed as well, with its
cause, what was run and what it was run on.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from importlib.resources import as_file, files
from typing import TYPE_CHECKING, Any

from analysis.errors import KitError, ReportError
from analysis.quoting import visible
from analysis.redaction import without_secrets
from analysis.report.html import ANSI, page
from analysis.report.kernels import ENGINE, Harvest
from analysis.report.manifest import MANIFEST, as_text, digest, key, manifest
from analysis.report.shelf import Shelf

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from importlib.resources.abc import Traversable
    from pathlib import Path

ALERTS, DOCUMENT, NOTEBOOK, PAGE = "alerts.jsonl", "report.json", "report.ipynb", "report.html"
MARKS, ENRICHMENT = "marks.json", "enrichment.json"
ERROR = "error.txt"
_BESIDE = {"marks": MARKS, "enrichment": ENRICHMENT}  # the notebook's parameter for each
_HARVEST = "analysis.report.document:harvest"


@dataclass(frozen=True)
class Job:
    """One report to be made: of what, with what, and where to."""

    incident_id: str
    evidence: bytes
    """The incident's alerts as received, one record a line."""
    received_from: Mapping[str, str]
    """For each line of the evidence, where it was read."""
    parameters: Mapping[str, Any]
    facts: Mapping[str, Any]
    """What the index shows of the incident."""
    out: str
    timeout: float
    own: Mapping[str, str] = field(default_factory=dict)
    """The SHA-256 of each file of the user's own: playbooks, rules, what plug-ins read."""
    beside: Mapping[str, bytes] = field(default_factory=dict)
    """Files that the notebook reads beside the alerts: analysts' marks, what outside sources said."""
    fork: bool = True
    """Whether the notebook runs in a warm fork; else in an ordinary kernel."""

    @property
    def inputs(self) -> dict[str, str]:
        """The SHA-256 of each file that the report is made of."""
        filed = {name: digest(content) for name, content in self.beside.items()}
        return {**self.own, **filed, ALERTS: digest(self.evidence)}

    @property
    def files(self) -> dict[str, str]:
        """The files beside the alerts, by the notebook's parameter for each."""
        return {name: file for name, file in _BESIDE.items() if file in self.beside}

    @property
    def key(self) -> str:
        """What decides the report: evidence, notebook, parameters, version."""
        return key(self.inputs, digest(template().encode()), self.parameters)


@dataclass(frozen=True)
class Outcome:
    """What came of a job."""

    incident_id: str
    folder: str
    disposition: str
    """The proposed disposition; empty if the report failed."""
    error: KitError | None = None
    trace: str = ""
    made: bool = True
    """Whether it was made now; False if a whole one was there."""
    seconds: float = 0.0
    facts: Mapping[str, Any] = field(default_factory=dict)
    total: int = 0
    """How many reports the batch has."""


def make(job: Job) -> Outcome:
    """Make a report and file it; an error of the notebook's is an outcome, not an exception."""
    start, at = time.monotonic(), datetime.now(UTC)
    shelf = Shelf(job.out)
    error, trace, disposition = None, "", ""
    shown = _shown(job)
    with shelf.making() as folder:
        try:
            disposition = _make(job, folder)
        except Exception as failure:  # noqa: BLE001 - the boundary: one report's failure stops no other
            error, trace = _failure(failure, job.incident_id)
            said = shown(f"{error}\n\n{trace}")
            (folder / ERROR).write_text(said, encoding="utf-8", errors="replace")
        seconds = round(time.monotonic() - start, 3)
        facts = {**job.facts, "disposition": disposition, "error": shown(error) if error else ""}
        state = "failed" if error else "completed"
        made_of = {
            "incident_id": job.incident_id,
            "key": job.key,
            "inputs": job.inputs,
            "notebook": digest(template().encode()),
            "parameters": dict(job.parameters),
            "made_at": f"{at:%Y-%m-%dT%H:%M:%S}Z",
            "seconds": seconds,
        }
        contents = {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}
        (folder / MANIFEST).write_bytes(as_text(manifest(contents, state, made_of, facts)))
        shelf.place(folder, job.incident_id)
    where = f"{job.out.rstrip('/')}/{job.incident_id}"
    return Outcome(job.incident_id, where, disposition, error, trace, True, seconds, facts)


def _shown(job: Job) -> Callable[[object], str]:
    """Return how words that may hold alert text are filed."""
    redacted = job.parameters.get("redact", True)
    return lambda words: without_secrets(str(words)) if redacted else str(words)


def _make(job: Job, folder: Path) -> str:
    """Write the report's files; return the disposition."""
    for name, content in {**job.beside, ALERTS: job.evidence}.items():
        (folder / name).write_bytes(content)
    notebook, told = _execute(job, folder)
    if told is None:  # an ordinary kernel keeps what it found
        told = _document(job, folder)
    for alert in told["alerts"]:
        alert["received_from"] = job.received_from.get(alert["origin"])
    # beyond ASCII escaped: what a terminal obeys or an eye misses does not reach either
    (folder / DOCUMENT).write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    title = f"Falco incident {job.incident_id}: {', '.join(told['rules'])}"
    (folder / PAGE).write_text(page(notebook, visible(title, longest=200)), encoding="utf-8")
    return str(told["disposition"])


def _execute(job: Job, folder: Path) -> tuple[Any, dict[str, Any] | None]:
    nbformat, papermill = _libraries()
    wanted = Harvest(_HARVEST)
    try:
        papermill.execute_notebook(
            nbformat.reads(template(), as_version=4),
            None,  # written here, once
            parameters={"alerts_path": ALERTS, "incident_id": job.incident_id, **job.parameters}
            | job.files,
            engine_name=ENGINE,
            kernel_name="python3",
            progress_bar=False,
            folder=str(folder),
            report_timeout=job.timeout,
            harvest=wanted,
            fork=job.fork,
        )
    finally:  # as far as it came
        if wanted.notebook is not None:
            _forget_the_run(wanted.notebook)
            text = nbformat.writes(wanted.notebook)
            (folder / NOTEBOOK).write_text(text + "\n", encoding="utf-8")
    return wanted.notebook, wanted.value


def _libraries() -> tuple[Any, Any]:
    """Import nbformat and papermill, heavy and needed only where a notebook is run.

    The checks of JSON Schema that nbformat imports build a parser of IRIs, if that library is
    there: 1.8 s on every start, for a format that no notebook has. It is not there meanwhile.
    """
    parser = "rfc3987_syntax"
    absent = parser not in sys.modules
    if absent:
        sys.modules[parser] = None  # type: ignore[assignment] # Python's way: its import fails
    try:
        import nbformat  # noqa: PLC0415
        import papermill  # noqa: PLC0415
    finally:
        if absent:
            del sys.modules[parser]
    return nbformat, papermill


def _document(job: Job, folder: Path) -> dict[str, Any]:
    from analysis.case import investigate  # noqa: PLC0415 - where the notebook did not
    from analysis.intake import read_alerts  # noqa: PLC0415
    from analysis.knowledge.rules.once import own_rules  # noqa: PLC0415
    from analysis.report.document import document  # noqa: PLC0415

    filed, _ = read_alerts(folder / ALERTS, rules=own_rules(job.parameters["rules"]))
    parameters: dict[str, Any] = dict(job.parameters)
    parameters |= {name: str(folder / file) for name, file in job.files.items()}
    return document(investigate(filed, incident_id=job.incident_id, **parameters))


@cache
def template() -> str:
    """Return the incident notebook."""
    with as_file(_template()) as path:
        return path.read_text(encoding="utf-8")


def _template() -> Traversable:
    packaged = files("analysis.report") / "incident_report.ipynb"
    # in a checkout the notebook lives in its own room
    room = files("analysis").joinpath("..", "notebooks", "incident_report.ipynb")
    return packaged if packaged.is_file() else room


def _forget_the_run(notebook: Any) -> None:
    """Drop times and machine paths, so that the same alerts give the same notebook."""
    notebook.metadata.pop("papermill", None)
    for number, cell in enumerate(notebook.cells):
        for name in ("papermill", "execution"):
            cell.metadata.pop(name, None)
        cell.id = f"cell-{number:02d}"  # papermill gives the parameters cell a random one


def _failure(error: Exception, incident_id: str) -> tuple[KitError, str]:
    colored = "\n".join(getattr(error, "traceback", None) or [])
    trace = "\n".join(visible(line) for line in ANSI.sub("", colored).split("\n"))
    if isinstance(error, KitError):
        return error, trace
    name = getattr(error, "ename", type(error).__name__)
    reason = f"{name}: {getattr(error, 'evalue', error)}"
    cell = getattr(error, "cell_index", None)
    return ReportError(incident_id, cell, getattr(error, "source", ""), reason), trace
