"""Hostile text by class, and alerts that hold it in every field: what the browser tests open.

Data: `spec/payloads.toml`. A value is a pack of payloads, so that as many alerts as there are packs
try every payload in every field: alert i has pack i + j in field j. Within the pack, another
payload comes first from field to field.
"""

from __future__ import annotations

import tomllib
from itertools import count
from typing import Any

from analysis.intake.kinds import formats

from .conftest import ROOT, story

CLASSES: dict[str, dict[str, Any]] = tomllib.loads(
    (ROOT / "tests" / "spec" / "payloads.toml").read_text(encoding="utf-8")
)
PAYLOADS: list[str] = [one for known in CLASSES.values() for one in known["payloads"]]
PACKS = 15
"""So few that a value is shown whole (`quoting.LONGEST`)."""

RULES = sorted(formats())
FIELDS = sorted(
    {name for form in formats().values() for name in form.unlabelled}
    | {name for form in formats().values() for _, name in form.pairs}
    | {"container.id", "container.name", "container.image.repository", "container.image.tag"}
    | {"k8s.pod.name", "k8s.ns.name", "proc.pcmdline", "proc.aexepath[3]", "proc.acmdline[2]"}
    | {"my.own_field", "custom", "output_fields.rule"}
)
"""Every field that an upstream rule prints, what containers add, an ancestor's, unknown ones."""

ENVELOPE = ("rule", "output", "hostname", "uuid", "source")
"""The texts of an alert beside its fields; its tags are a list."""


def pack(number: int, first: int = 0) -> list[str]:
    """Return a pack of payloads, beginning with another one for each `first`."""
    chosen = PAYLOADS[number % PACKS :: PACKS]
    first %= len(chosen)
    return chosen[first:] + chosen[:first]


def hostile(number: int) -> dict[str, Any]:
    """Return an alert that holds a pack in every field, and payloads as names of fields.

    Every second one has the name and the source of an upstream rule, whose playbook then speaks.
    """
    fields = {name: " ".join(pack(number + at, at)) for at, name in enumerate(FIELDS)}
    rest = {name: " ".join(pack(number + at, at)) for at, name in enumerate(ENVELOPE)}
    if number % 2:
        rest["rule"] = RULES[number * len(RULES) // PACKS]
        rest["source"] = formats()[rest["rule"]].source
    named = pack(number)
    return {
        **rest,
        "tags": pack(number + 1),
        "priority": "Critical",
        "time": f"2026-03-01T10:{number:02}:00.000000001Z",
        "output_fields": fields | dict(zip(named, named, strict=True)),
    }


def one_incident(
    base: dict[str, Any], payloads: list[str] = PAYLOADS, number: int = 0
) -> list[dict[str, Any]]:
    """Return alerts of one container, one for each payload: its program, user and rule are it."""
    container = f"7c1e5a90b3{number:02x}"
    texts = (
        "proc.name",
        "proc.pname",
        "proc.aname[2]",
        "proc.cmdline",
        "proc.exepath",
        "user.name",
    )
    ids = (
        {"container.id": container, "proc.pid": 1000 + at, "proc.ppid": 1 + at} for at in count()
    )
    return [
        story(base, **dict.fromkeys(texts, one), **known)
        | {"rule": one, "tags": [one], "hostname": f"worker-{number}"}
        | {"time": f"2026-03-01T10:{at // 60:02}:{at % 60:02}.5Z"}
        for at, (one, known) in enumerate(zip(payloads, ids, strict=False))
    ]
