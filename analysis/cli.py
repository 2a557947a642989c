"""`falco-casebook`: parse the command line, call the package, print, and say how it went.

Exit codes: 0 all is well, 1 something failed and is listed, 2 the input or the call is unusable.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from analysis.errors import KitError
from analysis.quoting import visible

if TYPE_CHECKING:
    import pandas as pd


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="falco-casebook")
def main() -> None:
    """Investigate Falco alerts: from alert JSON to reports whose every statement is evidenced."""


_SOURCES = click.argument("sources", metavar="SOURCE...", nargs=-1, required=True)
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
def report(sources: tuple[str, ...], out: str, gap: str, by: str, wanted: tuple[str, ...]) -> None:
    """Write a report for each incident in SOURCE: files or folders of alert JSON, or - for stdin.

    Writes OUT/index.html and, per incident, OUT/<incident-id>/ with report.html, report.ipynb,
    report.json and alerts.jsonl. Exit code 1: some report failed; 2: no alert could be read.
    """
    from analysis.report import write_reports  # noqa: PLC0415 - help must not wait for pandas

    alerts, rejects = _read(sources)
    failed = 0
    try:
        for outcome in write_reports(
            alerts, out, rejects=rejects, gap=gap, by=by, incidents=wanted
        ):
            failed += outcome.error is not None
            said = outcome.case.disposition if outcome.case else f"failed: {outcome.error}"
            click.echo(visible(f"{outcome.folder}: {said}"))
    except OSError as error:
        _stop(f"cannot write to {out}: {error.strerror or error}")
    except ValueError as error:
        _stop(str(error))
    click.echo(visible(f"{out}/index.html"))
    sys.exit(1 if failed else 0)


@main.command()
@_SOURCES
@_GAP
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array.")
def incidents(sources: tuple[str, ...], gap: str, as_json: bool) -> None:
    """List the incidents in SOURCE, best score first, with what each score is the sum of.

    Exit code 2: no alert could be read.
    """
    from analysis.incidents import correlate  # noqa: PLC0415 - help must not wait for pandas
    from analysis.listing import lines, queue  # noqa: PLC0415

    alerts, _ = _read(sources)
    try:
        found = queue(correlate(alerts, gap=gap))
    except ValueError as error:
        _stop(str(error))
    if as_json:
        click.echo(json.dumps(found, indent=1))  # beyond ASCII escaped, so safe for a terminal
    else:
        for line in lines(found):
            click.echo(line)


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

    try:
        if scheduler:
            import distributed  # noqa: PLC0415 - an extra

            with distributed.Client(scheduler) as client:
                done = run(list(sources), to, executor=client.get_executor())
        else:
            done = run(list(sources), to)
        if rejects:
            done.rejects.to_csv(rejects, index=False)
    except ImportError:
        _stop("--scheduler needs the extra `cluster`: pip install 'falco-casebook[cluster]'")
    except OSError as error:
        _stop(str(error) if isinstance(error, KitError) else f"{error.filename}: {error.strerror}")
    click.echo(visible(f"{to}: {done.alerts} alerts of {done.files} files"))
    if len(done.rejects):
        _say(f"{len(done.rejects)} records are no alerts" + (f": {rejects}" if rejects else ""))
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


def _read(sources: tuple[str, ...]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read the alerts; list what is none, and stop where there is no alert."""
    from analysis.intake import read_alerts  # noqa: PLC0415 - help must not wait for pandas

    try:
        alerts, rejects = read_alerts(list(sources))
    except KitError as error:
        _stop(str(error))
    if not rejects.empty:
        _say(f"{len(rejects)} of {len(alerts) + len(rejects)} records are no alerts:")
        for row in rejects.head(10).to_dict("records"):
            _say(f"  {row['origin_file']}:{row['origin_line']}: {row['reason']}")
    if alerts.empty:
        _stop("no alert could be read")
    return alerts, rejects


def _say(line: str) -> None:
    click.echo(visible(line), err=True)


def _stop(line: str) -> NoReturn:
    _say(f"falco-casebook: {line}")
    sys.exit(2)
