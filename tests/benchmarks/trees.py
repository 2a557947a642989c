"""The process races' contenders, each run in a process of its own: ours and the peers'.

`python trees.py NAME FILE` runs one and prints seconds, peak MiB, rows, and how many parents it
found on another host. The peers may run in another Python: msticpy does not take pandas 3, and
networkx is no part of this kit. So nothing is imported here that they lack.
"""

from __future__ import annotations

import re
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

PROCESS = ["hostname", "proc.pid", "proc.pid.ts"]
PARENT = ["hostname", "proc.ppid", "proc.ppid.ts"]


def casebook(alerts: pd.DataFrame) -> Any:
    """Ours: the whole tree, described, with queries."""
    import analysis as fa

    return fa.process_tree(alerts)


def casebook_wrong(tree: Any) -> int:
    """Return how many parents of ours are on another host."""
    host = pd.Series(tree.processes["hostname"].astype("str").array, tree.processes["process_id"])
    child = tree.processes.dropna(subset="parent_id")
    return int((child["hostname"].astype("str").array != host[child["parent_id"]].array).sum())


def numpy_arrays(alerts: pd.DataFrame) -> np.ndarray:
    """The floor: integer codes, parents and depth, no description, no merging of what is missing."""
    codes = alerts["hostname"].cat.codes.to_numpy().astype(np.int64)
    start, above = (alerts[c].array.asi8 for c in ("proc.pid.ts", "proc.ppid.ts"))
    pid, ppid = (alerts[c].to_numpy("int64", na_value=0) for c in ("proc.pid", "proc.ppid"))
    # one number for host, pid and start: it wraps around, and two of a million might meet
    spread = 0x9E3779B97F4A7C15 - 2**64
    node, distinct = pd.factorize((codes << 22 | pid) * spread + start)
    above = pd.Index(distinct).get_indexer((codes << 22 | ppid) * spread + above)
    parent = np.full(len(distinct), -1)
    parent[node] = above
    return _depths(parent)


def pandas_merges(alerts: pd.DataFrame) -> pd.DataFrame:
    """Distinct processes, their parents by one merge, depth by pointer jumping."""
    once = alerts.drop_duplicates(PROCESS, ignore_index=True)
    right = once[PROCESS].set_axis(PARENT, axis=1).assign(parent=np.arange(len(once)))
    once = once.merge(right, on=PARENT, how="left")
    once["depth"] = _depths(once["parent"].fillna(-1).astype("int64").to_numpy())
    return once


def networkx_graph(alerts: pd.DataFrame) -> dict[Any, int]:
    """A directed graph over tuples, depth by walking it in topological order."""
    import networkx as nx

    once = alerts.drop_duplicates(PROCESS)
    graph = nx.DiGraph()
    graph.add_nodes_from(zip(*(once[c] for c in PROCESS), strict=True))
    child = once.dropna(subset="proc.ppid")
    graph.add_edges_from(
        zip(
            zip(*(child[c] for c in PARENT), strict=True),
            zip(*(child[c] for c in PROCESS), strict=True),
            strict=True,
        )
    )
    depth: dict[Any, int] = {}
    for node in nx.topological_sort(graph):
        above = next(iter(graph.pred[node]), None)
        depth[node] = 0 if above is None else depth[above] + 1
    return depth


def msticpy(alerts: pd.DataFrame) -> pd.DataFrame:
    """msticpy's builder for Linux events, on the rows as they come."""
    from msticpy.transform.proc_tree_builder import build_process_tree
    from msticpy.transform.proc_tree_schema import ProcSchema

    schema = ProcSchema(
        process_name="proc.name",
        process_id="proc.pid",
        parent_id="proc.ppid",
        time_stamp="time",
        cmd_line="proc.cmdline",
        path_separator="/",
        host_name_column="hostname",
    )
    return build_process_tree(_plain(alerts), schema=schema)


def msticpy_once(alerts: pd.DataFrame) -> pd.DataFrame:
    """The same on one row per process: its best."""
    return msticpy(alerts.drop_duplicates(PROCESS, ignore_index=True))


def msticpy_wrong(tree: pd.DataFrame) -> int:
    """Return how many of msticpy's parents are on another host; of some it keeps no row."""
    host = pd.Series(tree["hostname"].to_numpy(), tree["source_index"].astype("int64"))
    host = host[~host.index.duplicated()]
    child = tree.dropna(subset="source_index_par")
    above = host.reindex(child["source_index_par"].astype("int64"))
    there = above.notna().to_numpy()
    return int((child["hostname"].to_numpy() != above.to_numpy())[there].sum())


WRONG = {
    "casebook": casebook_wrong,
    "msticpy": msticpy_wrong,
    "msticpy_once": msticpy_wrong,
}


def _plain(alerts: pd.DataFrame) -> pd.DataFrame:
    # what msticpy is made for: text as objects, pids as integers
    frame = alerts[["time", "hostname", "proc.pid", "proc.ppid", "proc.name", "proc.cmdline"]]
    texts = dict.fromkeys(("hostname", "proc.name", "proc.cmdline"), object)
    return frame.astype(texts).assign(
        **{c: frame[c].fillna(0).astype("int64") for c in ("proc.pid", "proc.ppid")}
    )


def _depths(parent: np.ndarray) -> np.ndarray:
    depth, reach = (parent >= 0).astype(np.int64), parent.copy()
    while (open_ := reach >= 0).any():
        via = reach[open_]
        depth[open_], reach[open_] = depth[open_] + depth[via], reach[via]
    return depth


def _read(path: str) -> pd.DataFrame:
    frame = pq.read_table(path).to_pandas(ignore_metadata=True)
    for column in ("proc.pid", "proc.ppid"):
        if column in frame:
            frame[column] = frame[column].astype("Int64")
    return frame


if __name__ == "__main__":
    contender, frame = globals()[sys.argv[1]], _read(sys.argv[2])
    # loaded before the clock starts
    if sys.argv[1] == "casebook":
        import_module("analysis.processes")
    elif sys.argv[1].startswith("msticpy"):
        import_module("msticpy.transform.proc_tree_builder")
    begin = time.perf_counter()
    made = contender(frame)
    seconds = time.perf_counter() - begin
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    wrong = WRONG[sys.argv[1]](made) if sys.argv[1] in WRONG else "-"
    print("RESULT", seconds, int(peak[1]) / 1024, len(frame), wrong)
