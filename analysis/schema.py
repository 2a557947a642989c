"""The columns of an alerts frame: names, dtypes, meaning; and Falco's order of priorities.

The dot rule: a column with a dot is a fact that Falco wrote, under Falco's own field name
(`proc.aname[2]`). A column without one is the alert's envelope, or is derived by this kit.

Sources: Falco `userspace/engine/formats.cpp` (envelope), `falco_common.cpp` (priorities).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from analysis.errors import AlertSchemaError

if TYPE_CHECKING:
    from collections.abc import Sequence

PRIORITIES = (
    "Debug",
    "Informational",
    "Notice",
    "Warning",
    "Error",
    "Critical",
    "Alert",
    "Emergency",
)
"""Falco's priorities, least to worst, so that `alerts["priority"] >= "Error"` reads as it should."""

PRIORITY = pd.CategoricalDtype(list(PRIORITIES), ordered=True)
TIME = pd.DatetimeTZDtype("ns", "UTC")

ENVELOPE = {
    "time": "when the event happened (datetime64[ns, UTC]), not when the alert was delivered",
    "rule": "name of the Falco rule that fired; missing where a text alert does not tell it",
    "priority": "priority of the rule, an ordered categorical",
    "source": "event source: syscall, k8s_audit, or a plugin's own name",
    "hostname": "host of the Falco *sensor*; in a DaemonSet this may be the name of Falco's pod",
    "output": "the rendered alert text",
    "tags": "the rule's tags",
    "uuid": "random id that falcosidekick gave on receipt; no key for duplicates",
    "wrapper": "what the alert came in, outermost first (`elasticsearch/cri`); empty for a bare alert",
    "recovered": "output fields that were taken from the rendered text",
    "ambiguous": "labels of the rendered text that could not be read with certainty",
    "unparsed": "output fields that are none of their kind, as JSON: kept, not bent",
    "origin_file": "file that the alert was read from",
    "origin_line": "line in it, from 1",
    "origin_offset": "byte at which the record starts in it, uncompressed",
    "origin_length": "length of the record in bytes",
}
"""The columns that each alerts frame has, in this order, with their meaning."""

REJECTS = ("origin_file", "origin_line", "origin_offset", "origin_length", "reason", "excerpt")
"""The columns of a rejects frame."""

FIELD_MISSING = ("<NA>",)
"""Strings by which Falco says 'no value' inside JSON (user and group names without an entry)."""


class Kept(dict[str, Any]):
    """A mapping that is not copied: pandas copies what `attrs` holds with every operation."""

    def __deepcopy__(self, _: Any) -> Kept:
        return self


def require(frame: pd.DataFrame, columns: Sequence[str], *, by: str) -> None:
    """Raise AlertSchemaError, naming `by`, unless `frame` has all `columns`."""
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise AlertSchemaError(by, missing)


def parse_priority(text: str) -> str | None:
    """Return Falco's spelling of a priority written in any case, or None; `INFO` is Informational."""
    name = text.strip().capitalize()
    name = "Informational" if name == "Info" else name
    return name if name in PRIORITIES else None


def is_missing(value: object) -> bool:
    """Return whether an output field's value says 'unknown': null, or the string `<NA>`."""
    return value is None or value in FIELD_MISSING
