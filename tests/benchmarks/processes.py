"""Frames of alerts with pids, or with names only, of any size: what the process races read.

`write` puts one into a Parquet file, from a fixed seed. `true.parent` says for each row whether
and where the process it belongs to has a parent. Nothing in it is a capture of anybody's machine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

START = 1_757_000_000_000_000_000
NAMES = ("bash", "sh", "python3", "nginx", "java", "cat", "curl", "sshd", "cron", "php-fpm")


def with_pids(
    alerts: int, processes: int, *, hosts: int = 200, depth: int = 166, seed: int = 7
) -> pd.DataFrame:
    """Return `alerts` rows on `processes` processes, in no order; pids are used again.

    Each host has its processes in order of their start; a chain of `depth` runs through the
    first host, elsewhere a process is the child of one of the fifty before it.
    """
    chance = np.random.default_rng(seed)
    host = np.sort(chance.integers(0, hosts, processes))
    host[: min(depth + 1, processes)] = 0
    number = np.arange(processes)
    first = np.searchsorted(host, np.arange(hosts))[host]
    parent = np.where(number <= depth, number - 1, number - chance.integers(1, 50, processes))
    parent = np.where(parent < first, -1, parent)
    level = np.zeros(processes, dtype=np.int64)
    for one in range(processes):
        level[one] = level[parent[one]] + 1 if parent[one] >= 0 else 0
        if level[one] > depth:  # no deeper than asked for
            parent[one], level[one] = first[one], 1
    start = START + (number - first) * 1_000_000_007 + chance.integers(0, 10**9, processes)
    pid = 2 + (number - first) % max(997, depth + 2)  # round and round, as pids go
    name = chance.integers(0, len(NAMES), processes)
    row = np.concatenate([number, chance.integers(0, processes, alerts - processes)])
    chance.shuffle(row)
    above = parent[row]
    told = above >= 0
    commands = pa.array([f"{NAMES[n]} --job={one:x}" for one, n in enumerate(name)])
    return pd.DataFrame(
        {
            "time": _times(start[row] + chance.integers(1, 10**9, alerts)),
            "hostname": _labels(host[row], [f"node-{n}" for n in range(hosts)]),
            "container.id": _labels(
                host[row] * 10 + row % 10, [f"{n:012x}" for n in range(hosts * 10)]
            ),
            "proc.pid": pd.arrays.IntegerArray(pid[row], ~(row >= 0)),
            "proc.pid.ts": _times(start[row]),
            "proc.ppid": pd.arrays.IntegerArray(pid[above], ~told),
            "proc.ppid.ts": _times(np.where(told, start[above], np.iinfo(np.int64).min)),
            "proc.name": _labels(name[row], NAMES),
            "proc.pname": _labels(np.where(told, name[above], -1), NAMES),
            "proc.cmdline": pd.array(commands.take(pa.array(row)), dtype="str"),
            "true.parent": above,
        }
    )


def names_only(alerts: int, processes: int, seed: int = 7) -> pd.DataFrame:
    """Return the same as a stock rule tells it: no pid; some rules print the grandparent."""
    frame = with_pids(alerts, processes, seed=seed)
    chance = np.random.default_rng(seed)
    third = np.where(chance.random(alerts) < 0.6, chance.integers(0, len(NAMES), alerts), -1)
    told = frame.drop(columns=["proc.pid", "proc.pid.ts", "proc.ppid", "proc.ppid.ts"])
    return told.assign(**{"proc.aname[2]": _labels(third, NAMES)})


def write(frame: pd.DataFrame, path: Path) -> Path:
    """Write a frame to Parquet once; labels stay labels."""
    if not path.exists():
        table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata()
        pq.write_table(table, path)
    return path


def _labels(codes: np.ndarray, names: Sequence[str]) -> pd.Categorical:
    return pd.Categorical.from_codes(codes, categories=pd.Index(list(names), dtype="str"))


def _times(nanoseconds: np.ndarray) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(nanoseconds.view("datetime64[ns]")).tz_localize("UTC")
