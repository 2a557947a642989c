"""Run the incident notebook for each incident, side by side, and file what came of it.

`DIR/index.html`, and for each incident `DIR/<incident-id>/` (see `job`). What is there and whole is
not made again. A report that fails is kept with its cause and stops no other. Any executor of
`concurrent.futures` runs the jobs: threads here, each with a process for its notebook, or a Dask
cluster's.
"""

from __future__ import annotations

import hashlib
import json
import os
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import replace
from itertools import accumulate, islice
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

import pandas as pd

from analysis.errors import ReportError
from analysis.incidents import correlate
from analysis.intake import raw_records
from analysis.redaction import without_secrets
from analysis.report import kernels, manifest
from analysis.report.beside import Beside
from analysis.report.index import facts_of, index
from analysis.report.job import ALERTS, Job, Outcome, make
from analysis.report.shelf import Shelf
from analysis.triage import score

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

TIMEOUT = 600.0
"""Seconds that one report may take."""

INDEX = "index.html"
_AT_A_TIME = 256  # incidents whose evidence is read at once


def write_reports(
    alerts: pd.DataFrame,
    out: str | Path,
    *,
    rejects: pd.DataFrame | None = None,
    gap: str = "15min",
    by: str = "activity",
    incidents: Sequence[str] = (),
    playbooks: str | Path | None = None,
    rules: Sequence[str | Path] = (),
    marks: pd.DataFrame | None = None,
    enrich: Sequence[str] = (),
    workers: int | None = None,
    executor: Executor | None = None,
    force: bool = False,
    timeout: float = TIMEOUT,
    fork: bool = True,
    redact: bool = True,
) -> Generator[Outcome]:
    """Write one report per incident, best score first, and the index when the last is done.

    Parameters
    ----------
    alerts : DataFrame
        As `read_alerts` returns it; correlated here.
    out : path or URL
        Where the reports are put: a folder, made if it does not exist, or a store that fsspec knows
        (`s3://bucket/reports`).
    rejects : DataFrame, optional
        Records that are no alerts, to be listed in the index.
    gap, by : str
        As `correlate` takes them.
    incidents : sequence of str, optional
        Ids of the incidents wanted; all, if none is named.
    playbooks : path, optional
        Folder of own playbooks, which come before those that ship.
    rules : sequence of path
        Files of own Falco rules, in the order in which Falco loads them.
    marks : DataFrame, optional
        Analysts' marks, as `verdicts.history` returns them; an incident's are filed in its report.
    enrich : sequence of str
        Outside sources to ask of each incident, as `NAME=ARGUMENT` (see `enrichment`).
    workers : int, optional
        Reports made side by side; if not given, one per core.
    executor : Executor, optional
        What runs the jobs instead of threads of this process: a Dask cluster's
        `Client.get_executor()`, say. `out` must be a place that its workers reach.
    force : bool
        Whether to make again what is there and whole.
    timeout : float
        Seconds that one report may take; then it is killed, and has failed.
    fork : bool
        Whether notebooks run in warm forks (see `kernels`); else in ordinary kernels.
    redact : bool
        Whether passwords, tokens and keys in alert text are shown as marks (see `redaction`);
        `alerts.jsonl` holds the alerts as received.

    Yields
    ------
    Outcome
        As each report is done, was done before, or has failed. Stop asking, and no further report
        is begun; those in hand are finished, and the index says what there is.

    Raises
    ------
    ValueError
        If there is no incident of a wanted id or no such enrichment, or `gap` or `by` is none.
    """
    if fork and executor is None:
        kernels.start_server()  # its imports go on beside ours
    alerts, known, _ = correlate(alerts, gap=gap, by=by)
    if unknown := sorted(set(incidents) - set(known["incident_id"])):
        raise ValueError(f"no incident {', '.join(unknown)}")
    queue = known[known["incident_id"].isin(incidents)] if incidents else known
    queue = queue.sort_values(["score", "first_seen", "incident_id"], ascending=[False, True, True])
    beside = Beside(alerts, marks, enrich)
    shelf = Shelf(out)
    shelf.open()
    common = {
        "parameters": {
            "gap": str(gap),
            "by": by,
            "playbooks": str(Path(playbooks).absolute()) if playbooks else "",
            "rules": os.pathsep.join(str(Path(one).absolute()) for one in rules),
            "redact": redact,
        },
        "own": _own_files(playbooks, rules),
        "out": shelf.url,
        "timeout": timeout,
        "fork": fork,
    }
    outcomes: list[Outcome] = []
    at_once = workers or os.cpu_count() or 1
    try:
        with ExitStack() as stack:
            pool = executor or stack.enter_context(ThreadPoolExecutor(at_once))
            jobs = _jobs(alerts, queue, beside, common)
            for outcome in _run(pool, jobs, shelf, ahead=2 * at_once, force=force):
                outcomes.append(replace(outcome, total=len(queue)))
                yield outcomes[-1]
    finally:
        if redact and rejects is not None:
            rejects = rejects.assign(excerpt=rejects["excerpt"].map(without_secrets))
        _write_index(shelf, outcomes, rejects, _inputs(alerts))


def _jobs(
    alerts: pd.DataFrame, queue: pd.DataFrame, beside: Beside, common: dict[str, Any]
) -> Iterator[Job]:
    """Yield a job per incident, its evidence read when its turn comes."""
    summands = score(alerts, queue)
    shown = without_secrets if common["parameters"]["redact"] else str
    said = [
        f"{points:+g} {name}: {shown(reason)}"
        for points, name, reason in zip(
            summands["points"], summands["summand"], summands["reason"], strict=True
        )
    ]
    sums = summands.groupby("incident_id", sort=False).indices
    rows = alerts.groupby("incident_id", sort=False).indices
    incidents: Iterator[Any] = iter(queue.to_dict("records"))
    while some := list(islice(incidents, _AT_A_TIME)):
        own = [alerts.iloc[rows[one["incident_id"]]] for one in some]
        # a record that holds several of an incident's alerts is filed once
        own = [one.drop_duplicates(["origin_file", "origin_offset"]) for one in own]
        wanted = pd.concat(own)
        wanted.attrs = alerts.attrs
        records = iter(raw_records(wanted))
        for incident, chosen in zip(some, own, strict=True):
            name = incident["incident_id"]
            evidence, received_from = _evidence(chosen, list(islice(records, len(chosen))))
            facts = facts_of(incident, [said[at] for at in sums.get(name, ())])
            facts["mark"] = beside.verdict(name)
            files, read, facts["failures"] = beside.files(name)
            more = {"facts": facts, "beside": files, "own": common["own"] | read}
            yield Job(name, evidence, received_from, **common | more)


def _evidence(alerts: pd.DataFrame, records: list[bytes]) -> tuple[bytes, dict[str, str]]:
    """Return the alerts one a line, and for each line, where it was read."""
    raws = [_on_one_line(raw) for raw in records]
    places = zip(alerts["origin_file"].astype("str"), alerts["origin_line"], strict=True)
    numbers = accumulate((raw.count(b"\n") + 1 for raw in raws), initial=1)
    received_from = {
        f"{ALERTS}:{number}": f"{PurePath(name).name}:{line}"
        for number, (name, line) in zip(numbers, places, strict=False)
    }
    return b"".join(raw + b"\n" for raw in raws), received_from


def _on_one_line(raw: bytes) -> bytes:
    if b"\n" not in raw and b"\r" not in raw:
        return raw
    try:
        json.loads(raw)
    except ValueError:
        return raw  # lines of a wrapper, each of which counts
    # a line break inside a JSON document is white space, never part of a value
    return raw.replace(b"\r", b" ").replace(b"\n", b" ")


def _run(
    pool: Executor, jobs: Iterator[Job], shelf: Shelf, *, ahead: int, force: bool
) -> Iterator[Outcome]:
    """Yield what comes of the jobs, `ahead` of them at most begun or waiting at a time."""
    running: dict[Future[Outcome], Job] = {}
    try:
        for job in jobs:
            if not force and (before := _before(shelf, job)):
                yield before
                continue
            running[pool.submit(make, job)] = job
            if len(running) >= ahead:
                yield from _done(running, FIRST_COMPLETED)
        while running:
            yield from _done(running, FIRST_COMPLETED)
    finally:
        # no further one is begun; those in hand are finished, and found whole the next time
        for future in running:
            future.cancel()


def _done(running: dict[Future[Outcome], Job], when: str) -> Iterator[Outcome]:
    for future in wait(running, return_when=when).done:
        job = running.pop(future)
        try:
            yield future.result()
        except Exception as error:  # noqa: BLE001 - a worker that died takes no other report with it
            reason = f"{type(error).__name__}: {error}"
            failed = ReportError(job.incident_id, None, "", reason)
            facts = {**job.facts, "disposition": "", "error": str(failed)}
            yield Outcome(job.incident_id, "", "", failed, facts=facts)


def _before(shelf: Shelf, job: Job) -> Outcome | None:
    """Return the outcome of a report that is there, whole, and made of the same."""
    made = manifest.read(shelf, job.incident_id)
    if not made or made["state"] != "completed" or made.get("key") != job.key:
        return None
    if not manifest.is_whole(shelf, job.incident_id, made):
        return None
    facts = {**made["facts"], **job.facts}  # a score depends on the other incidents, too
    folder = f"{shelf.url.rstrip('/')}/{job.incident_id}"
    return Outcome(job.incident_id, folder, facts["disposition"], made=False, facts=facts)


def _own_files(playbooks: str | Path | None, rules: Sequence[str | Path]) -> dict[str, str]:
    """Return the SHA-256 of the user's own files, which decide a report as well."""
    files = [*sorted(Path(playbooks).glob("*.toml")), *rules] if playbooks else [*rules]
    return {Path(one).name: manifest.digest(Path(one).read_bytes()) for one in files}


def _inputs(alerts: pd.DataFrame) -> dict[str, str]:
    """Return the SHA-256 of each file that alerts were read from; of a store's, that it was not."""
    held = alerts.attrs.get("held", {})
    found = {}
    for name in sorted(alerts["origin_file"].astype("str").unique()):
        if name in held:
            found[name] = manifest.digest(held[name])
        elif Path(name).is_file():
            with Path(name).open("rb") as file:
                found[Path(name).name] = hashlib.file_digest(file, "sha256").hexdigest()
        else:
            found[name] = "not read again"
    return found


def _write_index(
    shelf: Shelf, outcomes: list[Outcome], rejects: pd.DataFrame | None, inputs: dict[str, str]
) -> None:
    """Write the page over all reports of the folder, those of earlier runs too, and its manifest."""
    reports = {one.incident_id: dict(one.facts) for one in outcomes}
    for name in shelf.names(""):
        if name.startswith("inc-") and name not in reports and (made := manifest.read(shelf, name)):
            reports[name] = made["facts"]
    page = index(reports, rejects).encode()
    shelf.write(INDEX, page)
    files = {INDEX: page}
    for name in sorted(reports):
        path = f"{name}/{manifest.MANIFEST}"
        if (content := shelf.read(path)) is not None:
            files[path] = content
    whole = manifest.manifest(files, "completed", {"inputs": inputs}, {})
    shelf.write(manifest.MANIFEST, manifest.as_text(whole))
