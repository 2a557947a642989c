"""From the very values of alerts to comparisons that reach all of them: narrow first, then wider.

In: fields of the alerts to silence. Out: silencers, the narrowest first. What may be drawn
together and how stands in `knowledge/tuning.toml`; which silencer will do is for `tuning`.
"""

from __future__ import annotations

import os.path
from typing import TYPE_CHECKING

from analysis.knowledge import tunable_fields, undrawable
from analysis.silencing import Silencer

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd


def is_anchor(name: str, values: pd.Series) -> bool:
    """Return whether a field with these values says who acted, and cannot be imitated at will."""
    anybodys = tuple(f"{place}/" for place in undrawable())
    return bool(tunable_fields()[name].anchor) and not values.str.startswith(anybodys).any()


def wider(
    rule: str, texts: pd.DataFrame, wanted: pd.Series
) -> Iterator[tuple[Silencer, tuple[tuple[str, str], ...]]]:
    """Yield silencers, the exact one first, each with one field more drawn together or left out.

    With each come the fields left out so far, and why. Fields that are anchors stay as they are.

    Parameters
    ----------
    rule : str
        Name of the rule.
    texts : DataFrame
        The fields that may be named, a column each, as `silencing.text_of` returns them.
    wanted : Series of bool
        The alerts to reach; each of them tells every field.
    """
    values = texts[wanted]
    how = dict.fromkeys(values.columns, "=")
    dropped: tuple[tuple[str, str], ...] = ()
    while True:
        rows = values.drop_duplicates().itertuples(index=False, name=None)
        yield Silencer(rule, tuple(how), tuple(how.values()), tuple(rows)), dropped
        counts = {name: values[name].nunique() for name in values.columns}
        several = [
            (count, name)
            for name, count in counts.items()
            if count > 1 and not is_anchor(name, values[name])
        ]
        if not several:
            return
        count, name = max(several)
        drawn = _drawn(tunable_fields()[name].draw, list(values[name].unique()))
        if drawn:
            how[name] = tunable_fields()[name].draw
            values = values.assign(**{name: drawn})
        else:
            del how[name]
            values = values.drop(columns=name)
            dropped = (*dropped, (name, f"its {count:,} values have no common part to compare"))


def _drawn(how: str, values: list[str]) -> str:
    """Return what many values have in common, narrow enough to compare, or nothing."""
    if how == "pmatch" and all(one.startswith("/") and "//" not in one for one in values):
        place = os.path.commonpath(values)
        odd = any(part in place for part in ("*", "?", "[", "/../", "/./"))
        below = tuple(f"{one}/" for one in undrawable())
        deep = place.count("/") > 1 and not f"{place}/".startswith(below)
        return place if deep and not odd and not place.endswith("/..") else ""
    if how == "startswith":
        head, blank, _ = os.path.commonprefix(values).rpartition(" ")  # noqa: RUF071 - of text
        # a program's name alone says nothing
        return head + blank if len(head.split()) > 1 else ""
    return ""
