"""Tune a noisy rule: the narrowest Falco exception that silences chosen alerts, and what it costs.

In: alerts, a rule's name, ids to silence, ids never to silence. Out: a `Tuning`: the YAML, which
alerts it would silence and which not, and what an attacker could hide behind each field. Where
nothing is narrow enough there is no YAML but a reason.

Narrow means: every field that lasts (`knowledge/tuning.toml`), with the very values seen. Only
where that would be a list nobody reads are values drawn together, or a field left out, and both
are told. At least one field must say who acted in a way that cannot be imitated at will.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pandas as pd

from analysis.errors import TuningError
from analysis.features import UNTOLD
from analysis.folding import fold
from analysis.grouping import distinct
from analysis.identity import identify
from analysis.knowledge import source_of, tunable_fields
from analysis.narrowing import is_anchor, wider
from analysis.schema import require
from analysis.silencing import Silencer, refusal, text_of, write
from analysis.tuned import Tuning

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from analysis.knowledge.rules import Rule, RuleSet

MOST_ROWS = 10
"""Combinations of values in one exception: a longer list is read by nobody."""
FORMS = ("exceptions", "condition")
_WORDS = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|[()]|[^\s()\"']+")
_MACROS = ("user_known_", "user_expected_")  # what upstream rules offer for this purpose


def propose(
    alerts: pd.DataFrame,
    rule: str,
    *,
    chosen: Collection[str] | None = None,
    keep: Collection[str] = (),
    fields: Sequence[str] = (),
    form: str = "exceptions",
    rules: RuleSet | None = None,
) -> Tuning:
    """Return the narrowest exception that silences the chosen alerts of a rule.

    Parameters
    ----------
    alerts : DataFrame
        As `read_alerts` returns it; `alert_id` is added where it lacks.
    rule : str
        Falco's name of the rule.
    chosen : collection of str, optional
        Ids of the alerts to silence; by default the most frequent of those that differ in no
        field which an exception could name.
    keep : collection of str
        Ids of alerts that must go on alerting; they come before `chosen`.
    fields : sequence of str
        Fields to use; by default all that tuning.toml lists and the chosen alerts tell.
    form : {"exceptions", "condition"}
        An exception of the rule's, or an addition to its condition: to its `user_known_*` macro
        where `rules` show that it names one.
    rules : RuleSet, optional
        The user's own rules: names of lists that a value must not hold, and the rule's condition.

    Raises
    ------
    TuningError
        If no alert is of this rule, an id is of none of its alerts, or a field or form is unknown.
    """
    require(alerts, ("time", "rule", "source"), by="propose")
    alerts = alerts if "alert_id" in alerts else identify(alerts)
    own = _alerts_of(alerts, rule)
    _check(own, chosen, fields, form)
    told = own["source"].astype("str").dropna()
    sources = told[~told.isin(UNTOLD)].unique()
    kept = own["alert_id"].isin(set(keep))
    ids = _most_frequent(own[~kept]) if chosen is None else set(chosen)
    wanted = own["alert_id"].isin(ids)
    tuning = Tuning(rule, tuple(own.loc[wanted, "alert_id"]), alerting=tuple(own["alert_id"]))
    unknown = len(set(keep) - set(alerts["alert_id"]))
    if unknown:
        note = f"of the alerts to keep, {unknown:,} not loaded, so not examined"
        tuning = replace(tuning, notes=(note,))
    if len(sources) > 1:
        return replace(tuning, reason="its alerts come from several event sources")
    if not (wanted & ~kept).any():
        reason = "no alert repeats" if chosen is None else "all chosen alerts are to be kept"
        return replace(tuning, reason=reason)
    source = str(sources[0]) if len(sources) else source_of(rule)
    lists = rules.lists if rules else {}
    texts, left_out = _usable(own, wanted & ~kept, source, fields, lists)
    tuning = replace(tuning, left_out=left_out)
    if not any(is_anchor(str(name), column[wanted & ~kept]) for name, column in texts.items()):
        reason = "no field of theirs says who acted but what an attacker may choose at will"
        return replace(tuning, reason=reason)
    recovered = own["recovered"] if "recovered" in own else pd.Series(None, own.index)
    if recovered[wanted].notna().any():
        note = "values were read from rendered text: compare their blanks with the sensor's"
        tuning = replace(tuning, notes=(*tuning.notes, note))
    return _worded(_narrowest(tuning, texts, wanted, kept), form, rules)


def _alerts_of(alerts: pd.DataFrame, rule: str) -> pd.DataFrame:
    """Return the distinct alerts of a rule, by time."""
    own = alerts[(alerts["rule"] == rule).fillna(False).to_numpy(dtype=bool)]
    if own.empty:
        known = [str(name) for name in alerts["rule"].dropna().unique()]
        near = difflib.get_close_matches(rule, known, 3, 0.4)
        hint = f"; did you mean: {', '.join(near)}?" if near else ""
        raise TuningError(f"no alert is of a rule called {rule!r:.80}{hint}")
    found: pd.DataFrame = own.iloc[distinct(own)[0]].reset_index(drop=True)
    return found


def _check(
    own: pd.DataFrame, chosen: Collection[str] | None, fields: Sequence[str], form: str
) -> None:
    if strange := sorted(set(chosen or ()) - set(own["alert_id"])):
        raise TuningError(f"{strange[0]!r:.80} is no alert of this rule")
    if chosen is not None and not chosen:
        raise TuningError("no alert is chosen")
    if strange := [name for name in fields if name not in tunable_fields()]:
        known = ", ".join(tunable_fields())
        raise TuningError(f"{strange[0]!r:.80} is no field for an exception; those are {known}")
    if form not in FORMS:
        raise TuningError(f"form {form!r:.80}: use one of {', '.join(FORMS)}")


def _most_frequent(own: pd.DataFrame) -> set[str]:
    """Return the largest group of alerts alike in all that an exception could name, if of several."""
    told = {}
    for name in (name for name in tunable_fields() if name in own):
        text = text_of(own[name])
        told[name] = text.where(text.str.fullmatch(tunable_fields()[name].only or ".*").eq(True))
    like = own[["alert_id", "time", "rule", "source", "output"]].assign(**told)
    if like.empty:
        return set()
    # wherever and in whatever incident it happened: an exception does not look at these
    groups = fold(like.assign(incident_id="", hostname=""))
    return set(groups["members"][0]) if groups["alerts"][0] > 1 else set()


def _usable(
    own: pd.DataFrame,
    wanted: pd.Series,
    source: str,
    fields: Sequence[str],
    lists: Collection[str],
) -> tuple[pd.DataFrame, tuple[tuple[str, str], ...]]:
    """Return the fields that all wanted alerts tell and Falco can compare, as text; and the rest."""
    texts: dict[str, pd.Series] = {}
    left_out = []
    for name, known in tunable_fields().items():
        if source not in known.sources or (fields and name not in fields):
            continue
        text = text_of(own[name]) if name in own else pd.Series(None, own.index, dtype="str")
        values = text[wanted]
        told = values.dropna().unique()
        refused = [why for one in told if (why := refusal(one, lists))]
        if values.isna().any():
            if len(told):
                left_out.append((name, "not all chosen alerts tell it"))
        elif known.only and not values.str.fullmatch(known.only).all():
            left_out.append((name, "its values are none that last, or free text"))
        elif refused:
            left_out.append((name, f"a value {refused[0]}"))
        else:
            texts[name] = text
    return pd.DataFrame(texts, index=own.index), tuple(left_out)


def _narrowest(tuning: Tuning, texts: pd.DataFrame, wanted: pd.Series, kept: pd.Series) -> Tuning:
    """Return the tuning with the narrowest silencer that reaches all wanted alerts and none kept.

    Where a kept alert is alike in every field, those chosen that it cannot be told from are missed.
    """
    reachable = wanted & ~kept
    exact: Silencer | None = None
    for silencer, dropped in wider(tuning.rule, texts, reachable):
        exact = exact or silencer
        if len(silencer.rows) <= MOST_ROWS and not silencer.silences(texts)[kept].any():
            return _applied(replace(tuning, silencer=silencer), texts, kept, dropped)
    assert exact is not None  # noqa: S101 - the exact one always comes
    alike = set(texts.loc[kept, list(exact.fields)].itertuples(index=False, name=None))
    rows = tuple(row for row in exact.rows if row not in alike)
    if not rows:
        reason = "the chosen alerts are like one to be kept in every field that could be named"
        return replace(tuning, reason=reason)
    if len(rows) > MOST_ROWS:
        reason = (
            f"the chosen alerts have {len(rows):,} combinations of values, and what is wider would"
            " silence an alert to be kept, or has too many combinations still; choose fewer"
        )
        return replace(tuning, reason=reason)
    return _applied(replace(tuning, silencer=replace(exact, rows=rows)), texts, kept, ())


def _applied(
    tuning: Tuning,
    texts: pd.DataFrame,
    kept: pd.Series,
    dropped: tuple[tuple[str, str], ...],
) -> Tuning:
    assert tuning.silencer is not None  # noqa: S101 - called with one
    hit = tuning.silencer.silences(texts)
    ids = pd.Series(tuning.alerting, index=texts.index)
    chosen = set(tuning.chosen)
    missed = {one: "is to be kept" for one in ids[kept & ~hit] if one in chosen}
    for one in ids[~kept & ~hit]:
        if one in chosen:
            missed[one] = "is like an alert to be kept in every field that could be named"
    return replace(
        tuning,
        silenced=tuple(ids[hit]),
        alerting=tuple(ids[~hit]),
        missed=tuple((one, missed[one]) for one in tuning.chosen if one in missed),
        left_out=tuning.left_out + dropped,
    )


def _worded(tuning: Tuning, form: str, rules: RuleSet | None) -> Tuning:
    """Return the tuning with its YAML, and what to check before it is loaded."""
    silencer = tuning.silencer
    if silencer is None:
        return tuning
    found = rules.rules.get(tuning.rule) if rules else None
    notes = list(tuning.notes)
    if rules and not found:
        notes.append("the rules files do not define this rule: load the file that does first")
    if found and any(one.name == silencer.name for one in found.exceptions):
        return _none(tuning, f"the rules files have it already, as {silencer.name}")
    if not rules and any(" " in value for row in silencer.rows for value in row):
        notes.append("no value may hold the name of one of your lists between blanks (see --rules)")
    if form == "exceptions":
        item = silencer.as_exception()
    elif found and rules and (macro := _macro(found, rules)):
        item = silencer.as_macro(macro)
    elif found and _has_open_or(found.condition):
        return _none(tuning, "the rule's condition has an `or` outside brackets; use exceptions")
    else:
        item = silencer.as_condition()
        if not found:
            notes.append("holds only if the rule's condition has no `or` outside brackets")
    said = "".join(f"# {line}\n" for line in (tuning.claim, *notes))
    return replace(tuning, yaml=said + write(item), notes=tuple(notes))


def _none(tuning: Tuning, reason: str) -> Tuning:
    everything = Tuning(tuning.rule, tuning.chosen, left_out=tuning.left_out, reason=reason)
    alerting = tuple(tuning.silenced) + tuple(tuning.alerting)
    return replace(everything, alerting=alerting)


def _macro(rule: Rule, rules: RuleSet) -> str | None:
    """Return the macro that is there for users of this rule and that nothing else names.

    Upstream has some that two rules share: an addition would silence the other rule as well.
    """
    for name in (name for name in rule.macros if name.startswith(_MACROS)):
        word = re.compile(rf"\b{re.escape(name)}\b")
        conditions = [one.condition for one in rules.rules.values()]
        conditions += [one.condition for one in rules.macros.values()]
        if sum(bool(word.search(one)) for one in conditions) == 1 and re.search(
            rf"\bnot\s+{re.escape(name)}\b", rule.condition
        ):
            return name
    return None


def _has_open_or(condition: str) -> bool:
    """Return whether what is appended would belong to the last part of a disjunction only."""
    depth = 0
    for word in _WORDS.findall(condition):
        depth += {"(": 1, ")": -1}.get(word, 0)
        if word == "or" and depth == 0:
            return True
    return False
