"""What does a large file mostly hold? Looked at in samples, so that the fast way knows its columns.

In: a local file. Out: the wrapper and the output fields of most of its lines, or that it is no lines
of JSON alerts. A wrong answer costs time and nothing else: what differs goes the slow way.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from analysis.intake.wrappers import unwrap

if TYPE_CHECKING:
    from pathlib import Path

    from analysis.intake.wrappers import Payload

_SAMPLES, _SAMPLE_BYTES = 24, 1 << 15
_STRETCH = 8 << 20


@dataclass(frozen=True, slots=True)
class Kind:
    """What a file mostly holds: alerts with these output fields, in this wrapper ("": bare)."""

    wrapper: str
    fields: tuple[str, ...]


def sniff(path: Path) -> Kind | None:
    """Return what samples of a file mostly hold, or None where it is no lines of JSON alerts.

    None as well where a line is too long for the fast way, which holds whole lines several times.
    """
    size = path.stat().st_size
    if _has_long_line(path):
        return None
    seen: Counter[str] = Counter()
    found: Counter[str] = Counter()
    total = 0
    with path.open("rb") as file:
        for at in np.linspace(0, max(0, size - _SAMPLE_BYTES), _SAMPLES).astype(int):
            file.seek(int(at))
            lines = file.read(_SAMPLE_BYTES).split(b"\n")[1 if at else 0 : -1]
            for line in lines:
                total += 1
                if one := _lone_alert(line):
                    found[one.wrapper] += 1
                    fields = (one.alert or {}).get("output_fields")
                    seen.update(list(fields) if isinstance(fields, dict) else ())
    if not found:
        return None
    wrapper, count = found.most_common(1)[0]
    return Kind(wrapper, tuple(sorted(seen))) if count * 2 > total and "/" not in wrapper else None


def _has_long_line(path: Path) -> bool:
    """Return whether any line is longer than two stretches: one without a line end would tell."""
    with path.open("rb") as file:
        for at in range(0, path.stat().st_size - _STRETCH, _STRETCH):
            file.seek(at)
            for _ in range(_STRETCH // _SAMPLE_BYTES):
                if b"\n" in file.read(_SAMPLE_BYTES):
                    break
            else:
                return True
    return False


def _lone_alert(line: bytes) -> Payload | None:
    try:
        payloads = unwrap(line)
    except ValueError:
        return None
    return payloads[0] if len(payloads) == 1 and payloads[0].alert else None
