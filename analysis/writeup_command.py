"""`falco-casebook lab` and `export`: a case is written up in JupyterLab, and handed on."""

from __future__ import annotations

from pathlib import Path

import click

from analysis.console import read, say, stop
from analysis.errors import KitError
from analysis.quoting import visible


@click.command()
@click.argument("sources", metavar="[SOURCE...] [-- JUPYTERLAB'S OPTIONS]", nargs=-1)
@click.option(
    "--incident", "wanted", help="Id of the incident; may be left out where there is one."
)
@click.option("--out", default="reports", show_default=True, help="Folder for the reports.")
def lab(sources: tuple[str, ...], wanted: str | None, out: str) -> None:
    """Open JupyterLab on an incident's write-up, a copy of its report's notebook to go on from.

    SOURCE is a folder of reports (the one of --out, if none is named), a report's own folder, or
    alerts as `report` takes them, whose report is then made. The copy is writeup.ipynb in the
    report's folder; it is made once, and kept when the report is made again. The report as filed
    stays as it is.
    """
    theirs = [one for one in sources if one.startswith("-") and one != "-"]
    ours = [one for one in sources if one not in theirs] or [out]
    try:
        folder = _filed(Path(ours[0]), wanted) if len(ours) == 1 else None
        folder = folder or _made(tuple(ours), wanted, out)
        from analysis.report.writeup import begin  # noqa: PLC0415 - help must not wait for it

        path, current = begin(folder)
    except KitError as error:
        stop(str(error))
    except OSError as error:
        stop(f"cannot write to {error.filename}: {error.strerror or error}")
    if not current:
        say(f"{path} was begun on an earlier report: {path.with_name('report.ipynb')} has changed")
    click.echo(visible(str(path)))
    _open(path, theirs)


def _filed(folder: Path, wanted: str | None) -> Path | None:
    """Return the folder of the report wanted, if `folder` is one or holds reports."""
    if (folder / "report.ipynb").is_file() and wanted in (None, folder.absolute().name):
        return folder
    found = {path.parent.name: path.parent for path in folder.glob("inc-*/report.ipynb")}
    if found and (wanted is None and len(found) > 1):
        stop(f"--incident: which of {', '.join(sorted(found))}")
    if found and wanted is not None and wanted not in found:
        stop(f"{folder}: no report of {wanted}; there are {', '.join(sorted(found))}")
    return found[wanted or next(iter(found))] if found else None


def _made(sources: tuple[str, ...], wanted: str | None, out: str) -> Path:
    """Make the report of the incident wanted, unless it is there; return its folder."""
    from analysis.incidents import correlate  # noqa: PLC0415 - help must not wait for pandas
    from analysis.report import write_reports  # noqa: PLC0415

    if sources == (out,) and not Path(out).exists():
        stop(f"{out}: there are no reports; name alerts, or the folder of reports")
    alerts, rejects = read(sources)
    known = correlate(alerts).incidents["incident_id"].tolist()
    if wanted is None and len(known) > 1:
        stop(f"{len(known)} incidents: choose one with --incident (falco-casebook incidents)")
    if wanted is not None and wanted not in known:
        stop(f"no incident {wanted}")
    (done,) = write_reports(alerts, out, rejects=rejects, incidents=[wanted or known[0]])
    if done.error:
        stop(str(done.error))
    return Path(done.folder)


def _open(path: Path, options: list[str]) -> None:
    """Run JupyterLab over the folder of reports until it is shut down."""
    from jupyterlab.labapp import LabApp  # noqa: PLC0415 - heavy

    place = path.absolute()
    LabApp.launch_instance(
        [
            f"--ServerApp.root_dir={place.parent.parent}",
            f"--LabApp.default_url=/lab/tree/{place.parent.name}/{place.name}",
            *options,
        ]
    )


@click.command()
@click.argument("source", metavar="NOTEBOOK|FOLDER")
@click.option("--to", type=click.Choice(["html", "markdown", "pdf"]), required=True, help="Kind.")
@click.option("--out", help="File; else beside the notebook, named like it.")
def export(source: str, to: str, out: str | None) -> None:
    """Write a write-up, or any report's notebook, as a page, as Markdown or as PDF.

    Of a report's folder, its write-up, or else its report. The page is one file without script;
    Markdown has its figures in a folder beside it; PDF needs Chromium or Chrome.
    """
    from analysis.report.writeup import export as run  # noqa: PLC0415 - help must not wait for it

    try:
        click.echo(visible(str(run(source, to, out))))
    except KitError as error:
        stop(str(error))
    except OSError as error:
        stop(f"cannot write {error.filename}: {error.strerror or error}")
