"""`falco-casebook`: parse the command line, call the package, print, and say how it went.

Exit codes: 0 all is well, 1 something failed and is listed, 2 the input or the call is unusable,
130 interrupted.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from contextlib import ExitStack, closing, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from analysis.console import SOURCES as _SOURCES
from analysis.console import VERDICTS as _VERDICTS
from analysis.console import marks as _marks
from analysis.console import read as _read
from analysis.console import say as _say
from analysis.console import stop as _stop
from analysis.errors import KitError
from analysis.quoting import to_csv, visible
from analysis.tune_command import tune
from analysis.writeup_command import export, lab

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from concurrent.futures import Executor

    from analysis.report import Outcome


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="falco-casebook")
def main() -> None:
    """Investigate Falco alerts: from alert JSON to reports whose every statement is evidenced."""


_GAP = click.option(
    "--gap", default="15min", show_default=True, help="The longest pause inside an incident."
)


@main.command()
@_SOURCES
@click.option("--out", default="reports", show_default=True, help="Folder for the reports.")
@_GAP
@click.option(
    "--by",
    type=click.Choice(["activity", "alert"]),
    default="activity",
    show_default=True,
    help="One report per incident, or per alert.",
)
@click.option("--incident", "wanted", multiple=True, help="Id of an incident wanted; repeatable.")
@click.option("--playbooks", help="Folder of your own playbooks.")
@click.option("--rules", multiple=True, help="File of your own Falco rules; repeatable, in order.")
@_VERDICTS
@click.option(
    "--enrich", multiple=True, metavar="NAME=ARGUMENT",
    help="Outside source to ask, such as ioc=FILE; repeatable. None is asked unasked.",
)  # fmt: skip
@click.option(
    "--workers", type=click.IntRange(1), help="Reports made side by side; else a core each."
)
@click.option("--no-redact", "redact", is_flag=True, default=True, flag_value=False,
              help="Show passwords, tokens and keys in alert text.")  # fmt: skip
@click.option("--force", is_flag=True, help="Make again what is there and whole.")
@click.option(
    "--timeout", default=600.0, show_default=True, help="Seconds that one report may take."
)
@click.option(
    "--kernel",
    type=click.Choice(["warm", "ordinary"]),
    default="warm",
    show_default=True,
    help="Run notebooks in forks of a ready process, or start a kernel for each.",
)
@click.option("--scheduler", help="Address of a Dask scheduler whose workers make the reports.")
@click.option("--navigator", help="File for an ATT&CK Navigator layer of the alerts.")
def report(  # noqa: PLR0917 - click names them
    sources: tuple[str, ...],
    out: str,
    wanted: tuple[str, ...],
    kernel: str,
    scheduler: str | None,
    navigator: str | None,
    rules: tuple[str, ...],
    verdicts: str | None,
    **options: Any,
) -> None:
    """Write a report for each incident in SOURCE: files or folders of alert JSON, or - for stdin.

    Writes OUT/index.html and, per incident, OUT/<incident-id>/ with report.html, report.ipynb,
    report.json, alerts.jsonl and manifest.json. What is there and whole is not made again: run it
    once more to go on where it stopped. Exit code 1: some report or enrichment failed; 2: no alert
    could be read; 130: interrupted.
    """
    from analysis.report.kernels import start_server  # noqa: PLC0415 - help must not wait

    if kernel == "warm" and not scheduler:
        start_server()  # its imports go on beside ours
    from analysis.report import write_reports  # noqa: PLC0415 - nor must that

    alerts, rejects = _read(sources, rules)
    marks = _marks(sources, verdicts)
    try:
        if navigator:
            from analysis.navigator import write_layer  # noqa: PLC0415 - where it is asked for

            write_layer(alerts, navigator)
        with ExitStack() as stack:
            cluster = stack.enter_context(_cluster(scheduler)) if scheduler else None
            outcomes = write_reports(
                alerts,
                out,
                rejects=rejects,
                incidents=wanted,
                rules=rules,
                marks=marks,
                fork=kernel == "warm",
                executor=cluster,
                **options,
            )
            failed = _show(outcomes)
    except KeyboardInterrupt:
        _say(f"interrupted: run it again to go on; {out}/index.html lists what is there")
        sys.exit(130)
    except OSError as error:
        _stop(f"cannot write to {out}: {error.strerror or error}")
    except ValueError as error:
        _stop(str(error))
    click.echo(visible(f"{out}/index.html"))
    sys.exit(1 if failed else 0)


def _show(outcomes: Generator[Outcome]) -> int:
    """Show how a batch goes on, a bar on a terminal, else a line each; return what failed, counted."""
    from tqdm import tqdm  # noqa: PLC0415 - for batches

    counts, failures = Counter[str](), Counter[str]()
    start = time.monotonic()
    hidden = not sys.stderr.isatty()
    with closing(outcomes), tqdm(unit=" reports", disable=hidden, leave=False) as bar:
        try:
            for outcome in outcomes:
                bar.total = outcome.total
                bar.update()
                kind = "failed" if outcome.error else "made" if outcome.made else "there already"
                counts[kind] += 1
                failures.update(outcome.facts.get("failures", ()))
                if hidden or outcome.error:
                    said = f"failed: {outcome.error}" if outcome.error else outcome.disposition
                    bar.clear()
                    click.echo(visible(f"{outcome.folder or outcome.incident_id}: {said}"))
        finally:
            seconds = max(time.monotonic() - start, 1e-3)
            rate = f"{60 * (counts['made'] + counts['failed']) / seconds:.0f} a minute"
            parts = ", ".join(
                f"{counts[kind]} {kind}" for kind in ("made", "there already", "failed")
            )
            _say(f"{parts} in {seconds:.1f} s, {rate}")
            for failure, number in failures.items():
                _say(f"enrichment failed, as {number} reports say: {failure}")
    return counts["failed"] + len(failures)


@contextmanager
def _cluster(address: str) -> Iterator[Executor]:
    """Lend the executor of a Dask cluster."""
    try:
        import distributed  # noqa: PLC0415 - an extra
    except ImportError:
        _stop("--scheduler needs the extra `cluster`: pip install 'falco-casebook[cluster]'")
    with distributed.Client(address) as client:
        yield client.get_executor()


@main.command()
@click.argument("folder")
def verify(folder: str) -> None:
    """Say whether any file of the reports in FOLDER changed since they were made.

    Write-ups and exports beside a report are no change; they are listed. Exit code 1: something
    changed, or there are no reports.
    """
    from analysis.report.manifest import MANIFEST, added, digest  # noqa: PLC0415 - help must not wait
    from analysis.report.manifest import verify as run  # noqa: PLC0415
    from analysis.report.shelf import Shelf  # noqa: PLC0415

    shelf = Shelf(folder)
    looked_at, changes = run(shelf)
    for name in added(shelf):
        _say(f"{name}: an analyst's own, held against nothing")
    for change in changes:
        click.echo(visible(str(change)))
    if changes:
        _say(f"{len(changes)} of {looked_at} files are not as they were made")
        sys.exit(1)
    said = digest(shelf.read(MANIFEST) or b"")
    click.echo(visible(f"{looked_at} files are as they were made; {MANIFEST} has SHA-256 {said}"))


@main.command()
@_SOURCES
@_GAP
@_VERDICTS
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array.")
def incidents(sources: tuple[str, ...], gap: str, verdicts: str | None, as_json: bool) -> None:
    """List the incidents in SOURCE, best score first, with what each score is the sum of.

    Exit code 2: no alert could be read.
    """
    from analysis.incidents import correlate  # noqa: PLC0415 - help must not wait for pandas
    from analysis.listing import lines, queue  # noqa: PLC0415

    alerts, _ = _read(sources)
    marks = _marks(sources, verdicts)
    try:
        found = queue(correlate(alerts, gap=gap), marks)
    except ValueError as error:
        _stop(str(error))
    if as_json:
        click.echo(json.dumps(found, indent=1))  # beyond ASCII escaped, so safe for a terminal
    else:
        for line in lines(found):
            click.echo(visible(line, longest=10_000))


@main.command()
@click.argument("sources", metavar="SOURCE...", nargs=-1, required=True)
@click.option("--to", required=True, help="Folder of Parquet files to write, one a day.")
@click.option("--rejects", help="CSV file for the records that are no alerts.")
@click.option("--scheduler", help="Address of a Dask scheduler whose workers share the files.")
def convert(sources: tuple[str, ...], to: str, rejects: str | None, scheduler: str | None) -> None:
    """Convert the alerts in SOURCE to Parquet, which loads faster and in part.

    The folder is read like any other source: falco-casebook report FOLDER.
    """
    from analysis.conversion import convert as run  # noqa: PLC0415 - help must not wait for pandas
    from analysis.intake.rejects import count  # noqa: PLC0415

    try:
        with _cluster(scheduler) if scheduler else nullcontext() as executor:
            done = run(list(sources), to, executor=executor)
        if rejects:
            to_csv(done.rejects, rejects)
    except OSError as error:
        _stop(str(error) if isinstance(error, KitError) else f"{error.filename}: {error.strerror}")
    click.echo(visible(f"{to}: {done.alerts} alerts of {done.files} files"))
    if len(done.rejects):
        _say(f"{count(done.rejects)} records are no alerts" + (f": {rejects}" if rejects else ""))
    if not done.alerts:
        _stop("no alert could be read")


@main.command()
@click.argument("subject", nargs=-1, required=True)
@click.option("--playbooks", type=click.Path(path_type=Path), help="Folder of your own playbooks.")
@click.option("--rules", multiple=True, help="File of your own Falco rules; repeatable.")
def explain(subject: tuple[str, ...], playbooks: Path | None, rules: tuple[str, ...]) -> None:
    """Explain SUBJECT: a rule, a field, `flags`, or a value of evt.arg.flags."""
    from analysis.explain import explain as run  # noqa: PLC0415 - help must not wait for it

    try:
        click.echo(run(" ".join(subject), own=playbooks, rules=rules))
    except KitError as error:
        _stop(str(error))


@main.command()
@click.argument("folder", required=False, type=click.Path(path_type=Path))
def lint(folder: Path | None) -> None:
    """Say what is wrong with the playbooks in FOLDER, or with those that ship.

    Exit code 1: something is wrong; 2: there is no playbook to look at.
    """
    from analysis.lint import lint as run  # noqa: PLC0415 - help must not wait for it

    try:
        problems = run(folder)
    except KitError as error:
        _stop(str(error))
    for problem in problems:
        click.echo(visible(str(problem)))
    sys.exit(1 if problems else 0)


for _command in (tune, lab, export):
    main.add_command(_command)
