"""`make bench`: ours and the peers side by side, in turn, in one run; the ratios are the result.

Each contender runs in a process of its own, all of them once per round, so that a busy machine is
busy for all. Printed: the best of the rounds, peak memory, and how ours stands to each peer.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.benchmarks.generate import WRAPPED, alerts
from tests.benchmarks.processes import names_only, with_pids, write

FOLDER = Path(".bench")
README = Path("README.md")
_TABLE = re.compile(r"(<!-- made by make bench -->\n\n).*?(\n\n<!-- end of it -->)", re.DOTALL)
_ROWS: list[tuple[str, str, str]] = []
"""README's table: what, this kit, peers."""
_NAMES = {
    "duckdb_schema": "DuckDB, a schema by hand, no rejects, origins, unknown fields",
    "orjson_rows": "orjson, a dict per row",
    "orjson_cri": "orjson",
    "orjson_docker": "orjson",
    "orjson_syslog": "orjson",
    "correlate": "100,000",
    "casebook_day": "one day, three columns",
    "numpy_arrays": "bare parents in numpy",
    "pandas_merges": "pandas merges",
    "networkx_graph": "networkx",
    "msticpy_once": "msticpy, a row per process",
    "msticpy": "msticpy, all rows",
    "reports_floor": "plain Python in a fork each",
    "reports_ploomber": "ploomber-engine, one process",
    "reports_ordinary": "papermill, two kernels at a time",
    "reports_cli": "papermill and nbconvert by command",
}


def note(what: str, figures: list[tuple[str, str]]) -> None:
    """Add a row to README's table: ours is the first figure."""
    peers = "; ".join(f"{_NAMES[name]}: {figure}" for name, figure in figures[1:])
    _ROWS.append((what, figures[0][1], peers))


def write_table() -> None:
    """Put the rows into README, in place of those of an earlier run."""
    rows = ["| what | this kit | beside it |", "| --- | --- | --- |"]
    rows += [f"| {' | '.join(row)} |" for row in _ROWS]
    table = "\n".join(rows)
    text = README.read_text(encoding="utf-8")
    README.write_text(_TABLE.sub(lambda m: m[1] + table + m[2], text), encoding="utf-8")


def files(count: int) -> dict[str, Path]:
    """Return the files to read, written once: plain, wrapped (a fifth as many), and Parquet."""
    FOLDER.mkdir(exist_ok=True)
    found = {"plain": FOLDER / f"plain-{count}.jsonl"}
    if not found["plain"].exists():
        found["plain"].write_bytes(b"\n".join(alerts(count)) + b"\n")
    few = max(count // 5, 1000)
    for name, wrap in WRAPPED.items():
        found[name] = FOLDER / f"{name}-{few}.log"
        if not found[name].exists():
            found[name].write_bytes(b"\n".join(map(wrap, alerts(few))) + b"\n")
    found["parquet"] = FOLDER / f"parquet-{count}"
    if not found["parquet"].exists():
        import analysis as fa

        fa.convert(found["plain"], found["parquet"])
    return found


def race(title: str, entries: list[tuple[str, Path]], rounds: int) -> dict[str, float]:
    """Run the entries in turn, print each with its ratio to the first; return the best times."""
    runs: dict[str, list[tuple[float, float, int]]] = {
        f"{name} {path.stem}": [] for name, path in entries
    }
    for _ in range(rounds):
        for name, path in entries:
            command = [sys.executable, "-m", "tests.benchmarks.contenders", name, str(path)]
            done = subprocess.run(command, capture_output=True, check=True, text=True)
            seconds, memory, rows = done.stdout.split()
            runs[f"{name} {path.stem}"].append((float(seconds), float(memory), int(rows)))
    print(f"\n{title}")
    ours = min(next(iter(runs.values())))
    for name, times in runs.items():
        seconds, memory, rows = min(times)
        spread = max(times)[0]
        print(
            f"  {name:34} {seconds:7.2f} s (worst {spread:.2f})  {memory:6.0f} MiB  {rows:>9,} rows  "
            f"{rows / seconds:>11,.0f}/s   ours/this: {ours[0] / seconds:5.2f} time, {ours[1] / memory:4.2f} memory"
        )
    best = {name: min(times) for name, times in runs.items()}
    figures = [
        (name.split()[0], f"{seconds:.3g} s, {memory / 1024:.1f} GiB")
        for name, (seconds, memory, _) in best.items()
    ]
    note(title, figures)
    return {name: seconds for name, (seconds, _, _) in best.items()}


def race_trees(count: int, rounds: int) -> None:
    """Run the process trees; msticpy and networkx in a Python of their own, `BENCH_PEERS`."""
    ours, peers = sys.executable, os.environ.get("BENCH_PEERS")
    if not peers:
        print("\nno msticpy, no networkx: BENCH_PEERS does not name a Python that has them")
    for title, path, frame, names in (
        (
            f"process_tree, {count:,} alerts with pids, depth 166",
            FOLDER / f"pids-{count}.parquet",
            lambda: with_pids(count, count * 312 // 1000),
            ["numpy_arrays", "pandas_merges", "networkx_graph", "msticpy_once", "msticpy"],
        ),
        (
            f"the same, a tenth of them: {count // 10:,}",
            FOLDER / f"pids-{count // 10}.parquet",
            lambda: with_pids(count // 10, count * 312 // 10_000),
            [],
        ),
        (
            f"process_tree, {count:,} alerts with names only",
            FOLDER / f"names-{count}.parquet",
            lambda: names_only(count, count * 312 // 1000),
            [],
        ),
        (
            "process_tree, 35,000 alerts, a chain 3,274 deep",
            FOLDER / "deep.parquet",
            lambda: with_pids(35_000, 3_400, hosts=1, depth=3274),
            ["numpy_arrays", "pandas_merges", "networkx_graph", "msticpy_once", "msticpy"],
        ),
    ):
        if not path.exists():
            write(frame(), path)
        runs: dict[str, list[tuple[float, float, int, str]]] = {}
        for _ in range(rounds):
            for name in ("casebook", *names):
                foreign = name.startswith(("msticpy", "networkx"))
                python = peers if foreign else ours
                if python:
                    runs.setdefault(name, []).append(run_tree(python, name, path))
        print(f"\n{title}")
        best = min(runs["casebook"])
        note(title, [(name, f"{min(times)[0]:.3g} s") for name, times in runs.items()])
        for name, times in runs.items():
            seconds, memory, rows, wrong = min(times)
            print(
                f"  {name:34} {seconds:7.2f} s (worst {max(times)[0]:.2f})  {memory:6.0f} MiB  {rows:>9,} rows  "
                f"ours/this: {best[0] / seconds:5.2f} time, this/ours: {seconds / best[0]:6.1f}  "
                f"parents on a wrong host: {wrong}"
            )


def run_tree(python: str, name: str, path: Path) -> tuple[float, float, int, str]:
    """Run one contender for trees: seconds, peak MiB, rows, parents on a wrong host."""
    command = [python, "tests/benchmarks/trees.py", name, str(path)]
    environment = os.environ | {"PYTHONPATH": "."}
    done = subprocess.run(command, capture_output=True, check=True, text=True, env=environment)
    # msticpy prints of its own
    result = next(line for line in done.stdout.splitlines() if line.startswith("RESULT"))
    _, seconds, memory, rows, wrong = result.split()
    return float(seconds), float(memory), int(rows), wrong


def main() -> None:
    """Run all races; arguments: number of alerts, rounds, and `trees` for the trees alone."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    if sys.argv[3:] != ["trees"]:
        race_reading(count, rounds)
    FOLDER.mkdir(exist_ok=True)
    race_trees(count, rounds)
    if count == 1_000_000 and sys.argv[3:] != ["trees"]:
        write_table()


def race_reading(count: int, rounds: int) -> None:
    """Run the races of reading."""
    at = files(count)
    plain = at["plain"]
    from_json = race(
        f"read_alerts, {count:,} plain JSON lines, {plain.stat().st_size / 1e6:,.0f} MB",
        [("casebook", plain), ("duckdb_schema", plain), ("orjson_rows", plain)],
        rounds,
    )
    for name in WRAPPED:
        race(
            f"read_alerts, {count // 5:,} lines in {name}",
            [("casebook", at[name]), (f"orjson_{name}", at[name])],
            rounds,
        )
    from_parquet = race(
        "the same from Parquet",
        [("casebook", at["parquet"]), ("casebook_day", at["parquet"])],
        rounds,
    )
    for (name, seconds), least in zip(from_parquet.items(), (10, 50), strict=True):
        ratio = from_json[f"casebook {plain.stem}"] / seconds
        print(f"  {name}: {ratio:.0f} times as fast as from JSON ({least} at least)")
    few, many = count // 10, count
    sizes = [("correlate", Path(str(many))), ("correlate", Path(str(few)))]
    title = f"correlate, {many:,} alerts with pids, ids and process tree included"
    times = race(title, sizes, rounds)
    growth = times[f"correlate {many}"] / times[f"correlate {few}"]
    print(f"  {many / few:.0f} times the alerts take {growth:.1f} times as long (12 at most)")
    race_reports()


def race_reports() -> None:
    """Run the ways to make reports, and print each one's rate; a slow one makes fewer of them."""
    print("\nreports of the same notebook, one alert each")
    ours, rates = None, []
    ploomber = os.environ.get("BENCH_PLOOMBER")
    if not ploomber:
        print(
            "  no ploomber-engine: BENCH_PLOOMBER does not name a Python that has it and this kit"
        )
    for name, count in (
        ("reports", 40),
        ("reports_floor", 40),
        ("reports_ploomber", 40),
        ("reports_ordinary", 10),
        ("reports_cli", 4),
    ):
        python = ploomber if name == "reports_ploomber" else sys.executable
        if not python:
            continue
        command = [python, "-m", "tests.benchmarks.contenders", name, str(count)]
        done = subprocess.run(command, capture_output=True, check=True, text=True)
        seconds, memory, made = done.stdout.splitlines()[-1].split()
        rate = 60 * int(made) / float(seconds)
        ours = ours or rate
        rates.append((name, f"{rate:.0f} a minute"))
        print(
            f"  {name:20} {rate:6.0f} a minute  {float(memory):6.0f} MiB   ours/this: {ours / rate:5.1f}"
        )
    note("reports of one alert each", rates)


if __name__ == "__main__":
    main()
