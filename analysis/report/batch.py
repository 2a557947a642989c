"""Run the incident notebook once per incident and file what came of it.

`DIR/index.html`, and for each incident `DIR/<incident-id>/`: alerts.jsonl (the evidence, as
received), report.json, report.ipynb, report.html. One that fails is kept with its cause and
stops no other.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from importlib.resources import as_file, files
from itertools import accumulate
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from analysis import tables
from analysis.case import Case, investigate
from analysis.errors import KitError, ReportError
from analysis.incidents import correlate
from analysis.intake import raw_records, read_alerts
from analysis.quoting import visible
from analysis.report.document import document
from analysis.report.html import page, style
from analysis.shown import lines, render
from analysis.triage import score

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from importlib.resources.abc import Traversable

    import pandas as pd

ALERTS, DOCUMENT, NOTEBOOK, PAGE = "alerts.jsonl", "report.json", "report.ipynb", "report.html"
CELL_TIMEOUT = 300
"""Seconds that one cell of a report may take."""


@dataclass(frozen=True)
class Outcome:
    """What came of one incident's report: the case if it was made, the error if not."""

    incident_id: str
    folder: Path
    case: Case | None
    error: KitError | None
    trace: str = ""


def write_reports(
    alerts: pd.DataFrame,
    out: str | Path,
    *,
    rejects: pd.DataFrame | None = None,
    gap: str = "15min",
    by: str = "activity",
    incidents: Sequence[str] = (),
) -> Iterator[Outcome]:
    """Write one report per incident, best score first, and the index when the last is done.

    Parameters
    ----------
    alerts : DataFrame
        As `read_alerts` returns it; correlated here.
    out : path
        Folder for the reports; made if it does not exist.
    rejects : DataFrame, optional
        Records that are no alerts, to be listed in the index.
    gap, by : str
        As `correlate` takes them.
    incidents : sequence of str, optional
        Ids of the incidents wanted; all, if none is named.

    Yields
    ------
    Outcome
        As each report is done, or has failed.

    Raises
    ------
    ValueError
        If there is no incident of a wanted id, or `gap` or `by` is none.
    """
    alerts, known, _ = correlate(alerts, gap=gap, by=by)
    if unknown := sorted(set(incidents) - set(known["incident_id"])):
        raise ValueError(f"no incident {', '.join(unknown)}")
    chosen = known[known["incident_id"].isin(incidents)] if incidents else known
    queue = chosen.sort_values(
        ["score", "first_seen", "incident_id"], ascending=[False, True, True]
    )
    summands = score(alerts, queue)
    rows = alerts.groupby("incident_id", sort=False).indices
    parameters = {"gap": str(gap), "by": by}
    root = Path(out)
    root.mkdir(parents=True, exist_ok=True)
    outcomes = []
    for incident_id in queue["incident_id"]:
        own = alerts.iloc[rows[incident_id]]
        own.attrs = alerts.attrs
        outcomes.append(_write_report(own, incident_id, root / incident_id, parameters))
        yield outcomes[-1]
    _replace(root / "index.html", _index(outcomes, queue, summands, rejects))


def _write_report(
    alerts: pd.DataFrame, incident_id: str, folder: Path, parameters: dict[str, str]
) -> Outcome:
    case = None
    try:
        folder.mkdir(exist_ok=True)
        received_from = _file_alerts(alerts, folder)
        # from here on, only what was filed counts: the report rests on its own evidence
        filed = read_alerts(folder / ALERTS)[0]
        case = investigate(
            filed, incident_id=incident_id, gap=parameters["gap"], by=parameters["by"]
        )
        text = json.dumps(document(case, received_from), indent=1, ensure_ascii=False)
        _replace(folder / DOCUMENT, text + "\n")
        notebook = _execute(folder, {"incident_id": incident_id, **parameters})
        title = f"Falco incident {incident_id}: {', '.join(case.rules)}"
        _replace(folder / PAGE, page(notebook, visible(title, longest=200)))
    except Exception as error:  # noqa: BLE001 - the boundary: one report's failure stops no other
        return Outcome(incident_id, folder, None, *_failure(error, incident_id))
    return Outcome(incident_id, folder, case, None)


def _file_alerts(alerts: pd.DataFrame, folder: Path) -> dict[str, str]:
    """Write the alerts one a line; return, for each line, where it was read."""
    # a record that holds several of the alerts is filed once
    alerts = alerts.drop_duplicates(["origin_file", "origin_offset"])
    raws = [_on_one_line(raw) for raw in raw_records(alerts)]
    _replace(folder / ALERTS, b"".join(raw + b"\n" for raw in raws))
    places = zip(alerts["origin_file"].astype("str"), alerts["origin_line"], strict=True)
    numbers = accumulate((raw.count(b"\n") + 1 for raw in raws), initial=1)
    return {
        f"{ALERTS}:{number}": f"{PurePath(name).name}:{line}"
        for number, (name, line) in zip(numbers, places, strict=False)
    }


def _on_one_line(raw: bytes) -> bytes:
    try:
        json.loads(raw)
    except ValueError:
        return raw  # lines of a wrapper, each of which counts
    # a line break inside a JSON document is white space, never part of a value
    return raw.replace(b"\r", b" ").replace(b"\n", b" ")


def _execute(folder: Path, parameters: dict[str, str]) -> Any:
    # heavy, and needed only where a notebook is run
    import nbformat  # noqa: PLC0415
    import papermill  # noqa: PLC0415
    from traitlets.config import Config  # noqa: PLC0415

    target = folder / NOTEBOOK
    with as_file(_template()) as path:
        papermill.execute_notebook(
            _no_braces(path),
            _no_braces(target),
            parameters={"alerts_path": ALERTS, **parameters},
            cwd=str(folder),
            request_save_on_cell_execute=False,  # once, at the end or at the error
            kernel_name="python3",
            execution_timeout=CELL_TIMEOUT,
            progress_bar=False,
            # the kernel's link is a socket file of ours, not an open TCP port
            config=Config(KernelManager={"transport": "ipc"}),
        )
    notebook = nbformat.read(target, as_version=4)
    _forget_the_run(notebook)
    _replace(target, nbformat.writes(notebook) + "\n")
    return notebook


def _template() -> Traversable:
    packaged = files("analysis.report") / "incident_report.ipynb"
    # in a checkout the notebook lives in its own room
    room = files("analysis").joinpath("..", "notebooks", "incident_report.ipynb")
    return packaged if packaged.is_file() else room


def _no_braces(path: Path) -> str:
    # papermill formats paths by str.format
    return str(path).replace("{", "{{").replace("}", "}}")


def _forget_the_run(notebook: Any) -> None:
    """Drop times and machine paths, so that the same alerts give the same notebook."""
    notebook.metadata.pop("papermill", None)
    for cell in notebook.cells:
        for key in ("papermill", "execution"):
            cell.metadata.pop(key, None)
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number:02d}"  # papermill gives the parameters cell a random one


def _failure(error: Exception, incident_id: str) -> tuple[KitError, str]:
    trace = "\n".join(getattr(error, "traceback", None) or [])
    if isinstance(error, KitError):
        return error, trace
    name = getattr(error, "ename", type(error).__name__)
    reason = f"{name}: {getattr(error, 'evalue', error)}"
    cell = getattr(error, "cell_index", None)
    return ReportError(incident_id, cell, getattr(error, "source", ""), reason), trace


def _index(
    outcomes: list[Outcome],
    queue: pd.DataFrame,
    summands: pd.DataFrame,
    rejects: pd.DataFrame | None,
) -> str:
    facts = queue.set_index("incident_id").to_dict("index")
    parts = {one: part.to_dict("records") for one, part in summands.groupby("incident_id")}
    rows = [
        {
            "incident_id": one.incident_id,
            "link": f"{one.incident_id}/{PAGE}" if one.case else "",
            "disposition": one.case.disposition if one.case else "report failed",
            "priority": facts[one.incident_id]["priority"],
            "score": f"{facts[one.incident_id]['score']:g}",
            "summands": parts.get(one.incident_id, []),
            "rules": ", ".join(facts[one.incident_id]["rules"]),
            "hosts": ", ".join(facts[one.incident_id]["hosts"]) or "unknown",
            "alerts": f"{facts[one.incident_id]['alerts']:,}",
            "first_seen": tables.moment(facts[one.incident_id]["first_seen"]),
        }
        for one in outcomes
    ]
    failed = [
        {"incident_id": one.incident_id, "reason": str(one.error), "trace": lines(one.trace)}
        for one in outcomes
        if one.error
    ]
    shown = "" if rejects is None else tables.rejects(rejects).html
    body = render(
        "index",
        rows=rows,
        made=len(outcomes) - len(failed),
        failed=failed,
        rejects=Markup(shown),  # noqa: S704 - rendered, so escaped
    )
    blocks = [Markup(body)]  # noqa: S704 - rendered, so escaped
    return render(
        "page", title="Falco incident reports", contents=[], blocks=blocks, code=[], **style()
    )


def _replace(path: Path, content: str | bytes) -> None:
    """Write whole or not at all: a reader never sees half a file."""
    part = path.with_name(path.name + ".part")
    part.write_bytes(content.encode() if isinstance(content, str) else content)
    os.replace(part, path)  # noqa: PTH105 - the name says what happens
