"""An analyst's write-up of an incident: begun from its report, kept beside it, exported.

In: a report's folder, or a notebook. Out: `writeup.ipynb`, made once; a page, Markdown with its
pictures, or a PDF. Nothing that a report filed is written over. JupyterLab is for others to start.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from analysis.errors import ExportError
from analysis.quoting import visible
from analysis.report.harmless import harmless
from analysis.report.html import page
from analysis.report.manifest import MANIFEST, WRITEUP, digest, read
from analysis.report.markdown import markdown, own
from analysis.report.shelf import Shelf
from analysis.shown import NOTEBOOK_STYLE

REPORT = "report.ipynb"
SUFFIXES = {"html": ".html", "markdown": ".md", "pdf": ".pdf"}
"""What a notebook is exported to, and the ending of its file."""

CHROMIUMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_BEGUN_FROM = "falco_casebook_report_sha256"
_NOTES = """## Case notes

What happened, what was decided and why, and what is left to do. This copy is yours: write in it, add
cells, run it again. The filed report stays as it was made.
"""
_PRINT_SECONDS = 120


def begin(folder: str | Path) -> tuple[Path, bool]:
    """Return the write-up of a report's folder, and whether the report is still the one it is of.

    It is made where there is none: a copy of the executed notebook, harmless, with a cell for notes,
    and signed for JupyterLab as trusted. One that is there is never written over.

    Raises
    ------
    ExportError
        If the folder holds no report's notebook.
    """
    import nbformat  # noqa: PLC0415 - heavy, and needed only where a notebook is

    filed, path = Path(folder, REPORT), Path(folder, WRITEUP)
    if path.exists():
        begun_from = _notebook(path).metadata.get(_BEGUN_FROM)
        return path, not filed.exists() or begun_from in (None, digest(filed.read_bytes()))
    if not filed.is_file():
        raise ExportError(f"{filed}: no such file; make the report first: falco-casebook report")
    notebook = _styled(harmless(_notebook(filed)))
    notebook.cells.insert(1, nbformat.v4.new_markdown_cell(_NOTES, id="case-notes"))
    notebook.metadata[_BEGUN_FROM] = digest(filed.read_bytes())
    with path.open("x", encoding="utf-8") as file:
        file.write(nbformat.writes(notebook) + "\n")
    _trust(notebook)
    return path, True


def export(source: str | Path, to: str, out: str | Path | None = None) -> Path:
    """Write a notebook as a page, Markdown or PDF; return the file.

    Parameters
    ----------
    source : path
        A notebook, or a report's folder: its write-up, or else its report.
    to : str
        One of SUFFIXES.
    out : path, optional
        The file; if not given, beside the notebook and named like it. Markdown's pictures come
        into a folder beside it, `<name>_files`.

    Raises
    ------
    ExportError
        If there is no such notebook, the file is one that a report filed, or there is no browser
        that makes the PDF.
    """
    path = Path(source)
    if path.is_dir():
        path /= WRITEUP if (path / WRITEUP).is_file() else REPORT
    target = Path(out) if out else path.with_suffix(SUFFIXES[to])
    notebook = harmless(_notebook(path))
    shelf = Shelf(target.parent)
    if target.name in {MANIFEST, *(read(shelf) or {"outputs": {}})["outputs"]}:
        raise ExportError(f"{target}: this is the report as it was filed; name another with --out")
    if to == "markdown":
        folder = target.with_name(f"{target.stem}_files")
        text, pictures = markdown(notebook, folder.name)
        if pictures:
            folder.mkdir(parents=True, exist_ok=True)
        for name, content in pictures.items():
            (folder / name).write_bytes(content)
    else:
        text = page(notebook, visible(_title(path), longest=200))
    if to == "pdf":
        _print(text, target)
    else:
        shelf.write(target.name, text.encode())
    return target


def _styled(notebook: Any) -> Any:
    """Return a harmless notebook with its tables styled for JupyterLab, and no HTML in its words."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = own(cell.source)
        for output in cell.get("outputs", []):
            if "text/html" in output.data:
                output.data["text/html"] = NOTEBOOK_STYLE + output.data["text/html"]
    return notebook


def _trust(notebook: Any) -> None:
    """Sign the notebook as one that the user trusts: else JupyterLab shows no picture of it.

    What is in it was put together here, of what `harmless` lets through.
    """
    from nbformat.sign import NotebookNotary  # noqa: PLC0415 - heavy

    notary = NotebookNotary()
    notary.sign(notebook)
    notary.store.close()


def _notebook(path: Path) -> Any:
    import nbformat  # noqa: PLC0415 - heavy, and needed only where a notebook is

    try:
        return nbformat.read(path, as_version=4)
    except OSError as error:
        raise ExportError(f"{path}: {error.strerror or error}") from error
    except Exception as error:  # what nbformat raises for what is no notebook has no common base
        raise ExportError(f"{path}: no notebook that can be read: {error}") from error


def _title(path: Path) -> str:
    name = path.absolute().parent.name
    kind = "Write-up of" if path.name == WRITEUP else "Report of"
    return f"{kind} Falco incident {name}" if name.startswith("inc-") else path.stem


def _print(text: str, target: Path) -> None:
    """Print a page to PDF by a browser that reaches no network.

    That no script runs is the page's own policy: a browser told to run none does not print.
    """
    browser = next(filter(None, map(shutil.which, CHROMIUMS)), None)
    if browser is None:
        raise ExportError(
            "a PDF needs Chromium or Chrome (Debian, Ubuntu: apt-get install chromium); without it, "
            "use --to html and print the page"
        )
    target = target.absolute()
    # beside the target: a browser in a sandbox of its own sees no other folder for sure
    with TemporaryDirectory(prefix="falco-casebook-", dir=target.parent) as private:
        made = Path(private, "page.pdf")
        Path(private, "page.html").write_text(text, encoding="utf-8")
        command = [
            browser,
            "--headless",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--no-first-run",
            "--host-resolver-rules=MAP * ~NOTFOUND",
            f"--user-data-dir={private}/profile",
            "--no-pdf-header-footer",
            f"--print-to-pdf={made}",
            # Chromium's sandbox refuses to run as root
            *(["--no-sandbox"] if getattr(os, "geteuid", lambda: 1)() == 0 else []),
            Path(private, "page.html").as_uri(),
        ]
        try:
            done = subprocess.run(  # noqa: S603 - the browser found above, on a page of ours
                command, capture_output=True, timeout=_PRINT_SECONDS, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ExportError(f"{browser} made no PDF: {error}") from error
        if not made.is_file():
            said = done.stderr.decode(errors="replace").strip().split("\n")[-1]
            raise ExportError(f"{browser} made no PDF (exit code {done.returncode}): {said}")
        made.replace(target)
