"""An ATT&CK Navigator layer of a set of alerts: which techniques were alerted on, how often, by what.

In: an alerts frame. Out: a layer as Navigator loads it (layer format 4.5). A technique is counted
where the rule's playbook names it, or, for a rule without one, where its tags do; the tags are
kept in the comment wherever the two differ. It shows what rules fired, not what an attacker did.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from analysis import knowledge
from analysis.features import event_sources
from analysis.quoting import visible
from analysis.schema import require

if TYPE_CHECKING:
    import pandas as pd

_MOST_RULES = 20  # named in one comment


def write_layer(alerts: pd.DataFrame, path: str | Path) -> None:
    """Write the layer of `alerts`, whole or not at all."""
    part = Path(f"{path}.part")
    part.write_text(json.dumps(layer(alerts), indent=1) + "\n", encoding="utf-8")
    part.replace(path)


def layer(
    alerts: pd.DataFrame, *, name: str = "Falco alerts", own: Path | None = None
) -> dict[str, Any]:
    """Return an ATT&CK Navigator layer, to be written as JSON.

    Parameters
    ----------
    alerts : DataFrame
        Reads `rule`, `source` and `tags`.
    name : str
        What Navigator calls the layer.
    own : Path, optional
        Folder of own playbooks.

    Returns
    -------
    dict
        Layer format 4.5, domain enterprise-attack: one entry per technique, its score the number
        of alerts.

    Raises
    ------
    AlertSchemaError
        If a column above is missing.
    """
    require(alerts, ("rule", "source", "tags"), by="navigator.layer")
    sourced = alerts.assign(source=event_sources(alerts))
    counts = sourced.groupby(["rule", "source", "tags"], observed=True, dropna=False).size()
    scores: dict[str, int] = {}
    comments: dict[str, list[str]] = {}
    for key, count in counts.items():
        rule, source, tags = cast("tuple[Any, Any, Any]", key)
        book = knowledge.playbook_for(str(rule), str(source), own=own)
        tagged = knowledge.techniques_of(tags if isinstance(tags, tuple) else ())
        chosen = (*book.techniques,) if book.techniques else tagged
        differ = (
            f"; the rule's tags say {', '.join(tagged)}"
            if tagged and set(tagged) != set(chosen)
            else ""
        )
        for technique in dict.fromkeys(chosen):
            scores[technique] = scores.get(technique, 0) + int(count)
            said = f"{visible(str(rule), longest=200)}: {count} alerts{differ}"
            comments.setdefault(technique, []).append(said)
    return {
        "name": visible(name, longest=200),
        "versions": {"attack": "17", "navigator": "5.1.0", "layer": "4.5"},
        "domain": "enterprise-attack",
        "description": "Techniques of the Falco rules that fired, by number of alerts.",
        "sorting": 3,
        "hideDisabled": False,
        "gradient": {
            "colors": ["#eef2f6", "#8a1c1c"],
            "minValue": 0,
            "maxValue": max(scores.values(), default=1),
        },
        "techniques": [
            {
                "techniqueID": technique,
                "score": score,
                "comment": _comment(comments[technique]),
                "enabled": True,
                "showSubtechniques": True,
            }
            for technique, score in sorted(scores.items())
            if technique.startswith("T") and not technique.startswith("TA")
        ],
    }


def _comment(lines: list[str]) -> str:
    more = [f"and {len(lines) - _MOST_RULES} more"] if len(lines) > _MOST_RULES else []
    return "\n".join([*sorted(lines)[:_MOST_RULES], *more])
