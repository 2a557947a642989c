"""What an alert does not say: the deciding fields it lacks, why they matter, how to get them.

A field that the alert lacks was not asked for: falco.yaml's `append_output` brings it next time
(Falco 0.39 and later). A field that is there without a value was asked for, and Falco had none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from analysis.knowledge import Playbook, identity_fields
from analysis.placeholders import OF_A_PROCESS
from analysis.schema import is_missing

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from analysis.evidence import Exhibit

_NEEDED = "a command is withheld without it"
_SOURCE = re.compile(r"[a-z0-9_]{1,64}")


@dataclass(frozen=True, slots=True)
class Gap:
    """A field without a value in this alert that would decide something, or that a command needs."""

    alert_id: str
    source: str
    field: str
    why: str
    asked: bool
    how_to_get_it: str


def find_gaps(exhibit: Exhibit, playbook: Playbook, needed: Iterable[str] = ()) -> list[Gap]:
    """Return the deciding fields that this alert has no value for, each once.

    `needed` are the fields that commands were withheld for: those of Falco's come last; derived
    ones and the envelope's no setting brings.
    """
    source = exhibit.facts["source"]
    wanted: dict[str, str] = {}
    for deciding in (*playbook.deciding, *identity_fields(source)):
        wanted.setdefault(deciding.field, deciding.why)
    for name in needed:
        if "." in name:
            wanted.setdefault(name, _NEEDED)
    found = []
    for field, why in wanted.items():
        if not is_missing(exhibit.fields.get(field)) or _inapplicable(field, exhibit):
            continue
        asked = field in exhibit.fields
        how = (
            "Falco was asked for this field and had no value at the time of the event; "
            "no setting brings it back for this alert."
            if asked
            else append_output([field], source)
        )
        found.append(Gap(exhibit.alert_id, source, field, why, asked, how))
    return found


def append_output(fields: Sequence[str], source: str) -> str:
    """Return the falco.yaml setting that adds `fields` to each alert of an event source.

    Falco reference, `append_output`: extra fields go to the JSON output only, as typed values.
    """
    match = f"  - match:\n      source: {source}\n    " if _SOURCE.fullmatch(source) else "  - "
    lines = "".join(f"      - {field}\n" for field in fields)
    return f"json_output: true\nappend_output:\n{match}extra_fields:\n{lines}"


def _inapplicable(field: str, exhibit: Exhibit) -> bool:
    """Return whether a field cannot have a value here: container details of a host process."""
    if exhibit.facts.get("container_event") and field.startswith(OF_A_PROCESS):
        return True  # there was no process
    about_container = field.startswith(("container.", "k8s.")) and field != "container.id"
    return about_container and exhibit.facts.get("in_container") is False
