"""One benchmark's contenders, each run in a process of its own: ours and the peers'.

`python -m tests.benchmarks.contenders NAME FILE` runs one and prints seconds, peak MiB and rows.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import time
from typing import TYPE_CHECKING

import duckdb
import pandas as pd

import analysis.intake  # noqa: F401 - loaded before the clock starts, as the peers' libraries are

if TYPE_CHECKING:
    from collections.abc import Callable
from pathlib import Path

TEXTS = [
    "container.id",
    "container.image.repository",
    "container.image.tag",
    "container.name",
    "evt.arg.flags",
    "evt.res",
    "evt.type",
    "fd.l4proto",
    "fd.name",
    "fd.nameraw",
    "fd.rip",
    "fd.sip",
    "k8s.ns.name",
    "k8s.pod.name",
    "proc.aname[2]",
    "proc.aname[3]",
    "proc.cmdline",
    "proc.cwd",
    "proc.exepath",
    "proc.name",
    "proc.pname",
    "proc.sname",
    "user.name",
]
NUMBERS = [
    "container.start_ts",
    "evt.time",
    "fd.sport",
    "proc.exe_ino.ctime",
    "proc.pid",
    "proc.pid.ts",
    "proc.ppid",
    "proc.tty",
    "user.loginuid",
    "user.uid",
]


def casebook(path: str) -> int:
    """Ours: every field, exact, with rejects and origins."""
    import analysis as fa

    return len(fa.read_alerts(path)[0])


def duckdb_schema(path: str) -> int:
    """DuckDB with a schema written by hand for exactly these fields, to Arrow."""
    members = ",".join(
        [f'"{name}" VARCHAR' for name in TEXTS]
        + [f'"{name}" BIGINT' for name in NUMBERS]
        + ['"proc.exe_ino.ctime_duration_proc_start" UBIGINT']
    )
    columns = dict.fromkeys(("hostname", "output", "priority", "rule", "source"), "VARCHAR")
    columns |= {"output_fields": f"STRUCT({members})", "tags": "VARCHAR[]", "time": "TIMESTAMP_NS"}
    written = ",".join(f"'{name}': '{kind}'" for name, kind in columns.items())
    query = (
        f"SELECT * EXCLUDE output_fields, unnest(output_fields) FROM read_json('{path}', "
        f"format='newline_delimited', columns={{{written}}}, ignore_errors=true, "
        "maximum_object_size=100000000)"
    )
    return duckdb.sql(query).to_arrow_table().num_rows


def _rows(records) -> int:
    flat = [{**alert, **alert.pop("output_fields")} for alert in records if "rule" in alert]
    frame = pd.DataFrame(flat)
    frame["time"] = pd.to_datetime(frame["time"], utc=True, format="ISO8601", errors="coerce")
    return len(frame)


def _decoded(path: str, loads: Callable, payload: Callable[[bytes], bytes]):
    with Path(path).open("rb") as file:
        for line in file:
            try:
                yield loads(payload(line))
            except ValueError:
                continue


def orjson_rows(path: str, payload: Callable[[bytes], bytes] = lambda line: line) -> int:
    """The usual way: orjson line by line, a dict per row, one DataFrame."""
    import orjson

    return _rows(_decoded(path, orjson.loads, payload))


def json_rows(path: str) -> int:
    """The same with the standard library."""
    return _rows(_decoded(path, json.loads, lambda line: line))


def orjson_cri(path: str) -> int:
    """The usual way for CRI lines: cut the prefix, then orjson."""
    return orjson_rows(path, lambda line: line.split(b" ", 3)[-1])


def orjson_docker(path: str) -> int:
    """The usual way for Docker's lines: orjson twice."""
    import orjson

    return orjson_rows(path, lambda line: orjson.loads(line)["log"])


def orjson_syslog(path: str) -> int:
    """The usual way for syslog lines: cut at the first brace, then orjson."""
    return orjson_rows(path, lambda line: line[max(line.find(b"{"), 0) :])


def correlate(count: str) -> int:
    """So many alerts into incidents: ids, process tree, links and scores."""
    from analysis.incidents import correlate as ours
    from tests.benchmarks.fleet import fleet

    alerts = fleet(int(count))
    global start  # noqa: PLW0603 - what is measured begins when the alerts are made
    start = time.perf_counter()
    return len(ours(alerts).alerts)


def casebook_day(path: str) -> int:
    """One day, three columns, from Parquet."""
    import analysis as fa

    chosen = {
        "since": "2025-09-04",
        "until": "2025-09-05",
        "columns": ["time", "rule", "proc.name"],
    }
    return len(fa.read_alerts(path, **chosen)[0])


def import_pandas(_: str) -> int:
    """Nothing more: pandas is loaded already."""
    return 0


def night(count: int) -> bytes:
    """Return alerts of as many incidents: the sample of a shell, in a pod each."""
    text = Path("data/alerts/terminal_shell_in_container.jsonl").read_text().splitlines()[0]
    base = json.loads(text)
    made = []
    for number in range(count):
        own = {"container.id": f"{number:012x}", "k8s.pod.name": f"web-{number}"}
        made.append(json.dumps(base | {"output_fields": base["output_fields"] | own}))
    return "\n".join(made).encode() + b"\n"


def _reports(count: str, **options) -> int:
    import analysis as fa

    with tempfile.TemporaryDirectory() as out:
        made = list(fa.write_reports(fa.read_alerts(night(int(count)))[0], out, **options))
    return sum(one.error is None for one in made)


def reports(count: str) -> int:
    """Ours: warm forks, as many workers as cores."""
    return _reports(count)


def reports_ordinary(count: str) -> int:
    """The same through papermill's API, a kernel for each, as many at a time as cores."""
    return _reports(count, fork=False)


def reports_cli(count: str) -> int:
    """The usual way: papermill's command, then nbconvert's, one report after the other."""
    with tempfile.TemporaryDirectory() as out:
        for number, line in enumerate(night(int(count)).splitlines()):
            alert, made = Path(out, f"{number}.jsonl"), Path(out, f"{number}.ipynb")
            alert.write_bytes(line + b"\n")
            run = ["papermill", "notebooks/incident_report.ipynb", str(made), "--no-progress-bar"]
            for command in (
                [*run, "-p", "alerts_path", str(alert)],
                ["jupyter", "nbconvert", "--to", "html", str(made)],
            ):
                program = str(Path(sys.executable).parent / command[0])
                subprocess.run([program, *command[1:]], check=True, capture_output=True)
    return int(count)


def reports_ploomber(count: str) -> int:
    """ploomber-engine's way: all notebooks in one process, one after the other, and the same pages."""
    import nbformat
    from ploomber_engine import execute_notebook

    from analysis.report.html import page

    template = nbformat.read("notebooks/incident_report.ipynb", 4)
    with tempfile.TemporaryDirectory() as out:
        for number, line in enumerate(night(int(count)).splitlines()):
            alert, made = Path(out, f"{number}.jsonl"), Path(out, f"{number}.ipynb")
            alert.write_bytes(line + b"\n")
            notebook = execute_notebook(
                template, made, parameters={"alerts_path": str(alert)}, progress_bar=False
            )
            made.with_suffix(".html").write_text(page(notebook, "report"), encoding="utf-8")
    return int(count)


def reports_floor(count: str) -> int:
    """The floor: the notebook's statements as plain Python, a fresh fork for each, two at a time."""
    import multiprocessing

    import nbformat

    import analysis.case
    import analysis.figures
    import analysis.tables  # noqa: F401 - before the forks
    from analysis.report import warm

    warm.warm_up()
    cells = nbformat.read("notebooks/incident_report.ipynb", 4).cells
    code = [cell.source for cell in cells if cell.cell_type == "code"]
    with tempfile.TemporaryDirectory() as out:
        for number, line in enumerate(night(int(count)).splitlines()):
            Path(out, f"{number}.jsonl").write_bytes(line + b"\n")
        files = [(code, str(path)) for path in sorted(Path(out).glob("*.jsonl"))]
        with multiprocessing.get_context("fork").Pool(2, maxtasksperchild=1) as pool:
            return sum(pool.starmap(_plain, files, chunksize=1))


def _plain(code: list[str], path: str) -> int:
    shown: list[str] = []

    def display(*pieces: object) -> None:
        for piece in pieces:
            if hasattr(piece, "_repr_mimebundle_"):
                shown.extend(map(str, piece._repr_mimebundle_()))  # type: ignore[attr-defined]
            else:
                shown.append(piece._repr_html_())  # type: ignore[attr-defined]

    names = {"display": display}
    for at, source in enumerate(code):
        exec(source, names)
        if at == 0:
            names["alerts_path"] = path  # type: ignore[assignment]
        elif not source.lstrip().startswith(("display", "import")):
            display(eval(source, names))
    Path(path).with_suffix(".html").write_text("".join(shown), encoding="utf-8")
    return 1


if __name__ == "__main__":
    contender = globals()[sys.argv[1]]
    start = time.perf_counter()
    rows = contender(sys.argv[2])
    seconds = time.perf_counter() - start
    # ru_maxrss would be the parent's, where that was larger
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    print(seconds, int(peak[1]) / 1024, rows)
