"""Frames of alerts with pids, or with names only, of any size: what the process races read.

Nothing in it is a capture of anybody's machine.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa

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
    parent = number - chance.integers(1, 50, processes)
    chain = number <= depth
    parent[chain] = number[chain] - 1
    parent = np.where(parent < first, -1, parent)
    level = np.zeros(processes, dtype=np.int64)
    for one in range(processes):
        level[one] = level[parent[one]] + 1 if parent[one] >= 0 else 0
        if level[one] > depth:  # no deeper than asked for
            parent[one], level[one] = first[one], 1
    started = START + (number - first) * 1_000_000_007 + chance.integers(0, 10**9, processes)
    pid = 2 + (number - first) % 997 + (number % 3) * 1000  # round and round, as pids go
    name = chance.integers(0, len(NAMES), processes)
    row = np.concatenate([number, chance.integers(0, processes, alerts - processes)])
    chance.shuffle(row)
    above = parent[row]
    known = above >= 0
    time = started[row] + chance.integers(1, 10**9, alerts)
    cmdline = np.array([f"--job={n:x}" for n in range(processes)], dtype=object)

    def text(codes: np.ndarray, mask: np.ndarray | None = None) -> pd.Categorical:
        return pd.Categorical.from_codes(
            codes if mask is None else np.where(mask, codes, -1), categories=list(NAMES)
        )

    def whole(values: np.ndarray, mask: np.ndarray | None = None) -> pd.arrays.IntegerArray:
        return pd.arrays.IntegerArray(values, ~mask if mask is not None else values < 0)

    frame = {
        "time": pd.to_datetime(time, utc=True),
        "hostname": pd.Categorical.from_codes(host[row], [f"node-{n}" for n in range(hosts)]),
        "container.id": pd.Categorical.from_codes(
            host[row] * 10 + number[row] % 10, [f"{n:012x}" for n in range(hosts * 10)]
        ),
        "proc.pid": whole(pid[row]),
        "proc.pid.ts": pd.to_datetime(started[row], utc=True),
        "proc.ppid": whole(pid[above], known),
        "proc.ppid.ts": pd.Series(pd.to_datetime(started[above], utc=True)).where(known).array,
        "proc.name": text(name[row]),
        "proc.pname": text(name[above], known),
        "proc.cmdline": pd.array(
            pa.array(cmdline, pa.large_string()).take(pa.array(row)), dtype="str"
        ),
        "true.parent": above,
        "true.row": row,
    }
    return pd.DataFrame(frame)
