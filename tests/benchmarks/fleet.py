"""A frame of any number of alerts that belong to incidents: what `correlate` is measured on.

In: a count and a seed. Out: alerts as `read_alerts` gives them (its dtypes), of containers that each
stay on one host, alerted on in bursts, with process ids; one alert in fifty is delivered twice.
Nothing in it is a capture of anybody's machine.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.schema import PRIORITY
from tests.benchmarks.generate import RULES, START

BURST = 40  # alerts of one burst, on average
SECOND = 10**9


def fleet(count: int, seed: int = 7) -> pd.DataFrame:
    """Return `count` alerts, the same for the same seed."""
    chance = np.random.default_rng(seed)
    bursts = max(count // BURST, 1)
    burst = np.sort(chance.integers(bursts, size=count))
    container = chance.integers(max(bursts // 20, 1), size=bursts)[burst]
    host = container % max(bursts // 200, 1)
    start = START + chance.integers(30 * 86_400, size=bursts) * SECOND
    time = start[burst] + chance.integers(300 * SECOND, size=count)
    rule = chance.integers(len(RULES), size=count)
    parent = 1_000 + (burst * 11) % 4_000_000
    process = parent + 1 + chance.integers(10, size=count)
    name = chance.integers(11, size=count)
    alerts = pd.DataFrame(
        {
            "time": pd.to_datetime(time, utc=True, unit="ns"),
            "rule": label([one[0] for one in RULES], rule),
            "priority": pd.Categorical([one[1] for one in RULES], dtype=PRIORITY).take(rule),
            "source": label(["syscall"], rule * 0),
            "hostname": label([f"node-{n}" for n in range(host.max() + 1)], host),
            "output": pd.array(["something happened"], dtype="str").take(rule * 0),
            "tags": tags()[rule],
            "unparsed": pd.array([None], dtype="str").take(rule * 0),
            "evt.time": pd.to_datetime(time, utc=True, unit="ns"),
            "evt.type": label([one[2][0] for one in RULES], rule),
            "evt.arg.flags": label(["EXE_WRITABLE|EXE_LOWER_LAYER", "EXE_WRITABLE"], rule % 2),
            "container.id": label([f"{n:012x}" for n in range(container.max() + 1)], container),
            "container.image.repository": label([f"team/{n}" for n in range(97)], container % 97),
            "container.image.tag": label([f"1.{n}.0" for n in range(40)], container % 40),
            "k8s.ns.name": label([f"team-{n}" for n in range(17)], container % 17),
            "k8s.pod.name": label([f"app-{n}" for n in range(container.max() + 1)], container),
            "user.name": label(["root", "www-data"], rule % 2),
            "user.uid": pd.array(rule % 2 * 33, dtype="Int64"),
            "user.loginuid": pd.array(rule * 0 - 1, dtype="Int64"),
            "proc.tty": pd.array(rule % 3 // 2 * 34816, dtype="Int64"),
            "proc.name": label([f"program-{n}" for n in range(11)], name),
            "proc.pname": label(["sh", "nginx"], burst % 2),
            "proc.exepath": label([f"/usr/bin/program-{n}" for n in range(11)], name),
            "proc.pid": pd.array(process, dtype="Int64"),
            "proc.ppid": pd.array(parent, dtype="Int64"),
            "proc.pid.ts": pd.to_datetime(start[burst] - SECOND, utc=True, unit="ns"),
            "proc.cmdline": pd.array(
                pd.Series(name).astype("str") + " --on /srv/" + pd.Series(burst).astype("str"),
                dtype="str",
            ),
        }
    )
    again = np.arange(count)
    again[chance.random(count) < 0.02] = 0
    return alerts.iloc[chance.permutation(again)].reset_index(drop=True)


def label(names: list[str], codes: np.ndarray) -> pd.Categorical:
    """Return names by code as a category."""
    distinct = list(dict.fromkeys(names))
    places = np.array([distinct.index(name) for name in names])
    return pd.Categorical.from_codes(places[codes], pd.Index(distinct, dtype="str"))


def tags() -> np.ndarray:
    """Return each rule's tags: a technique, and one of five tactics."""
    words = ("execution", "persistence", "credential_access", "discovery", "impact")
    found = np.empty(len(RULES), dtype=object)
    found[:] = [(rule[3], f"mitre_{words[at % 5]}") for at, rule in enumerate(RULES)]
    return found
